// How fast is a vector in the file: filled in bulk, walked over, grown by single elements, and read
// and changed at random places?
//
// Fixed     ten million doubles (80 MB) in bulk, a million one at a time; each round in fresh files
//           under TMPDIR; one process.
// Varies    the vector: a SharedVec; for pushes also its edit; Boost.Interprocess's vector in a
//           managed_mapped_file, behind an interprocess_mutex that is held for each call. The reads
//           and changes at random places are of a vector that was filled in bulk, and of one that
//           was pushed one at a time.
// Compares  filling with a memcpy of the same bytes into a fresh file that was made as long
//           (ftruncate, mmap); walking with a walk over a std::vector.
// Prints    nanoseconds an element: median, min and max over the rounds, and the median over that
//           of the first row. The rows take turns in each round.
// Verifies  the sums of what was read.
// Not here  several processes; elements of other sizes.
//
// Usage: sequence_bench [--smoke] [--rounds N]
#include <array>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef COMMY_BENCH_BOOST
#include <boost/interprocess/containers/vector.hpp>
#include <boost/interprocess/managed_mapped_file.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#endif

#include "support/rounds.h"
#include <commy/commy.h>

namespace commy::bench {
namespace {

constexpr char kFill[] = "fill in bulk";
constexpr char kWalk[] = "walk over all";
constexpr char kPush[] = "push one at a time";
constexpr char kReadBulk[] = "read at random, filled in bulk";
constexpr char kReadPushed[] = "read at random, pushed";
constexpr char kSetBulk[] = "change at random, filled in bulk";
constexpr char kSetPushed[] = "change at random, pushed";

struct Work {
  std::vector<double> values;         // For bulk.
  double sum = 0;                     // Of them.
  std::uint64_t pushes = 0;           // 0, 1, 2, …
  std::vector<std::uint64_t> places;  // Random, below `pushes`.
};

Work MakeWork(bool smoke) {
  Work work;
  work.values.resize(smoke ? 20'000 : 10'000'000);
  work.pushes = smoke ? 5'000 : 1'000'000;
  double value = 0;
  for (double& each : work.values) {
    each = value++;
    work.sum += each;
  }
  std::mt19937_64 random(7);  // NOLINT(cert-msc51-cpp): the same places each time.
  work.places.resize(smoke ? 1'000 : 200'000);
  for (std::uint64_t& place : work.places) {
    place = random() % work.pushes;
  }
  return work;
}

void MustBe(double sum, double wanted) {
  if (sum != wanted) {
    Die("sum", "is not that of the elements");
  }
}

// --- The bounds ----------------------------------------------------------------------------------

void FillPlain(const std::string& path, const Work& work, Rounds& rounds) {
  const std::size_t bytes = work.values.size() * sizeof(double);
  void* memory = nullptr;
  rounds.Add(kFill, "memcpy into a fresh mapped file", NsEach(work.values.size(), [&] {
               const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
               if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
                 Die(path, "cannot be made");
               }
               memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
               if (memory == MAP_FAILED) {
                 Die(path, "cannot be mapped");
               }
               std::memcpy(memory, work.values.data(), bytes);
               ::close(fd);
             }));
  ::munmap(memory, bytes);
  ::unlink(path.c_str());
}

// In eight chains of additions, so that memory is what it waits for.
double SumOf(std::span<const double> values) {
  constexpr std::size_t kChains = 8;
  std::array<double, kChains> sums{};
  std::size_t i = 0;
  for (; i + kChains <= values.size(); i += kChains) {
    for (std::size_t chain = 0; chain < kChains; ++chain) {
      sums[chain] += values[i + chain];
    }
  }
  for (; i < values.size(); ++i) {
    sums[0] += values[i];
  }
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

void WalkPlain(const Work& work, Rounds& rounds) {
  double sum = 0;
  rounds.Add(kWalk, "std::vector", NsEach(work.values.size(), [&] { sum = SumOf(work.values); }));
  MustBe(sum, work.sum);
}

// --- Commy ---------------------------------------------------------------------------------------

using Vec = SharedVec<double>;

void ReadAndSet(const Vec& vec, const Work& work, const char* read, const char* set,
                Rounds& rounds) {
  double sum = 0;
  double wanted = 0;
  for (const std::uint64_t place : work.places) {
    wanted += static_cast<double>(place);
  }
  rounds.Add(read, "SharedVec", NsEach(work.places.size(), [&] {
               for (const std::uint64_t place : work.places) {
                 sum += Must("at", vec.At(place));
               }
             }));
  MustBe(sum, wanted);
  // Each of them replaces a leaf: fewer are enough.
  const std::size_t count = work.places.size() / 10;
  rounds.Add(set, "SharedVec", NsEach(count, [&] {
               for (std::size_t i = 0; i < count; ++i) {
                 Must("set", vec.Set(work.places[i], 1));
               }
             }));
}

void PlayCommy(const std::string& path, const Work& work, Rounds& rounds) {
  const Store store = Must("open", Store::Open(path));
  const Vec bulk = Must("vec", store.OpenShared<Vec>("bulk"));
  rounds.Add(kFill, "SharedVec::Append", NsEach(work.values.size(), [&] {
               Must("append", bulk.Append(std::span<const double>(work.values)));
             }));
  double sum = 0;
  rounds.Add(kWalk, "SharedVec::ForEachPiece", NsEach(work.values.size(), [&] {
               Must("walk", bulk.ForEachPiece(
                                [&sum](std::span<const double> piece) { sum += SumOf(piece); }));
             }));
  MustBe(sum, work.sum);
  const Vec pushed = Must("vec", store.OpenShared<Vec>("pushed"));
  rounds.Add(kPush, "SharedVec::PushBack", NsEach(work.pushes, [&] {
               for (std::uint64_t i = 0; i < work.pushes; ++i) {
                 Must("push", pushed.PushBack(static_cast<double>(i)));
               }
             }));
  const Vec edited = Must("vec", store.OpenShared<Vec>("edited"));
  rounds.Add(kPush, "SharedVec::Edit, with Publish", NsEach(work.pushes, [&] {
               // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks): the edit owns it.
               VecEdit<double> edit = Must("edit", edited.Edit());
               for (std::uint64_t i = 0; i < work.pushes; ++i) {
                 Must("push", edit.PushBack(static_cast<double>(i)));
               }
               Must("publish", edit.Publish());
             }));
  ReadAndSet(bulk, work, kReadBulk, kSetBulk, rounds);
  ReadAndSet(pushed, work, kReadPushed, kSetPushed, rounds);
}

// --- Boost ---------------------------------------------------------------------------------------

#ifdef COMMY_BENCH_BOOST
namespace bip = boost::interprocess;

class BoostVec {
 public:
  using Vector =
      bip::vector<double, bip::allocator<double, bip::managed_mapped_file::segment_manager>>;
  using Lock = bip::scoped_lock<bip::interprocess_mutex>;

  BoostVec(bip::managed_mapped_file& file, const std::string& name)
      : vector_(*file.construct<Vector>(name.c_str())(file.get_segment_manager())),
        mutex_(*file.construct<bip::interprocess_mutex>((name + ".mutex").c_str())()) {}

  void Fill(const std::vector<double>& values) {
    const Lock lock(mutex_);
    vector_.reserve(values.size());
    vector_.insert(vector_.end(), values.begin(), values.end());
  }
  void PushBack(double value) {
    const Lock lock(mutex_);
    vector_.push_back(value);
  }
  double At(std::uint64_t place) {
    const Lock lock(mutex_);
    return vector_.at(place);
  }
  void Set(std::uint64_t place, double value) {
    const Lock lock(mutex_);
    vector_.at(place) = value;
  }
  double Sum() {
    const Lock lock(mutex_);
    return SumOf({vector_.data(), vector_.size()});
  }

 private:
  Vector& vector_;
  bip::interprocess_mutex& mutex_;
};

void ReadAndSet(BoostVec& vec, const Work& work, const char* read, const char* set,
                Rounds& rounds) {
  double sum = 0;
  rounds.Add(read, "Boost", NsEach(work.places.size(), [&] {
               for (const std::uint64_t place : work.places) {
                 sum += vec.At(place);
               }
             }));
  Keep(sum);
  rounds.Add(set, "Boost", NsEach(work.places.size(), [&] {
               for (const std::uint64_t place : work.places) {
                 vec.Set(place, 1);
               }
             }));
}

void PlayBoost(const std::string& path, const Work& work, Rounds& rounds) {
  {
    const std::size_t room = work.values.size() * sizeof(double);
    bip::managed_mapped_file file(bip::create_only, path.c_str(), 2 * room + (1U << 20U));
    BoostVec bulk(file, "bulk");
    rounds.Add(kFill, "Boost: reserve, insert",
               NsEach(work.values.size(), [&] { bulk.Fill(work.values); }));
    double sum = 0;
    rounds.Add(kWalk, "Boost", NsEach(work.values.size(), [&] { sum = bulk.Sum(); }));
    MustBe(sum, work.sum);
    BoostVec pushed(file, "pushed");
    rounds.Add(kPush, "Boost", NsEach(work.pushes, [&] {
                 for (std::uint64_t i = 0; i < work.pushes; ++i) {
                   pushed.PushBack(static_cast<double>(i));
                 }
               }));
    ReadAndSet(bulk, work, kReadBulk, kSetBulk, rounds);
    ReadAndSet(pushed, work, kReadPushed, kSetPushed, rounds);
  }
  ::unlink(path.c_str());
}
#endif

void Run(const Arguments& arguments) {
  const Work work = MakeWork(arguments.smoke);
  const ScratchDir dir;
  Rounds rounds("ns");
  for (std::uint64_t round = 0; round < arguments.rounds; ++round) {
    FillPlain(dir.File("plain"), work, rounds);
    WalkPlain(work, rounds);
    const std::string path = dir.File("store" + std::to_string(round));
    PlayCommy(path, work, rounds);
    ::unlink(path.c_str());
#ifdef COMMY_BENCH_BOOST
    PlayBoost(dir.File("boost"), work, rounds);
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
