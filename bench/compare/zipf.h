// Numbers of [0, count) by Zipf's law, scattered, as YCSB draws its keys: few of them are hot.
//
// The rank comes from the method of Gray and others, "Quickly generating billion-record synthetic
// databases" (1994), which YCSB uses, too. The number is a hash of the rank, so that hot keys are
// not neighbours.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>

namespace commy::compare {

class Zipf {
 public:
  // Cost: linear in `count`.
  Zipf(std::uint64_t count, double theta, std::uint64_t seed)
      : count_(count), theta_(theta), random_(seed) {
    for (std::uint64_t rank = 1; rank <= count; ++rank) {
      zeta_ += 1.0 / std::pow(static_cast<double>(rank), theta);
    }
    const double zeta_2 = 1.0 + std::pow(0.5, theta);
    eta_ = (1.0 - std::pow(2.0 / static_cast<double>(count), 1.0 - theta)) / (1.0 - zeta_2 / zeta_);
  }

  std::uint64_t Next() {
    std::uint64_t mixed = Rank() + 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return (mixed ^ (mixed >> 31U)) % count_;
  }

 private:
  std::uint64_t Rank() {
    const double u = uniform_(random_);
    const double uz = u * zeta_;
    if (uz < 1.0) {
      return 0;
    }
    if (uz < 1.0 + std::pow(0.5, theta_)) {
      return 1;
    }
    const double rank =
        static_cast<double>(count_) * std::pow(eta_ * u - eta_ + 1.0, 1.0 / (1.0 - theta_));
    return static_cast<std::uint64_t>(rank) % count_;
  }

  std::uint64_t count_;
  double theta_;
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> uniform_;
  double zeta_ = 0;
  double eta_ = 0;
};

}  // namespace commy::compare
