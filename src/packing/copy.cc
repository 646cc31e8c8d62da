#include "packing/copy.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "engine/access.h"
#include "engine/lifecycle.h"
#include "engine/open_store.h"
#include "engine/quotas.h"
#include "packing/pace.h"
#include "process/owner.h"
#include "process/participants.h"
#include "region/clean_word.h"
#include "transactions/recover.h"
#include "versions/commit_clock.h"

namespace commy::packing {
namespace {

using engine::NamespaceKey;
using engine::NamespaceRef;
using process::Lane;
using process::Operation;
using process::OpKind;
using process::Pin;
using region::BlockKind;
using region::RegionHeader;

// A namespace of the source, as the catalog was read.
struct Item {
  std::string path;
  NamespaceKey key;
  std::uint64_t order = 0;
  std::uint64_t root_commit = 0;
  std::uint64_t default_ttl_ns = 0;
  std::uint64_t quota_bytes = 0;
  std::uint64_t value_align = 0;
  std::string type;
  std::optional<std::uint64_t> sum;
  std::uint64_t keys = 0;  // About.
};

class Copy {
 public:
  Copy(const engine::Engine& source, const versions::AsOf& as_of, int fd, const std::string& path,
       const CopyOptions& options)
      : source_(source), as_of_(as_of), fd_(fd), path_(path), options_(options) {}
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() {
    if (target_ != nullptr) {
      // It failed, and its file goes. As if it were clean, it is not written to disk before that.
      target_->engine().region.header().clean_word.store(0, std::memory_order_relaxed);
    }
  }

  absl::StatusOr<CopyReport> Run() {
    COMMY_RETURN_IF_ERROR(ReadCatalog());
    COMMY_RETURN_IF_ERROR(OpenTarget());
    Pace pace(source_.session.platform(), options_.bytes_per_second, options_.progress, total_);
    for (const Item& item : items_) {
      COMMY_RETURN_IF_ERROR(CopyNamespace(item, pace));
    }
    COMMY_RETURN_IF_ERROR(pace.Finish(report_.keys));
    COMMY_RETURN_IF_ERROR(FinishTarget());
    return report_;
  }

 private:
  absl::Status ReadCatalog();
  // Nothing, if the namespace is being dropped, or is newer than the moment to copy.
  absl::StatusOr<std::optional<Item>> Describe(std::string_view path, std::uint64_t object) const;
  absl::Status OpenTarget();
  [[nodiscard]] region::CreateOptions TargetOptions() const;
  // What a fresh file does not know yet, before the first participant attaches.
  void FillHeader(region::Region& region) const;

  absl::Status CopyNamespace(const Item& item, Pace& pace);
  absl::Status CopyStep(const Item& item, namespaces::Loader& loader, index::ScanCursor* cursor,
                        bool* more) const;
  absl::Status Publish(const Item& item, namespaces::Loader& loader) const;
  absl::Status FinishTarget();

  const engine::Engine& source_;
  const versions::AsOf as_of_;
  const int fd_;
  const std::string& path_;
  const CopyOptions& options_;
  std::vector<Item> items_;
  std::uint64_t total_ = 0;
  std::uint64_t last_namespace_id_ = 0;
  std::shared_ptr<engine::OpenStore> target_;
  CopyReport report_;
};

// --- The source ----------------------------------------------------------------------------------

absl::Status Copy::ReadCatalog() {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, source_.session.ThisLane());
  const Pin pin(*lane);
  if (!pin.entered()) {
    return engine::NotEntered(source_);
  }
  absl::Status failed;
  COMMY_RETURN_IF_ERROR(
      source_.catalog.ForEach("", [&](std::string_view path, std::uint64_t object) {
        absl::StatusOr<std::optional<Item>> item = Describe(path, object);
        failed = item.status();
        if (failed.ok() && item->has_value()) {
          total_ += (*item)->keys;
          items_.push_back(*std::move(*item));
        }
        return failed.ok();
      }));
  // Above all of them, whenever it is read afterwards.
  last_namespace_id_ = source_.region.header().next_namespace_id.load(std::memory_order_seq_cst);
  return failed;
}

absl::StatusOr<std::optional<Item>> Copy::Describe(std::string_view path,
                                                   std::uint64_t object) const {
  COMMY_ASSIGN_OR_RETURN(const NamespaceRef ns, engine::NamespaceAt(source_, object));
  index::IndexRoot* root = nullptr;
  const base::Result found = source_.map.roots().Then(ns, as_of_, &root);
  if (found.is(base::Outcome::kDropped) || (found.done() && root == nullptr)) {
    return std::nullopt;
  }
  COMMY_RETURN_IF_ERROR(found.status());
  Item item;
  item.path = std::string(path);
  item.key = {object, ns.id};
  item.order = ns.order;
  item.root_commit = root->commit.load(std::memory_order_relaxed);
  item.default_ttl_ns = ns.object->default_ttl_ns.load(std::memory_order_relaxed);
  item.quota_bytes = ns.object->quota_bytes.load(std::memory_order_relaxed);
  item.value_align = ns.object->value_align.load(std::memory_order_relaxed);
  std::uint64_t type_word = 0;
  COMMY_ASSIGN_OR_RETURN(item.type, source_.map.types().Read(ns, &type_word));
  std::uint64_t sum = 0;
  const base::Result summed = source_.map.sums().Value(ns, &sum);
  COMMY_RETURN_IF_ERROR(summed.status());
  if (summed.done()) {
    item.sum = sum;
  }
  index::Counts counts;
  const base::Result counted = source_.map.Count(ns, &counts);
  COMMY_RETURN_IF_ERROR(counted.status());
  item.keys = static_cast<std::uint64_t>(std::max<std::int64_t>(counts.keys, 0));
  if (counted.is(base::Outcome::kDropped) || summed.is(base::Outcome::kDropped)) {
    return std::nullopt;
  }
  return item;
}

// --- The target, before and after ----------------------------------------------------------------

region::CreateOptions Copy::TargetOptions() const {
  const region::Geometry& geometry = source_.region.geometry();
  const Limits& limits = options_.limits;
  region::CreateOptions create;
  create.max_size_bytes = limits.max_size_bytes.value_or(geometry.max_size_bytes);
  create.chunk_bytes = geometry.chunk_bytes;
  create.span_bytes = geometry.span_bytes;
  create.participant_count = limits.participant_count.value_or(geometry.participant_count);
  create.thread_count = limits.thread_count.value_or(geometry.thread_count);
  create.snapshot_count = limits.snapshot_count.value_or(geometry.snapshot_count);
  create.segment_buckets = geometry.segment_buckets;
  create.stale_after_ns = limits.stale_after_ns.value_or(geometry.stale_after_ns);
  create.operation_timeout_ns = limits.operation_timeout_ns.value_or(geometry.operation_timeout_ns);
  create.heartbeat_interval_ns =
      limits.heartbeat_interval_ns.value_or(geometry.heartbeat_interval_ns);
  create.hash_seed = geometry.hash_seed;
  return create;
}

void Copy::FillHeader(region::Region& region) const {
  const RegionHeader& from = source_.region.header();
  RegionHeader& to = region.header();
  const auto copy = [](const base::Shared64& word, base::Shared64& target) {
    target.store(word.load(std::memory_order_acquire), std::memory_order_relaxed);
  };
  to.next_namespace_id.store(last_namespace_id_, std::memory_order_relaxed);
  to.path_quotas.store(source_.region.header().path_quotas.load(std::memory_order_seq_cst),
                       std::memory_order_relaxed);
  // Store time goes on. (Read while others write, the words may contradict each other; then the
  // seal says so, as it does after a crash.)
  copy(from.clock_skew_ns, to.clock_skew_ns);
  copy(from.clock_seen_ns, to.clock_seen_ns);
  copy(from.clock_boot, to.clock_boot);
  copy(from.clock_base_ns, to.clock_base_ns);
  copy(from.clock_seal, to.clock_seal);
  // One generation for all: a later copy with more entries again must not begin them anew.
  std::uint64_t last = 0;
  for (std::uint32_t slot = 0; slot < source_.region.geometry().participant_count; ++slot) {
    last = std::max(last,
                    source_.region.participant(slot).state.load(std::memory_order_acquire) >> 8U);
  }
  process::ForEachOwner(source_.region, [&](std::uint64_t owner) {
    last = std::max(last, process::OwnerGeneration(owner));
  });
  for (std::uint32_t slot = 0; slot < region.geometry().participant_count; ++slot) {
    region.participant(slot).state.store(last << 8U, std::memory_order_relaxed);
  }
}

absl::Status Copy::OpenTarget() {
  COMMY_ASSIGN_OR_RETURN(
      std::unique_ptr<region::Region> region,
      region::Region::OpenNameless(source_.session.platform(), fd_, path_, TargetOptions()));
  FillHeader(*region);
  std::memcpy(report_.uuid_words, region->header().uuid, sizeof(report_.uuid_words));
  Options options;
  options.process_name = "copy";
  options.testing.background = false;  // One lane fills it.
  COMMY_ASSIGN_OR_RETURN(
      target_, engine::OpenStore::OpenIn(std::move(region), options, transactions::Hooks()));
  return absl::OkStatus();
}

absl::Status Copy::FinishTarget() {
  region::Region& region = target_->engine().region;
  RegionHeader& header = region.header();
  report_.commit_time = as_of_.is_now() ? versions::CommitTimeNow(source_.region) : as_of_.time;
  header.commit_clock.store(
      std::max(report_.commit_time, header.commit_clock.load(std::memory_order_relaxed)),
      std::memory_order_relaxed);
  (void)target_->engine().allocator.GiveSetAsideBack();
  std::uint64_t spans = region.span_count();
  while (spans > 0 && region.span_word(spans - 1).load(std::memory_order_relaxed) == 0) {
    --spans;
  }
  report_.file_bytes = region.SpanOffset(spans);
  header.size_bytes.store(report_.file_bytes, std::memory_order_release);
  COMMY_RETURN_IF_ERROR(target_->engine().session.Sync());
  COMMY_RETURN_IF_ERROR(target_->Close());
  target_.reset();
  platform::Platform& platform = source_.session.platform();
  COMMY_RETURN_IF_ERROR(platform.Truncate(fd_, report_.file_bytes));
  RegionHeader written{};
  COMMY_ASSIGN_OR_RETURN(const std::size_t got, platform.ReadAt(fd_, &written, sizeof(written), 0));
  return got == sizeof(written) ? region::CheckWhole(platform, fd_, written)
                                : base::DataLoss(path_, ": the new header cannot be read");
}

// --- A namespace ---------------------------------------------------------------------------------

absl::Status Copy::CopyStep(const Item& item, namespaces::Loader& loader, index::ScanCursor* cursor,
                            bool* more) const {
  const engine::Engine& target = target_->engine();
  COMMY_ASSIGN_OR_RETURN(Lane * lane, target.session.ThisLane());
  Operation op(*lane, OpKind::kWrite, 0);
  if (!op.entered()) {
    return op.status();
  }
  engine::Access at(source_, item.key);
  COMMY_RETURN_IF_ERROR(at.status());
  absl::Status added;
  COMMY_RETURN_IF_ERROR(at.Finish(source_.map.Scan(
      at.ns(), as_of_, /*reverse=*/false, cursor,
      [&](const versions::RecordView& record) {
        added = loader.Add(op, record);
        return added.ok();
      },
      more)));
  COMMY_RETURN_IF_ERROR(added);
  return loader.PassTo(op, *cursor);
}

absl::Status Copy::CopyNamespace(const Item& item, Pace& pace) {
  namespaces::Loader loader = target_->engine().map.NewLoader(item.order, item.key.id, item.keys);
  index::ScanCursor cursor;
  bool dropped = false;
  for (bool more = true; more && !dropped;) {
    const std::uint64_t before = loader.bytes();
    const absl::Status step = CopyStep(item, loader, &cursor, &more);
    dropped = engine::IsDroppedStatus(step);
    if (!dropped) {
      COMMY_RETURN_IF_ERROR(step);
    }
    COMMY_RETURN_IF_ERROR(
        pace.Step(target_->engine().region, report_.keys + loader.keys(), loader.bytes() - before));
  }
  COMMY_RETURN_IF_ERROR(Publish(item, loader));
  if (dropped) {
    // What was copied of it goes by the way on which all of a namespace goes.
    return engine::DropNamespace(target_->engine(), item.path);
  }
  if (!engine::IsHiddenPath(item.path)) {
    ++report_.namespaces;
    report_.keys += loader.keys();
  }
  return absl::OkStatus();
}

absl::Status Copy::Publish(const Item& item, namespaces::Loader& loader) const {
  const engine::Engine& target = target_->engine();
  COMMY_ASSIGN_OR_RETURN(Lane * lane, target.session.ThisLane());
  Operation op(*lane, OpKind::kCatalog, 0);
  if (!op.entered()) {
    return op.status();
  }
  COMMY_ASSIGN_OR_RETURN(
      const std::uint64_t offset,
      target.allocator.Allocate(op, BlockKind::kNamespace, sizeof(namespaces::NamespaceObject)));
  auto* const object = target.region.At<namespaces::NamespaceObject>(offset);
  if (object == nullptr) {
    return base::DataLoss(target.path, ": no block at ", base::Hex(offset));
  }
  base::ZeroIn(object, sizeof(*object));
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t root, loader.Finish(op, item.root_commit));
  object->order.store(item.order, std::memory_order_relaxed);
  object->root.store(root, std::memory_order_relaxed);
  object->default_ttl_ns.store(item.default_ttl_ns, std::memory_order_relaxed);
  object->quota_bytes.store(item.quota_bytes, std::memory_order_relaxed);
  object->value_align.store(item.value_align, std::memory_order_relaxed);
  if (!item.type.empty()) {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t type, target.map.types().Write(op, item.type));
    object->type.store(type, std::memory_order_relaxed);
  }
  if (item.sum.has_value()) {
    COMMY_ASSIGN_OR_RETURN(const std::uint64_t sums, target.map.sums().BuildRoot(op));
    // The value is the sum of the cells, of which there are none, less the base.
    target.region.At<namespaces::SumRoot>(sums)->base.store(0 - *item.sum,
                                                            std::memory_order_relaxed);
    object->sums.store(sums, std::memory_order_relaxed);
  }
  object->id.store(item.key.id, std::memory_order_release);
  return target.catalog
      .Change(op, alloc::Purpose::kOrdinary,
              [&](namespaces::CatalogEdit& edit) -> base::Result {
                return edit.Insert(item.path, offset);
              })
      .status();
}

}  // namespace

absl::StatusOr<CopyReport> CopyStore(const engine::Engine& source, const versions::AsOf& as_of,
                                     int fd, const std::string& path, const CopyOptions& options) {
  return Copy(source, as_of, fd, path, options).Run();
}

}  // namespace commy::packing
