// Whether a program's type of a container fits the one in the file.
//
//   COMMY_ASSIGN_OR_RETURN(const ContainerType stored, ParseContainer("box<struct P{x:f64}>"));
//   COMMY_ASSIGN_OR_RETURN(const ContainerType wanted,
//                          ParseContainer("box<struct P{x:f64,y:f64}>"));
//   CompareTypes(stored, wanted).relation;  // kWantedIsLonger
//
// A struct may get new fields behind the ones it has: each value then says by its length how many
// fields it has. That works only for the value of a map or box itself, not for structs inside it,
// and only where a longer value has all bytes of a shorter one at the same places and more behind.
#pragma once

#include <cstdint>
#include <string>

#include "types/descriptor.h"

namespace commy::types {

enum class Relation : std::uint8_t {
  kSame,
  // The only difference: the value of the map or box is a struct of the same name with more fields
  // behind those in the file. Both structs are plain, or both are not. If they are plain, the first
  // new field begins behind all bytes of the shorter struct, its padding among them.
  kWantedIsLonger,
  kStoredIsLonger,  // The same, with the new fields in the file.
  kDifferent,
};

struct Comparison {
  Relation relation = Relation::kSame;
  std::string reason;  // Of kDifferent: one line, "field 3 is c:u32 in the store and c:u64 here".
};

// Compares the type in the file with that of a program.
Comparison CompareTypes(const ContainerType& stored, const ContainerType& wanted);

}  // namespace commy::types
