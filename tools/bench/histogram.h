// How long operations took: counts in buckets of 3 % width, as plain bytes that fit through a pipe.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace commy::tools::bench {

class Histogram {
 public:
  void Add(std::uint64_t nanoseconds) { ++counts_[BucketOf(nanoseconds)]; }

  void Merge(const Histogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      counts_[i] += other.counts_[i];
    }
  }

  [[nodiscard]] std::uint64_t samples() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : counts_) {
      sum += count;
    }
    return sum;
  }

  // The time that a share `quantile` of the samples did not exceed, to 3 %. nullopt: fewer than
  // three samples lie above it, so it would be chance.
  [[nodiscard]] std::optional<std::uint64_t> Quantile(double quantile) const {
    const auto all = static_cast<double>(samples());
    if (all * (1 - quantile) < 3) {
      return std::nullopt;
    }
    double seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += static_cast<double>(counts_[i]);
      if (seen >= all * quantile) {
        return UpperEndOf(i);
      }
    }
    return std::nullopt;
  }

 private:
  static constexpr std::uint64_t kSteps = 32;  // Buckets for each power of two.
  static constexpr std::size_t kStepBits = 5;

  static std::size_t BucketOf(std::uint64_t value) {
    if (value < kSteps) {
      return value;
    }
    const std::size_t shift = static_cast<std::size_t>(std::bit_width(value)) - 1 - kStepBits;
    return shift * kSteps + (value >> shift);
  }
  static std::uint64_t UpperEndOf(std::size_t bucket) {
    if (bucket < 2 * kSteps) {
      return bucket;
    }
    const std::size_t shift = bucket / kSteps - 1;
    return ((kSteps + bucket % kSteps + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kStepBits + 1) * kSteps> counts_{};
};

}  // namespace commy::tools::bench
