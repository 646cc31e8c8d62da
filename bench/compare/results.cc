#include "results.h"

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

#include <sys/utsname.h>

#include "absl/strings/str_cat.h"

#include "engine.h"
#include "support/scratch.h"

namespace commy::compare {
namespace {

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
    }
    quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return quoted + '"';
}

std::string Join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) {
    joined += (joined.empty() ? "\n    " : ",\n    ") + part;
  }
  return "[" + joined + "\n  ]";
}

template <typename Info>
std::string Named(const Info& info, bool bound, bool threads) {
  return absl::StrCat("{\"name\": ", Quoted(info.name), ", \"version\": ", Quoted(info.version),
                      ", \"bound\": ", bound ? "true" : "false",
                      ", \"threads\": ", threads ? "true" : "false",
                      ", \"setting\": ", Quoted(info.setting), "}");
}

std::string Processor() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown";
}

std::string Kernel() {
  utsname name{};
  return ::uname(&name) == 0 ? absl::StrCat(name.sysname, " ", name.release, " ", name.machine)
                             : "unknown";
}

}  // namespace

void Results::Add(std::string_view engine, std::string_view row, double value) {
  samples_.push_back({std::string(engine), std::string(row), value});
}

void Results::AddFault(std::string_view engine, std::string_view row, std::string_view what) {
  faults_.push_back({std::string(engine), std::string(row), std::string(what)});
}

void Results::Write(const std::string& path, const Scale& scale,
                    const std::vector<EngineInfo>& engines) const {
  std::vector<std::string> named;
  named.reserve(engines.size());
  for (const EngineInfo& info : engines) {
    named.push_back(Named(info, !info.has_file, info.sharing == Sharing::kThreads));
  }
  std::vector<std::string> heaps;
  for (const HeapInfo& info : Heaps()) {
    heaps.push_back(Named(info, !info.shared, false));
  }
  std::vector<std::string> samples;
  for (const Sample& sample : samples_) {
    samples.push_back(absl::StrCat("{\"engine\": ", Quoted(sample.engine), ", \"row\": ",
                                   Quoted(sample.row), ", \"value\": ", sample.value, "}"));
  }
  std::vector<std::string> faults;
  for (const Fault& fault : faults_) {
    faults.push_back(absl::StrCat("{\"engine\": ", Quoted(fault.engine), ", \"row\": ",
                                  Quoted(fault.row), ", \"what\": ", Quoted(fault.what), "}"));
  }
  std::ofstream file(path);
  file << "{\n  \"processor\": " << Quoted(Processor())
       << ",\n  \"processors\": " << std::thread::hardware_concurrency()
       << ",\n  \"kernel\": " << Quoted(Kernel()) << ",\n  \"compiler\": " << Quoted(__VERSION__)
       << ",\n  \"keys\": " << scale.keys << ",\n  \"space_keys\": " << scale.space_keys
       << ",\n  \"rounds\": " << scale.rounds << ",\n  \"row_ms\": " << scale.row.count()
       << ",\n  \"sync\": " << (scale.sync ? "true" : "false")
       << ",\n  \"engines\": " << Join(named) << ",\n  \"heaps\": " << Join(heaps)
       << ",\n  \"samples\": " << Join(samples) << ",\n  \"faults\": " << Join(faults) << "\n}\n";
  file.close();
  if (!file) {
    bench::Die(path, "cannot be written");
  }
}

}  // namespace commy::compare
