// A progress bar on standard error, if that is a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace commy::tools {

class Progress {
 public:
  Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // Wipes the bar away.
  ~Progress();

  // Whether there is a terminal to draw on, and it is time to draw again. Cheap.
  bool Due();
  // A bar of `done` of `total` and a text; `total` 0: it is not known.
  void Show(std::uint64_t done, std::uint64_t total, std::string_view text);
  // A line of text in the bar's place.
  void ShowText(std::string_view text);

  [[nodiscard]] bool visible() const { return is_terminal_; }

 private:
  const bool is_terminal_;
  bool drawn_ = false;
  std::uint64_t calls_ = 0;
  absl::Time next_ = absl::InfinitePast();
};

}  // namespace commy::tools
