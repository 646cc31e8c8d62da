// `commy layout`: the file's structs, taken from the compiler.
#pragma once

#include <string>

namespace commy::inspect {

// One line a struct and a field: "struct TAB field TAB offset TAB size".
std::string DescribeLayout();

}  // namespace commy::inspect
