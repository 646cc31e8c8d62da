// The other one: has the types in other namespaces of its own, finds what the first and the shell
// have written, and adds to it.
#include <array>
#include <cstdint>
#include <iostream>
#include <string>
#include <tuple>

#include <commy/commy.h>

namespace other {

struct Point {
  double x = 0;
  double y = 0;
};
COMMY_STRUCT(Point, "acme.Position", x, y);

struct Settings {
  std::string name;
  std::uint16_t port = 0;
};
COMMY_STRUCT(Settings, "acme.Config", name, port);

struct alignas(64) Frame {
  std::uint8_t kind = 0;
  std::uint32_t size = 0;
};
COMMY_STRUCT(Frame, "acme.Frame", kind, size);

}  // namespace other

namespace acme {
enum class Mode : std::uint8_t { kOff, kOn };
}

#define EXPECT(condition)                                     \
  if (!(condition)) {                                         \
    std::cerr << "line " << __LINE__ << ": " #condition "\n"; \
    return 1;                                                 \
  }

int main(int /*argc*/, char** argv) {
  using namespace commy;
  const auto store = Store::Open(argv[1]);
  EXPECT(store.ok());
  const auto positions = store->OpenShared<SharedHashMap<std::uint64_t, other::Point>>("hash");
  EXPECT(positions.ok());
  EXPECT(positions->Get(7)->x == 1.5 && positions->GetView(7)->in_place());
  EXPECT(positions->Get(8)->y == 9);  // The shell's.
  const auto board =
      store->OpenShared<SharedBTreeMap<std::tuple<std::int64_t, std::string>, std::string>>("tree");
  EXPECT(board.ok());
  EXPECT(std::get<1>(board->First()->first) == "ann");
  EXPECT(*board->Get({31, "eve"}) == "platinum");  // The shell's.
  const auto modes = store->OpenShared<SharedHashMap<std::string, acme::Mode>>("modes");
  EXPECT(modes.ok() && *modes->Get("lamp") == acme::Mode::kOn);
  const auto frames = store->OpenShared<SharedBTreeMap<std::int32_t, other::Frame>>("frames");
  EXPECT(frames.ok());
  const auto frame = frames->GetView(-1);
  EXPECT(frame.ok() && frame->in_place() && (*frame)->size == 400 && (*frame)->kind == 3);
  const auto names = store->OpenShared<SharedHashSet<std::string>>("names");
  EXPECT(names.ok() && *names->Contains("one") && *names->Contains("two"));
  const auto numbers = store->OpenShared<SharedBTreeSet<double>>("numbers");
  EXPECT(numbers.ok() && *numbers->First() == -0.5);
  const auto config = store->OpenShared<SharedBox<other::Settings>>("config");
  EXPECT(config.ok() && config->Load()->port == 8080 && config->Load()->name == "shell");
  const auto hits = store->OpenShared<SharedCounter>("hits");
  EXPECT(hits.ok() && *hits->Value() == 42);  // One is the shell's.
  EXPECT(hits->Add(8).ok());
  EXPECT(config->Store({"reader", 81}).ok());
  const auto as_numbers = store->OpenShared<SharedHashMap<std::uint64_t, std::uint64_t>>("hash");
  EXPECT(as_numbers.status().message().find("acme.Position") != std::string_view::npos);
  std::cout << "all there\n";
}
