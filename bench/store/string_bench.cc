// How fast does a text in the file grow by short pieces?
//
// Fixed     a million appends of 16 bytes; each round in fresh files under TMPDIR; one process.
// Varies    the text: a SharedString, its edit; Boost.Interprocess's string in a
//           managed_mapped_file, behind an interprocess_mutex that is held for each call.
// Prints    nanoseconds an append: median, min and max over the rounds, and the median over that of
//           SharedString. The rows take turns in each round.
// Verifies  the length of the text.
// Not here  several processes; searching.
//
// Usage: string_bench [--smoke] [--rounds N]
#include <cstdint>
#include <string>
#include <string_view>

#include <unistd.h>

#ifdef COMMY_BENCH_BOOST
#include <boost/interprocess/containers/string.hpp>
#include <boost/interprocess/managed_mapped_file.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#endif

#include "support/rounds.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

constexpr char kAppend[] = "append 16 bytes";
constexpr std::string_view kPiece = "sixteen letters\n";
static_assert(kPiece.size() == 16);

void MustHave(std::uint64_t size, std::uint64_t appends) {
  if (size != appends * kPiece.size()) {
    Die("text", "has another length than was appended");
  }
}

void PlayCommy(const std::string& path, std::uint64_t appends, Rounds& rounds) {
  {
    const Store store = Must("open", Store::Open(path));
    const SharedString text = Must("string", store.OpenShared<SharedString>("text"));
    rounds.Add(kAppend, "SharedString::Append", NsEach(appends, [&] {
                 for (std::uint64_t i = 0; i < appends; ++i) {
                   Must("append", text.Append(kPiece));
                 }
               }));
    MustHave(Must("size", text.ByteCount()), appends);
    const SharedString edited = Must("string", store.OpenShared<SharedString>("edited"));
    rounds.Add(kAppend, "SharedString::Edit, with Publish", NsEach(appends, [&] {
                 StringEdit edit = Must("edit", edited.Edit());
                 for (std::uint64_t i = 0; i < appends; ++i) {
                   Must("append", edit.Append(kPiece));
                 }
                 Must("publish", edit.Publish());
               }));
    MustHave(Must("size", edited.ByteCount()), appends);
  }
  ::unlink(path.c_str());
}

#ifdef COMMY_BENCH_BOOST
void PlayBoost(const std::string& path, std::uint64_t appends, Rounds& rounds) {
  namespace bip = boost::interprocess;
  using Allocator = bip::allocator<char, bip::managed_mapped_file::segment_manager>;
  using Text = bip::basic_string<char, std::char_traits<char>, Allocator>;
  {
    bip::managed_mapped_file file(bip::create_only, path.c_str(),
                                  8 * appends * kPiece.size() + (1U << 20U));
    Text& text = *file.construct<Text>("text")(file.get_segment_manager());
    auto& mutex = *file.construct<bip::interprocess_mutex>("mutex")();
    rounds.Add(kAppend, "Boost", NsEach(appends, [&] {
                 for (std::uint64_t i = 0; i < appends; ++i) {
                   const bip::scoped_lock<bip::interprocess_mutex> lock(mutex);
                   text.append(kPiece.data(), kPiece.size());
                 }
               }));
    MustHave(text.size(), appends);
  }
  ::unlink(path.c_str());
}
#endif

void Run(const Arguments& arguments) {
  const ScratchDir dir;
  const std::uint64_t appends = arguments.smoke ? 5'000 : 1'000'000;
  Rounds rounds("ns");
  for (std::uint64_t round = 0; round < arguments.rounds; ++round) {
    PlayCommy(dir.File("store"), appends, rounds);
#ifdef COMMY_BENCH_BOOST
    PlayBoost(dir.File("boost"), appends, rounds);
#endif
  }
  rounds.Print();
}

}  // namespace
}  // namespace commy::bench

// An exception of Boost's ends it.
int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape)
  commy::bench::Run(commy::bench::Arguments::Parse(argc, argv));
  return 0;
}
