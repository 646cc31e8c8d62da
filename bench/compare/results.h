// The results, and the JSON file of them, which report.py reads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine.h"
#include "scale.h"

namespace commy::compare {

struct Sample {
  std::string engine;
  std::string row;
  double value = 0;
};

// The reason why a row of an engine has no value: "hangs", "fails".
struct Fault {
  std::string engine;
  std::string row;
  std::string what;
};

class Results {
 public:
  void Add(std::string_view engine, std::string_view row, double value);
  void AddFault(std::string_view engine, std::string_view row, std::string_view what);

  // Ends the program if the file cannot be written.
  void Write(const std::string& path, const Scale& scale,
             const std::vector<EngineInfo>& engines) const;

 private:
  std::vector<Sample> samples_;
  std::vector<Fault> faults_;
};

}  // namespace commy::compare
