// A configuration that several programs share as a struct. Each program has the struct in its own
// source; the names in COMMY_STRUCT are what they agree on. Here an older program, whose struct has
// a field less, runs beside a newer one.
#include <cstdint>
#include <iostream>

#include <commy/commy.h>

namespace older {
struct Config {
  double limit = 1;
  std::uint32_t workers = 1;
  std::uint32_t retries = 3;
};
COMMY_STRUCT(Config, "acme.Config", limit, workers, retries);
}  // namespace older

namespace newer {
struct Config {
  double limit = 1;
  std::uint32_t workers = 1;
  std::uint32_t retries = 3;
  double timeout = 30;  // New: values that older programs wrote have 30.
};
COMMY_STRUCT(Config, "acme.Config", limit, workers, retries, timeout);
}  // namespace newer

int main(int argc, char** argv) {
  const char* const path = argc > 1 ? argv[1] : "shared_config.commy";
  const auto store = commy::Store::Open(path);
  if (!store.ok()) return std::cerr << store.status() << "\n", 1;
  (void)store->DropNamespace("acme/config");  // Of an earlier run.

  const auto old_box = store->OpenShared<commy::SharedBox<older::Config>>("acme/config");
  if (!old_box.ok()) return std::cerr << old_box.status() << "\n", 1;
  if (auto done = old_box->Store({.limit = 2.5, .workers = 8}); !done.ok())
    return std::cerr << done << "\n", 1;

  // From here on the store says that there is a timeout. The older program goes on.
  const auto new_box = store->OpenShared<commy::SharedBox<newer::Config>>("acme/config");
  if (!new_box.ok()) return std::cerr << new_box.status() << "\n", 1;
  const auto seen = new_box->Load();
  if (!seen.ok()) return std::cerr << seen.status() << "\n", 1;
  std::cout << "limit " << seen->limit << ", workers " << seen->workers << ", timeout "
            << seen->timeout << "\n";

  // But it cannot be started anew: its writes would drop the timeout.
  const auto again = store->OpenShared<commy::SharedBox<older::Config>>("acme/config");
  std::cout << again.status() << "\n";
  return seen->timeout == 30 && seen->workers == 8 && !again.ok() ? 0 : 1;
}
