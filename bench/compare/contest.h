// One engine's turn: the steps in their order, each in worker processes under watch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "child.h"
#include "engine.h"
#include "results.h"
#include "scale.h"

namespace commy::compare {

class Contest {
 public:
  Contest(const Scale& scale, Results& results) : scale_(scale), results_(results) {}

  // Runs all rows of an engine once. Faults are results, too.
  void Run(const EngineInfo& engine);
  void Run(const HeapInfo& heap);
  // One writer and two, each overwriting for the time of a row.
  void RunSteady(const EngineInfo& engine);
  // Loads, deletes, and gives space back.
  void RunSpace(const EngineInfo& engine);

 private:
  // The arguments of one worker, or of two.
  struct Job {
    std::string step;
    std::string engine;
    std::string folder;
    std::uint64_t keys = 0;
    std::string log;
    std::uint32_t number = 0;
    std::string program;
    std::string shown;  // The engine's name in the results.
  };
  // The results of workers that started together.
  struct Together {
    std::vector<double> rates;
    double resident_bytes = 0;  // Of the largest.
  };

  [[nodiscard]] std::unique_ptr<Child> Start(const Job& job) const;
  // Starts a worker and waits until it is ready. Null: it failed.
  std::unique_ptr<Child> StartReady(const Job& job, std::string_view row);
  std::unique_ptr<Child> Keep(const EngineInfo& engine, const Job& job);
  // Collects a worker's rows until it ends. False: it failed or hung, which is recorded.
  bool Follow(Child& child, const std::string& engine, std::string_view step);
  bool RunStep(Job job, std::string_view step);
  static Job MakeJob(const EngineInfo& engine, const std::string& folder, std::uint64_t keys);
  std::optional<Together> RunTogether(const std::vector<Job>& jobs, std::string_view row);
  void RunPairs(const Job& job);
  void RunKills(const EngineInfo& engine);
  void RunMany(const EngineInfo& engine);
  void Fault(const Child& child, std::string_view engine, std::string_view row);

  const Scale scale_;
  Results& results_;
  std::minstd_rand random_;
};

}  // namespace commy::compare
