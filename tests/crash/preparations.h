// The states of a store that operations of the kill and stop harness start from. Each function
// returns the key that the operation is about.
#pragma once

#include <string>

#include "crash/preparer.h"

namespace commy::test {

std::string Plain(Preparer& at);   // The key is there.
std::string Absent(Preparer& at);  // It is not.
std::string LargeThere(Preparer& at);
std::string Filled(Preparer& at);

// A put of the key changes the shape of the hash index.
std::string BeforeDoubling(Preparer& at);
std::string BeforeSplit(Preparer& at);
std::string BeforeRebuild(Preparer& at);
// The same of a segment with at least four directory entries.
std::string BeforeWideSplit(Preparer& at);
std::string BeforeWideRebuild(Preparer& at);
// Fills the bucket of kSplitter. The returned key belongs to the other bucket, which has room.
inline constexpr char kSplitter[] = "splitter";
std::string BesideFullBucket(Preparer& at);

// Other lanes, idle now, own all spans but a few.
std::string IdleLanes(Preparer& at);
// The same, with most keys of these spans deleted: some spans are empty, and some are not.
std::string EmptyIdleLanes(Preparer& at);

// A put of the key changes the shape of the ordered index.
std::string BeforeLeafRebuild(Preparer& at);
std::string BeforeLeafSplit(Preparer& at);
std::string BeforeFirstRoot(Preparer& at);
std::string BeforeHigherRoot(Preparer& at);
std::string BeforeInnerSplit(Preparer& at);
// A tree of three levels with sparse last leaves: deletes from the key downwards merge them.
std::string BeforeMerges(Preparer& at);
std::string FilledTree(Preparer& at);

// Few are left of many keys "fill0", ...: sparse spans, and a sparse hash index or tree.
std::string Sparse(Preparer& at);
std::string SparseTree(Preparer& at);
// Neighbours have been merged: segments that merge next have two directory entries each.
std::string SparseWide(Preparer& at);
// Large values, of which the last one is left: the returned key's.
std::string SparseLarge(Preparer& at);
// After a Sparse() all that is free is holes.
std::string Holes(Preparer& at);
// A full store. The spans of the size of Medium() values have room, but were left.
std::string FullWithLeftSpans(Preparer& at);
// A value of a size that no other step puts.
std::string Medium(const std::string& value);

// Records of expired keys among others.
std::string SomeExpired(Preparer& at);
// A waiter has died asleep, which looks the same to a writer as one that sleeps.
std::string Awaited(Preparer& at);

}  // namespace commy::test
