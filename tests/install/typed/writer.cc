// The one of two programs that are built apart, and share containers by name: makes them.
#include <cstdint>
#include <iostream>
#include <string>
#include <tuple>

#include <commy/commy.h>

namespace acme {

struct Position {
  double x = 0;
  double y = 0;
};
COMMY_STRUCT(Position, "acme.Position", x, y);

enum class Mode : std::uint8_t { kOff, kOn };

struct Config {
  std::string name;
  std::uint16_t port = 0;
};
COMMY_STRUCT(Config, "acme.Config", name, port);

struct alignas(64) Frame {
  std::uint8_t kind = 0;
  std::uint32_t size = 0;
};
COMMY_STRUCT(Frame, "acme.Frame", kind, size);

}  // namespace acme

int main(int /*argc*/, char** argv) {
  using namespace commy;
  const auto store = Store::Open(argv[1]);
  if (!store.ok()) return std::cerr << store.status() << "\n", 1;
  const auto positions = store->OpenShared<SharedHashMap<std::uint64_t, acme::Position>>("hash");
  const auto board =
      store->OpenShared<SharedBTreeMap<std::tuple<std::int64_t, std::string>, std::string>>("tree");
  const auto modes = store->OpenShared<SharedHashMap<std::string, acme::Mode>>("modes");
  const auto frames = store->OpenShared<SharedBTreeMap<std::int32_t, acme::Frame>>("frames");
  const auto names = store->OpenShared<SharedHashSet<std::string>>("names");
  const auto numbers = store->OpenShared<SharedBTreeSet<double>>("numbers");
  const auto config = store->OpenShared<SharedBox<acme::Config>>("config");
  const auto hits = store->OpenShared<SharedCounter>("hits");
  absl::Status all = positions.status();
  for (const auto& each : {board.status(), modes.status(), frames.status(), names.status(),
                           numbers.status(), config.status(), hits.status()}) {
    all.Update(each);
  }
  if (!all.ok()) return std::cerr << all << "\n", 1;
  all.Update(positions->Put(7, {1.5, -2}));
  all.Update(board->Put({30, "bob"}, "gold"));
  all.Update(board->Put({-5, "ann"}, "none"));
  all.Update(modes->Put("lamp", acme::Mode::kOn));
  all.Update(frames->Put(-1, {3, 400}));
  all.Update(names->Insert("one").status());
  all.Update(numbers->Insert(-0.5).status());
  all.Update(config->Store({"main", 8080}));
  all.Update(hits->Add(41));
  if (!all.ok()) return std::cerr << all << "\n", 1;
}
