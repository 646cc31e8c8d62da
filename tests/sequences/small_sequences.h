// Tiny pieces of sequences, so that rare paths happen often, as long as it lives.
#pragma once

#include "commy/internal/sequence_sizes.h"

namespace commy::test {

class SmallSequences {
 public:
  SmallSequences() : before_(internal::SizesOfSequences()) {
    internal::SetSequenceSizes({.run_bytes = 64,
                                .run_bytes_most = 256,
                                .leaf_bytes = 128,
                                .bulk_leaf_bytes = 512,
                                .root_entries = 3,
                                .node_entries = 5});
  }
  SmallSequences(const SmallSequences&) = delete;
  SmallSequences& operator=(const SmallSequences&) = delete;
  ~SmallSequences() { internal::SetSequenceSizes(before_); }

 private:
  const internal::SequenceSizes before_;
};

}  // namespace commy::test
