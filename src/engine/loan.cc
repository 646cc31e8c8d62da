#include "engine/loan.h"

#include "base/check.h"
#include "base/status.h"
#include "engine/access.h"
#include "engine/room.h"

namespace commy::engine {

using base::Outcome;
using base::Result;
using process::BlockNote;
using process::Lane;
using process::Operation;
using process::OpKind;
using region::BlockKind;

absl::StatusOr<std::unique_ptr<HeldLoan>> HeldLoan::Take(const Engine& engine,
                                                         const NamespaceKey& key,
                                                         std::string_view name,
                                                         std::uint64_t value_size) {
  if (engine.session.read_only()) {
    return base::FailedPrecondition(engine.path, ": the store was opened read-only");
  }
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine.session.ClaimLoanLane());
  std::unique_ptr<HeldLoan> loan(new HeldLoan(engine, key, *lane));
  const Result taken = WithRoom(engine, alloc::Purpose::kOrdinary,
                                [&] { return loan->TryReserve(name, value_size); });
  COMMY_RETURN_IF_ERROR(ToStatus(engine, key, taken));
  return loan;
}

Result HeldLoan::TryReserve(std::string_view name, std::uint64_t value_size) {
  Operation op(lane_, OpKind::kAllocate, key_.object);
  if (!op.entered()) {
    return op.status();
  }
  NamespaceRef ns;
  COMMY_TRY(FindNamespace(engine_, key_, &ns));
  COMMY_ASSIGN_OR_RETURN(reservation_, engine_.map.writer().Reserve(op, ns, name, value_size));
  pin_ = lane_.TakeViewPin(lane_);
  COMMY_DCHECK(pin_ >= 0);  // The lane is this loan's alone.
  // The allocator may have noted more than the block on its way, and has dropped that again.
  COMMY_DCHECK(op.notes_used() == 1 && versions::IsNoted(op, reservation_.offset));
  op.KeepNotes();
  return Outcome::kDone;
}

Result HeldLoan::TryPublish(std::int64_t expiry_ns) {
  Operation op(lane_, OpKind::kWrite, key_.object);
  if (!op.entered()) {
    return op.status();
  }
  op.AddNote(BlockNote(BlockKind::kRecord, reservation_.offset));  // The very one that stands.
  NamespaceRef ns;
  Result published = FindNamespace(engine_, key_, &ns);
  if (published.done()) {
    published = engine_.map.writer().Publish(op, ns, reservation_, expiry_ns);
  }
  published_ = published.done();
  if (!published_) {
    op.KeepNotes();
  }
  return published;
}

absl::Status HeldLoan::Publish(std::int64_t expiry_ns) {
  COMMY_DCHECK(!published_);
  return ToStatus(engine_, key_, WithRoom(engine_, alloc::Purpose::kOrdinary, [&] {
                    return TryPublish(expiry_ns);
                  }));
}

void HeldLoan::GiveBlockBack() {
  Operation op(lane_, OpKind::kAllocate, key_.object);
  if (!lane_.active()) {
    return;  // The store was closed: it cannot be touched.
  }
  op.AddNote(BlockNote(BlockKind::kRecord, reservation_.offset));
  // Not entered: the store cannot be marked as in use, for an error of the disk. Then the block
  // leaks; its note must not stand without the pin.
  if (op.entered()) {
    engine_.allocator.Retire(op, reservation_.offset);
  }
}

HeldLoan::~HeldLoan() {
  if (!engine_.session.SameProcess()) {
    return;
  }
  if (reservation_.offset != 0 && !published_) {
    GiveBlockBack();
  }
  if (pin_ >= 0) {
    lane_.ReleaseViewPin(pin_);
  }
  engine_.session.ReturnLoanLane(&lane_);
}

}  // namespace commy::engine
