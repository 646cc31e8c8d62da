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
  // Erases the bar.
  ~Progress();

  // Whether there is a terminal, and the next redraw is due. Cheap.
  bool Due();
  // A bar of `done` of `total` and a text; `total` 0: unknown.
  void Show(std::uint64_t done, std::uint64_t total, std::string_view text);
  // A line of text in place of the bar.
  void ShowText(std::string_view text);

  [[nodiscard]] bool visible() const { return is_terminal_; }

 private:
  const bool is_terminal_;
  bool drawn_ = false;
  std::uint64_t calls_ = 0;
  absl::Time next_ = absl::InfinitePast();
};

}  // namespace commy::tools
