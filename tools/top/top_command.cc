// top: the activity of participants and namespaces, repeatedly on a terminal, or once into a pipe.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/time/clock.h"

#include "access.h"
#include "base/status.h"
#include "command.h"
#include "signals.h"
#include "top/picture.h"
#include "top/rates.h"
#include "top/screen.h"

namespace commy::tools {
namespace {

using top::Picture;
using top::Sample;
using top::Screen;
using top::Signals;

struct TopArguments {
  std::string store;
  absl::Duration interval = absl::Seconds(1);
  std::uint64_t count = 0;  // 0: not given.
  bool json = false;
};

// Samples a store, and notices when its file was removed or replaced.
class Watcher {
 public:
  static absl::StatusOr<Watcher> Open(const std::string& path) {
    COMMY_ASSIGN_OR_RETURN(Store store, OpenStore(path, Use::kRead, "top"));
    Watcher watcher(std::move(store));
    if (::stat(path.c_str(), &watcher.file_) != 0) {
      return watcher.Gone("was removed");
    }
    return watcher;
  }

  // The current state, compared with the last one. An error is final.
  absl::StatusOr<Picture> Look() {
    COMMY_RETURN_IF_ERROR(CheckThere());
    absl::StatusOr<Sample> now = top::TakeSample(store_, absl::Now());
    if (!now.ok()) {
      return Explain(store_, now.status());
    }
    Picture picture = top::Compare(before_.has_value() ? &*before_ : nullptr, *now);
    before_ = std::move(*now);
    return picture;
  }

  [[nodiscard]] absl::Status Interrupted() const {
    return absl::CancelledError(store_.path() + ": interrupted");
  }

 private:
  explicit Watcher(Store store) : store_(std::move(store)) {}

  [[nodiscard]] absl::Status Gone(std::string_view how) const {
    return base::FailedPrecondition(store_.path(), ": the store ", base::ToAbsl(how),
                                    "; processes that have it open continue with the old file");
  }

  [[nodiscard]] absl::Status CheckThere() const {
    struct stat now = {};
    if (::stat(store_.path().c_str(), &now) != 0) {
      return Gone("was removed");
    }
    return now.st_dev == file_.st_dev && now.st_ino == file_.st_ino ? absl::OkStatus()
                                                                    : Gone("was replaced");
  }

  Store store_;
  struct stat file_ = {};
  std::optional<Sample> before_;
};

void Print(const Picture& picture, bool json, Output& out) {
  if (json) {
    out.Report(ToJson(picture));
    return;
  }
  for (const std::string& line : ToLines(picture)) {
    out.Line(line);
  }
}

absl::StatusOr<Exit> RunPlain(const TopArguments& arguments, Signals& signals, Output& out) {
  COMMY_ASSIGN_OR_RETURN(Watcher watcher, Watcher::Open(arguments.store));
  COMMY_RETURN_IF_ERROR(watcher.Look().status());
  for (std::uint64_t shown = 0; shown < std::max<std::uint64_t>(1, arguments.count); ++shown) {
    const absl::Time next = absl::Now() + arguments.interval;
    Signals::Event event = Signals::Event::kResize;
    while (event != Signals::Event::kTime) {
      event = signals.Wait(next, /*keys=*/false);
      if (event == Signals::Event::kEnd) {
        return watcher.Interrupted();
      }
      if (event == Signals::Event::kSuspend) {
        ::raise(SIGSTOP);
      }
    }
    COMMY_ASSIGN_OR_RETURN(const Picture picture, watcher.Look());
    if (shown > 0 && !arguments.json) {
      out.Line("");
    }
    Print(picture, arguments.json, out);
    Signals::Release();  // The reader may be slow.
    COMMY_RETURN_IF_ERROR(out.Flush());
    Signals::Hold();
    if (Interrupted()) {
      return watcher.Interrupted();
    }
  }
  return Exit::kDone;
}

absl::StatusOr<Exit> RunLive(const TopArguments& arguments, Signals& signals) {
  COMMY_ASSIGN_OR_RETURN(Watcher watcher, Watcher::Open(arguments.store));
  Screen screen;
  for (std::uint64_t shown = 0; arguments.count == 0 || shown < arguments.count; ++shown) {
    COMMY_ASSIGN_OR_RETURN(const Picture picture, watcher.Look());
    const absl::Time next = absl::Now() + arguments.interval;
    Signals::Event event = Signals::Event::kResize;
    while (event != Signals::Event::kTime) {
      COMMY_RETURN_IF_ERROR(screen.Show(ToScreen(picture, Screen::Size())));
      event = signals.Wait(next, /*keys=*/true);
      if (event == Signals::Event::kQuit) {
        return Exit::kDone;
      }
      if (event == Signals::Event::kEnd) {
        return watcher.Interrupted();
      }
      if (event == Signals::Event::kSuspend) {
        screen.Suspend();
      }
    }
  }
  return Exit::kDone;
}

bool CanDraw(const Output& out) {
  const char* const terminal = std::getenv("TERM");
  return out.is_terminal() && terminal != nullptr && std::string_view(terminal) != "dumb";
}

absl::StatusOr<Exit> RunTop(const TopArguments& arguments, Output& out) {
  // The signal is delivered when `signals` is destroyed, so that the process ends by it.
  CatchInterrupts();
  Signals signals;
  return !arguments.json && CanDraw(out) ? RunLive(arguments, signals)
                                         : RunPlain(arguments, signals, out);
}

}  // namespace

void AddTopCommand(CLI::App& app, Action& action) {
  CLI::App& command = *app.add_subcommand(
      "top",
      "Show what each participant does, live; q quits. Not on a terminal: one picture.\n"
      "OPS/S: changes begun by a participant (reads are not counted); CHANGE/S: keys that a "
      "namespace gained or lost; PINNED: how long a participant has held back the reuse of "
      "memory");
  auto arguments = std::make_shared<TopArguments>();
  AddStore(command, arguments->store);
  AddDuration(command, "--interval", arguments->interval, "Time between two looks (1s)",
              absl::Hours(24));
  AddLimited(command, "--count", arguments->count, 1, UINT64_MAX,
             "End after this many pictures (unless given: 1, or without end on a terminal)");
  AddJson(command, arguments->json);
  SetExamples(command, {"commy top fleet.commy", "commy top fleet.commy --interval 5s | mail ops",
                        "commy top fleet.commy --json --count 10"});
  SetAction(command, arguments, action, RunTop);
}

}  // namespace commy::tools
