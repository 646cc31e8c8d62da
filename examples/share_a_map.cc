// Two programs that share a map: a tracker writes the positions of vehicles, a board reads them.
// Neither waits for the other. `share_a_map STORE tracker` and `share_a_map STORE board` are the
// two; without a role the program starts both.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>

#include <sys/wait.h>
#include <unistd.h>

#include <commy/commy.h>

namespace {

struct Position {  // Plain bytes: the same on both sides.
  double latitude;
  double longitude;
};

constexpr int kVehicles = 100;

absl::StatusOr<commy::Namespace> OpenPositions(const char* path) {
  const auto store = commy::Store::Open(path);
  if (!store.ok()) return store.status();
  return store->OpenNamespace("fleet/positions");  // Keeps the store open.
}

absl::Status Track(const char* path) {
  const auto positions = OpenPositions(path);
  if (!positions.ok()) return positions.status();
  for (int i = 0; i < kVehicles; ++i) {
    const Position at{48.0 + i, 11.0 + i};
    const std::string_view bytes(reinterpret_cast<const char*>(&at), sizeof(at));
    auto done = positions->Put("vehicle-" + std::to_string(i), bytes);
    if (!done.ok()) return done;
  }
  return absl::OkStatus();
}

absl::Status Show(const char* path) {
  const auto positions = OpenPositions(path);
  if (!positions.ok()) return positions.status();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (int i = 0; i < kVehicles;) {
    Position at{};
    // The value is read in place. It stays whole even if the tracker replaces it meanwhile.
    auto found = positions->ReadWith("vehicle-" + std::to_string(i), [&](std::string_view value) {
      std::memcpy(&at, value.data(), std::min(value.size(), sizeof(at)));
    });
    if (found.ok()) {
      if (at.longitude != 11.0 + i) return absl::DataLossError("a wrong position");
      ++i;
    } else if (!absl::IsNotFound(found) || std::chrono::steady_clock::now() > deadline) {
      return found;  // NotFound until the tracker has written it.
    }
  }
  std::cout << "the board has shown " << kVehicles << " vehicles\n";
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const char* const path = argc > 1 ? argv[1] : "fleet.commy";
  if (argc > 2) {
    const auto done = std::string_view(argv[2]) == "tracker" ? Track(path) : Show(path);
    if (!done.ok()) std::cerr << done << "\n";
    return done.ok() ? 0 : 1;
  }
  for (const char* const role : {"board", "tracker"}) {
    if (fork() == 0) return execl("/proc/self/exe", argv[0], path, role, nullptr);
  }
  int failed = 0;
  for (int status = 0; wait(&status) > 0;) failed |= status;
  return failed == 0 ? 0 : 1;
}
