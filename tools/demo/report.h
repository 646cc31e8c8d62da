// The final report of the demo.
#pragma once

#include <string>

#include "demo/demo_run.h"
#include "jsonl.h"

namespace commy::tools::demo {

// `program` is how the user calls the command line.
std::string ToText(const DemoOutcome& outcome, const DemoOptions& options,
                   const std::string& program);
Json ToJson(const DemoOutcome& outcome);

}  // namespace commy::tools::demo
