#include "contest.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/scratch.h"
#include "worker.h"

namespace commy::compare {
namespace {

constexpr std::string_view kBegin = "begin ";
constexpr std::string_view kResult = "result ";
constexpr int kOpens = 5;
constexpr double kMebibyte = 1U << 20U;
// After this many hangs, more kills would show nothing new.
constexpr std::uint64_t kKillHangsMax = 3;

struct Line {
  std::string row;
  double value = 0;
};

Line ParseResult(std::string_view line) {
  line.remove_prefix(kResult.size());
  const std::size_t space = line.find(' ');
  Line parsed{std::string(line.substr(0, space)), 0};
  const std::string_view number = line.substr(space + 1);
  (void)std::from_chars(number.data(), number.data() + number.size(), parsed.value);
  return parsed;
}

std::string Subfolder(const bench::ScratchDir& scratch, const std::string& name) {
  std::string folder = scratch.File(name);
  std::filesystem::create_directories(folder);
  return folder;
}

}  // namespace

std::unique_ptr<Child> Contest::Start(const Job& job) const {
  return std::make_unique<Child>(
      std::vector<std::string>{job.step, job.engine, job.folder, std::to_string(job.keys),
                               std::to_string(scale_.row.count()), job.log,
                               std::to_string(job.number), scale_.sync ? "sync" : "no-sync"},
      job.program);
}

void Contest::Fault(const Child& child, std::string_view engine, std::string_view row) {
  const char* const what = child.end() == Child::End::kHung ? "hangs" : "fails";
  std::fprintf(stderr, "  %s: %s\n", std::string(row).c_str(), what);
  results_.AddFault(engine, row, what);
}

Contest::Job Contest::MakeJob(const EngineInfo& engine, const std::string& folder,
                              std::uint64_t keys) {
  // Another build lists its engine under its original name.
  const std::string name = engine.program.empty() ? engine.name : engine.version;
  return {"", name, folder, keys, "-", 0, engine.program, engine.name};
}

std::unique_ptr<Child> Contest::StartReady(const Job& job, std::string_view row) {
  std::unique_ptr<Child> child = Start(job);
  while (const auto line = child->ReadLine(scale_.hang)) {
    if (*line == "ready") {
      return child;
    }
  }
  Fault(*child, job.shown, row);
  return nullptr;
}

std::unique_ptr<Child> Contest::Keep(const EngineInfo& engine, const Job& job) {
  if (!engine.needs_keeper) {
    return nullptr;
  }
  Job keep = job;
  keep.step = "keep";
  return StartReady(keep, "keeper");
}

bool Contest::Follow(Child& child, const std::string& engine, std::string_view step) {
  std::string row(step);
  while (const auto line = child.ReadLine(scale_.hang)) {
    if (line->starts_with(kBegin)) {
      row = line->substr(kBegin.size());
    } else if (line->starts_with(kResult)) {
      const Line result = ParseResult(*line);
      results_.Add(engine, result.row, result.value);
    }
  }
  if (child.end() != Child::End::kDone) {
    Fault(child, engine, row);
    return false;
  }
  return true;
}

bool Contest::RunStep(Job job, std::string_view step) {
  job.step = step;
  const std::unique_ptr<Child> child = Start(job);
  return Follow(*child, job.shown, step);
}

std::optional<Contest::Together> Contest::RunTogether(const std::vector<Job>& jobs,
                                                      std::string_view row) {
  std::vector<std::unique_ptr<Child>> children;
  for (const Job& job : jobs) {
    children.push_back(StartReady(job, row));
    if (children.back() == nullptr) {
      return std::nullopt;
    }
  }
  for (const auto& child : children) {
    child->Go();
  }
  Together together;
  for (const auto& child : children) {
    const std::size_t before = together.rates.size();
    while (const auto line = child->ReadLine(scale_.hang)) {
      if (!line->starts_with(kResult)) {
        continue;
      }
      const Line result = ParseResult(*line);
      if (result.row == "rate") {
        together.rates.push_back(result.value);
      } else {
        together.resident_bytes = std::max(together.resident_bytes, result.value);
      }
    }
    if (child->end() != Child::End::kDone || together.rates.size() == before) {
      Fault(*child, jobs.front().shown, row);
      return std::nullopt;
    }
  }
  return together;
}

void Contest::RunPairs(const Job& job) {
  const auto role = [&](const char* step, std::uint32_t number) {
    Job one = job;
    one.step = step;
    one.number = number;
    return one;
  };
  if (const auto both = RunTogether({role("read", 0), role("write", 1)}, "reader and writer")) {
    results_.Add(job.shown, "rw_reader", both->rates.front());
    results_.Add(job.shown, "rw_writer", both->rates.back());
  }
  struct Pair {
    const char* row;
    const char* step;
  };
  for (const Pair& pair :
       {Pair{"two_readers", "read"}, Pair{"two_writers", "write"}, Pair{"counter_two", "count"}}) {
    if (const auto both = RunTogether({role(pair.step, 0), role(pair.step, 1)}, pair.row)) {
      results_.Add(job.shown, pair.row, both->rates.front() + both->rates.back());
    }
  }
}

void Contest::RunKills(const EngineInfo& engine) {
  std::uint64_t kills = 0;
  std::uint64_t hangs = 0;
  std::uint64_t fails = 0;
  while (kills < scale_.kills && hangs < kKillHangsMax) {
    const bench::ScratchDir scratch;
    Job job = MakeJob(engine, Subfolder(scratch, "store"), 2000);
    job.log = scratch.File("log");
    const std::unique_ptr<Child> keeper = Keep(engine, job);
    if (!RunStep(job, "prepare")) {
      break;
    }
    bool sound = true;
    while (sound && kills < scale_.kills) {
      job.step = "victim";
      const std::unique_ptr<Child> victim = StartReady(job, "kill");
      if (victim == nullptr) {
        break;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(500 + random_() % 15'000));
      victim->Kill();
      ++kills;
      job.step = "check";
      const std::unique_ptr<Child> next = Start(job);
      while (const auto line = next->ReadLine(scale_.kill_hang)) {
        const Line result = ParseResult(*line);
        results_.Add(engine.name, result.row, result.value);
        sound = sound && result.value == 0;
      }
      hangs += next->end() == Child::End::kHung ? 1 : 0;
      fails += next->end() == Child::End::kFailed ? 1 : 0;
      sound = sound && next->end() == Child::End::kDone;
    }
  }
  results_.Add(engine.name, "kills", static_cast<double>(kills));
  results_.Add(engine.name, "kill_hangs", static_cast<double>(hangs));
  results_.Add(engine.name, "kill_fails", static_cast<double>(fails));
}

// In a store of its own: versions kept for a snapshot would count in the space of other rows.
void Contest::RunMany(const EngineInfo& engine) {
  const bench::ScratchDir scratch;
  const Job job = MakeJob(engine, Subfolder(scratch, "store"), scale_.keys);
  const std::unique_ptr<Child> keeper = Keep(engine, job);
  RunStep(job, "many");
}

void Contest::Run(const EngineInfo& engine) {
  {
    const bench::ScratchDir scratch;
    const Job job = MakeJob(engine, Subfolder(scratch, "store"), scale_.keys);
    const std::unique_ptr<Child> keeper = Keep(engine, job);
    bool sound = RunStep(job, "load");
    if (engine.has_file) {
      for (int i = 0; sound && i < kOpens; ++i) {
        sound = RunStep(job, "open");
      }
      if (sound && engine.sharing == Sharing::kProcesses) {
        RunPairs(job);
      }
      if (sound) {
        RunStep(job, "thin");
      }
    }
  }
  if (engine.has_file) {
    if (engine.has_many) {
      RunMany(engine);
    }
    RunKills(engine);
  }
}

void Contest::RunSteady(const EngineInfo& engine) {
  const bench::ScratchDir scratch;
  Job job = MakeJob(engine, Subfolder(scratch, "store"), scale_.keys);
  const std::unique_ptr<Child> keeper = Keep(engine, job);
  if (!RunStep(job, "fill")) {
    return;
  }
  const bool threads = engine.sharing == Sharing::kThreads;
  job.step = threads ? "steady_threads" : "write";
  for (const std::uint32_t writers : {1U, 2U}) {
    std::vector<Job> jobs(threads ? 1 : writers, job);
    jobs.front().number = threads ? writers : 0;
    jobs.back().number = threads ? writers : writers - 1;
    const std::string row = writers == 1 ? "steady_one" : "steady_two";
    if (const auto together = RunTogether(jobs, row)) {
      results_.Add(engine.name, row,
                   std::accumulate(together->rates.begin(), together->rates.end(), 0.0));
      results_.Add(engine.name, row + "_resident", together->resident_bytes / kMebibyte);
      results_.Add(engine.name, row + "_disk",
                   static_cast<double>(DiskBytes(job.folder)) / kMebibyte);
    }
  }
}

void Contest::RunSpace(const EngineInfo& engine) {
  if (!engine.has_file || engine.fixed_sizes) {
    return;
  }
  const bench::ScratchDir scratch;
  const Job job = MakeJob(engine, Subfolder(scratch, "store"), scale_.space_keys);
  const std::unique_ptr<Child> keeper = Keep(engine, job);
  RunStep(job, "space");
}

void Contest::Run(const HeapInfo& heap) {
  const bench::ScratchDir scratch;
  Job first{"heap", heap.name, scratch.File(""), scale_.keys, "-", 0, "", heap.name};
  if (const std::unique_ptr<Child> child = StartReady(first, "alloc_one")) {
    child->Go();
    while (const auto line = child->ReadLine(scale_.hang)) {
      results_.Add(heap.name, "alloc_one", ParseResult(*line).value);
    }
    if (child->end() != Child::End::kDone) {
      Fault(*child, heap.name, "alloc_one");
    }
  }
  Job second = first;
  second.number = 1;
  if (const auto both = RunTogether({first, second}, "alloc_two")) {
    results_.Add(heap.name, "alloc_two", both->rates.front() + both->rates.back());
  }
}

}  // namespace commy::compare
