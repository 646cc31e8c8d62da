// Permits that processes share: at most so many at once do something.
//
//   absl::StatusOr<commy::Semaphore> slots = commy::Semaphore::Open(*store, "gpu/slots", 4);
//   absl::StatusOr<commy::Permits> slot = slots->Acquire(1, absl::Seconds(30));
//   if (slot.ok()) Work();  // ~Permits gives it back.
//
// Permits are held until they are released, or their process dies or closes the store; a process
// that is stopped keeps what it holds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "commy/export.h"
#include "commy/internal/holder_id.h"
#include "commy/shared_options.h"
#include "commy/store.h"

namespace commy {

// Permits of a Semaphore, held. Move-only. All methods may be called from any thread, but
// Release(), moves and the destructor from one at a time. Keeps the store open.
class COMMY_EXPORT Permits {
 public:
  Permits(Permits&& other) noexcept;
  Permits& operator=(Permits&& other) noexcept;
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;
  // Gives them back. If the store has no room for that, they come back with the next call that this
  // process makes of the semaphore, or when it ends. Does nothing in a child after fork().
  ~Permits();

  // How many they are; 0: released or moved from.
  [[nodiscard]] std::uint64_t count() const { return ns_.has_value() ? count_ : 0; }
  // Gives all of them back, and so to those that wait. FailedPrecondition: they are not held any
  // more, or the store was closed. ResourceExhausted: no room in the store; they are still held,
  // and the call may be made again. Cost: a read and a put.
  absl::Status Release();

 private:
  friend class Semaphore;
  Permits(Namespace ns, internal::HolderId id, std::uint64_t count);
  void End();

  std::optional<Namespace> ns_;  // None: moved from, or released.
  internal::HolderId id_;
  std::uint64_t count_ = 0;
};

// Cheap to copy; every method is safe from any thread; keeps the store open.
//
// ORDER     First come, first served: those that wait stand in a queue in the file, and a later one
//           for few permits does not pass an earlier one for many. TryAcquire() passes none either.
//           Permits that become free are given to the queue by the call that frees them, so a
//           process that is stopped while it waits holds up nobody; but it may be given permits.
// DEATH     What a dead process held comes back, and its places in the queue go, with the next call
//           that finds too few permits; one that waits already notices within a second.
// COST      Each call reads and puts a record of 20 bytes, and 32 for each hold and each place in
//           the queue. If there are too few permits, it also asks the system about each process
//           that holds some. A waiter looks again at each change, and each second.
// ERRORS    as of Namespace, and NotFound: there is no number of permits yet; DataLoss: a program
//           wrote other bytes there. After an error nothing has changed, and nothing waits.
class COMMY_EXPORT Semaphore {
 public:
  // What the store says of its type.
  static constexpr std::string_view kDescriptor = "semaphore";
  static constexpr std::uint64_t kPermitsMax = std::uint64_t{1} << 40;

  // Opens the semaphore at `path`, and creates it with `permits`, 1 to kPermitsMax, if there is
  // none. InvalidArgument: it has another number, and the text has both; or the number is out of
  // its range.
  static absl::StatusOr<Semaphore> Open(const Store& store, std::string_view path,
                                        std::uint64_t permits,
                                        const SharedOptions& options = SharedOptions());
  // Opens one that is there, whatever its number; Store::OpenShared() calls this. Creates nothing.
  // NotFound: there is no namespace at the path, or it has no number yet.
  static absl::StatusOr<Semaphore> Open(const Store& store, std::string_view path,
                                        const SharedOptions& options);

  // Acquires `n` permits at one moment, and waits for them up to `timeout`: zero or negative, then
  // it tries once; infinite, then for as long as it takes. The thread sleeps meanwhile.
  // DeadlineExceeded: the text says how many are held, and how many wait. InvalidArgument: `n` is
  // zero, or more than there are altogether (also if SetPermits() makes it so during the wait).
  absl::StatusOr<Permits> Acquire(std::uint64_t n = 1,
                                  absl::Duration timeout = absl::InfiniteDuration()) const;
  // Acquires `n` permits if they are free and nobody waits. nullopt: they are not.
  absl::StatusOr<std::optional<Permits>> TryAcquire(std::uint64_t n = 1) const;
  // Returns how many permits are free now. Cost: a read, and some system calls for each process
  // that holds some.
  [[nodiscard]] absl::StatusOr<std::uint64_t> Available() const;
  // Sets how many there are, 1 to kPermitsMax. If more than that are held, they stay held, and none
  // is given out until fewer are. From then on Open() takes this number only.
  absl::Status SetPermits(std::uint64_t permits) const;

  [[nodiscard]] const std::string& path() const { return ns_.path(); }
  // The namespace that holds the semaphore; its record is under the empty key.
  [[nodiscard]] const Namespace& ns() const { return ns_; }

 private:
  explicit Semaphore(Namespace ns) : ns_(std::move(ns)) {}
  Namespace ns_;
};

}  // namespace commy
