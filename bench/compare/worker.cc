#include "worker.h"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "engine.h"
#include "support/keys.h"
#include "support/scratch.h"
#include "values.h"

namespace commy::compare {
namespace {

// The driver's arguments for a worker; see `usage` in WorkerMain().
struct Order {
  std::string step;
  std::string engine;
  Place place;
  Scale scale;
  std::string log;
  std::uint32_t number = 0;
};

using EngineStep = void (*)(const EngineInfo&, const Order&);

std::unique_ptr<Engine> Open(const EngineInfo& info, const Order& order) {
  return info.open(order.place);
}

Place OnDisk(const EngineInfo& info, const Order& order) {
  return info.has_file ? order.place : Place();
}

void LoadStep(const EngineInfo& info, const Order& order) {
  const auto engine = Open(info, order);
  Load(*engine, OnDisk(info, order), order.scale);
  UseAlone(*engine, order.scale);
  if (info.sharing == Sharing::kThreads) {
    PairsOfThreads(*engine, order.scale);
  }
  if (!info.has_file) {
    UseMany(*engine, order.scale);
    Thin(*engine, Place(), order.scale);
  }
}

void ManyStep(const EngineInfo& info, const Order& order) {
  const auto engine = Open(info, order);
  Fill(*engine, order.scale);
  UseMany(*engine, order.scale);
}

void OpenStep(const EngineInfo& info, const Order& order) {
  const bench::KeyList keys(0, 1, kFillSeed);
  Begin("open_get");
  bool whole = false;
  const Clock::time_point start = Clock::now();
  const auto engine = Open(info, order);
  (void)engine->Read(keys[0], [&](std::string_view value) {
    whole = ValueMaker::StampOf(keys[0], value).has_value();
  });
  const std::chrono::duration<double, std::milli> taken = Clock::now() - start;
  if (!whole) {
    bench::Die("open", "the first key is not there");
  }
  Result("open_get", taken.count());
}

void WorkStep(const EngineInfo& info, const Order& order, Role role) {
  const auto engine = Open(info, order);
  Result("rate", Work(*engine, order.scale, role, order.number, AwaitGo));
  Result("resident", static_cast<double>(ResidentBytes()));
}

void FillStep(const EngineInfo& info, const Order& order) {
  Fill(*Open(info, order), order.scale);
}

// For a store that only one process may open.
void SteadyThreadsStep(const EngineInfo& info, const Order& order) {
  const auto engine = Open(info, order);
  AwaitGo();
  Result("rate", WriteInThreads(*engine, order.scale, order.number));
  Result("resident", static_cast<double>(ResidentBytes()));
}

void KeepStep(const EngineInfo& info, const Order& order) {
  const auto kept = info.keep != nullptr ? info.keep(order.place) : Open(info, order);
  AwaitGo();
}

const std::map<std::string, EngineStep, std::less<>>& EngineSteps() {
  static const std::map<std::string, EngineStep, std::less<>> steps = {
      {"keep", KeepStep},
      {"load", LoadStep},
      {"fill", FillStep},
      {"steady_threads", SteadyThreadsStep},
      {"many", ManyStep},
      {"open", OpenStep},
      {"read", [](const EngineInfo& i, const Order& o) { WorkStep(i, o, Role::kReader); }},
      {"write", [](const EngineInfo& i, const Order& o) { WorkStep(i, o, Role::kWriter); }},
      {"count", [](const EngineInfo& i, const Order& o) { WorkStep(i, o, Role::kCounter); }},
      {"thin", [](const EngineInfo& i, const Order& o) { Thin(*Open(i, o), o.place, o.scale); }},
      {"space", [](const EngineInfo& i, const Order& o) { MeasureSpace(*Open(i, o), o.place); }},
      {"prepare", [](const EngineInfo& i, const Order& o) { PrepareKill(*Open(i, o), o.log); }},
      {"victim", [](const EngineInfo& i, const Order& o) { WriteUntilKilled(*Open(i, o), o.log); }},
      {"check", [](const EngineInfo& i, const Order& o) { CheckAfterKill(*Open(i, o), o.log); }},
  };
  return steps;
}

template <typename Info>
const Info& Named(const std::vector<Info>& all, std::string_view name) {
  for (const Info& info : all) {
    if (info.name == name) {
      return info;
    }
  }
  bench::Die(name, "is not in this program");
}

std::uint64_t Number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    bench::Die(text, "is not a number");
  }
  return number;
}

}  // namespace

namespace {

int synced_folder = -1;

}  // namespace

void SyncBeforeRows(const std::string& folder) {
  synced_folder = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (synced_folder < 0) {
    bench::Die(folder, std::strerror(errno));
  }
}

void SyncFiles() {
  if (synced_folder >= 0 && ::syncfs(synced_folder) != 0) {
    bench::Die("syncfs", std::strerror(errno));
  }
}

void Begin(std::string_view row) {
  std::printf("begin %.*s\n", static_cast<int>(row.size()), row.data());
  (void)std::fflush(stdout);
  SyncFiles();
}

void Result(std::string_view row, double value) {
  std::printf("result %.*s %.6g\n", static_cast<int>(row.size()), row.data(), value);
  (void)std::fflush(stdout);
}

void AwaitGo() {
  std::puts("ready");
  (void)std::fflush(stdout);
  while (true) {
    const int byte = std::getchar();
    if (byte == '\n') {
      return;
    }
    if (byte == EOF) {
      std::_Exit(0);
    }
  }
}

int WorkerMain(int argc, char** argv) {
  if (argc != 8) {
    bench::Die("usage", "--worker STEP ENGINE FOLDER KEYS ROW_MS LOG NUMBER SYNC");
  }
  Order order;
  order.step = argv[0];
  order.engine = argv[1];
  order.place.folder = argv[2];
  order.place.keys = Number(argv[3]);
  order.scale.keys = order.place.keys;
  order.scale.row = std::chrono::milliseconds(Number(argv[4]));
  order.log = argv[5];
  order.number = static_cast<std::uint32_t>(Number(argv[6]));
  if (std::string_view(argv[7]) == "sync") {
    SyncBeforeRows(order.place.folder);
  }
  if (order.step == "heap") {
    const auto heap = Named(Heaps(), order.engine).open(order.place);
    Result("rate", AllocateAndFree(*heap, order.scale, order.number, AwaitGo));
    return 0;
  }
  const auto step = EngineSteps().find(order.step);
  if (step == EngineSteps().end()) {
    bench::Die(order.step, "is not a step");
  }
  step->second(Named(Engines(), order.engine), order);
  return 0;
}

}  // namespace commy::compare
