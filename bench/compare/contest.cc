#include "contest.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/scratch.h"

namespace commy::compare {
namespace {

constexpr std::string_view kBegin = "begin ";
constexpr std::string_view kResult = "result ";
constexpr int kOpens = 5;
constexpr std::uint64_t kKillHangsMax = 3;  // After that many the rest would not be news.

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
  return std::make_unique<Child>(std::vector<std::string>{
      job.step, job.engine, job.folder, std::to_string(job.keys),
      std::to_string(scale_.row.count()), job.log, std::to_string(job.number)});
}

void Contest::Fault(const Child& child, std::string_view engine, std::string_view row) {
  const char* const what = child.end() == Child::End::kHung ? "hangs" : "fails";
  std::fprintf(stderr, "  %s: %s\n", std::string(row).c_str(), what);
  results_.AddFault(engine, row, what);
}

std::unique_ptr<Child> Contest::StartReady(const Job& job, std::string_view row) {
  std::unique_ptr<Child> child = Start(job);
  while (const auto line = child->ReadLine(scale_.hang)) {
    if (*line == "ready") {
      return child;
    }
  }
  Fault(*child, job.engine, row);
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
  return Follow(*child, job.engine, step);
}

std::optional<std::vector<double>> Contest::RunPair(const Job& first, const Job& second,
                                                    std::string_view row) {
  std::vector<std::unique_ptr<Child>> children;
  for (const Job* job : {&first, &second}) {
    children.push_back(StartReady(*job, row));
    if (children.back() == nullptr) {
      return std::nullopt;
    }
  }
  for (const auto& child : children) {
    child->Go();
  }
  std::vector<double> rates;
  for (const auto& child : children) {
    while (const auto line = child->ReadLine(scale_.hang)) {
      if (line->starts_with(kResult)) {
        rates.push_back(ParseResult(*line).value);
      }
    }
    if (child->end() != Child::End::kDone || rates.empty()) {
      Fault(*child, first.engine, row);
      return std::nullopt;
    }
  }
  return rates;
}

void Contest::RunPairs(const Job& job) {
  const auto role = [&](const char* step, std::uint32_t number) {
    Job one = job;
    one.step = step;
    one.number = number;
    return one;
  };
  if (const auto rates = RunPair(role("read", 0), role("write", 1), "reader and writer")) {
    results_.Add(job.engine, "rw_reader", rates->front());
    results_.Add(job.engine, "rw_writer", rates->back());
  }
  struct Pair {
    const char* row;
    const char* step;
  };
  for (const Pair& pair :
       {Pair{"two_readers", "read"}, Pair{"two_writers", "write"}, Pair{"counter_two", "count"}}) {
    if (const auto rates = RunPair(role(pair.step, 0), role(pair.step, 1), pair.row)) {
      results_.Add(job.engine, pair.row, rates->front() + rates->back());
    }
  }
}

void Contest::RunKills(const EngineInfo& engine) {
  std::uint64_t kills = 0;
  std::uint64_t hangs = 0;
  std::uint64_t fails = 0;
  while (kills < scale_.kills && hangs < kKillHangsMax) {
    const bench::ScratchDir scratch;
    Job job{"prepare", engine.name, Subfolder(scratch, "store"), 2000, scratch.File("log"), 0};
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

// In a store of its own: what a snapshot kept would count in the space that others take.
void Contest::RunMany(const EngineInfo& engine) {
  const bench::ScratchDir scratch;
  const Job job{"", engine.name, Subfolder(scratch, "store"), scale_.keys, "-", 0};
  const std::unique_ptr<Child> keeper = Keep(engine, job);
  RunStep(job, "many");
}

void Contest::Run(const EngineInfo& engine) {
  {
    const bench::ScratchDir scratch;
    const Job job{"", engine.name, Subfolder(scratch, "store"), scale_.keys, "-", 0};
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

void Contest::Run(const HeapInfo& heap) {
  const bench::ScratchDir scratch;
  Job first{"heap", heap.name, scratch.File(""), scale_.keys, "-", 0};
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
  if (const auto rates = RunPair(first, second, "alloc_two")) {
    results_.Add(heap.name, "alloc_two", rates->front() + rates->back());
  }
}

}  // namespace commy::compare
