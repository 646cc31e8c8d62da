#include "engine/quotas.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "engine/access.h"
#include "engine/lifecycle.h"

namespace commy::engine {
namespace {

using base::Outcome;
using base::Result;
using base::ToAbsl;
using namespaces::Growth;
using process::Lane;
using process::Operation;
using process::OpKind;
using process::Pin;

constexpr auto kUnit = static_cast<std::int64_t>(versions::kUnitBytes);

Result Over(const Engine& engine, std::string_view whose, std::uint64_t limit, std::int64_t present,
            std::int64_t more) {
  return Result::Failed(base::ResourceExhausted(engine.path, ": ", ToAbsl(whose),
                                                " has a quota of ", limit, " bytes and takes ",
                                                present, "; ", more,
                                                " more do not fit. Delete keys, or raise the "
                                                "quota; expired keys count until they are swept"));
}

}  // namespace

absl::Status CheckQuota(std::uint64_t bytes) {
  return bytes <= namespaces::kQuotaBytesMax
             ? absl::OkStatus()
             : base::InvalidArgument("the quota is ", bytes, " bytes; it must be below 2^63");
}

absl::Status SetQuota(const Engine& engine, const NamespaceKey& key, std::uint64_t bytes) {
  COMMY_RETURN_IF_ERROR(CheckQuota(bytes));
  return Write(engine, key, OpKind::kCatalog, alloc::Purpose::kMakesRoom,
               [&](Operation&, const NamespaceRef& ns) {
                 engine.map.publisher().Quota(ns, bytes);
                 return Result();
               });
}

// --- At a write ----------------------------------------------------------------------------------

Result Quotas::Admit(absl::Span<const Growth> growths) {
  bool by_path = false;
  for (const Growth& growth : growths) {
    const std::uint64_t word = growth.ns.object->quota_bytes.load(std::memory_order_relaxed);
    by_path = by_path || (word & namespaces::kQuotaByPath) != 0;
    const std::uint64_t limit = word & namespaces::kQuotaBytesMax;
    if (limit == 0 || growth.units <= 0) {
      continue;
    }
    index::Counts counts;
    COMMY_TRY(engine_.map.Count(growth.ns, &counts));
    const std::int64_t present = counts.units * kUnit;
    if (static_cast<std::uint64_t>(present + growth.units * kUnit) > limit) {
      return Over(engine_, absl::StrCat("the namespace \"", PathOf(growth.ns), "\""), limit,
                  present, growth.units * kUnit);
    }
  }
  return by_path ? AdmitByPath(growths) : Result();
}

Result Quotas::AdmitByPath(absl::Span<const Growth> growths) {
  const std::lock_guard<std::mutex> lock(mutex_);
  COMMY_RETURN_IF_ERROR(Refresh());
  for (Budget& budget : budgets_) {
    std::int64_t more = 0;
    for (const Growth& growth : growths) {
      const auto found = budget.covered.find(growth.ns.offset);
      const bool covered = found != budget.covered.end() && found->second == growth.ns.id;
      more += covered ? growth.units * kUnit : 0;
    }
    if (more <= 0) {
      continue;
    }
    if (more <= budget.allowance) {
      budget.allowance -= more;
      continue;
    }
    COMMY_ASSIGN_OR_RETURN(const std::int64_t present, Sum(budget.covered));
    const std::int64_t room = budget.limit.bytes - present;
    if (more > room) {
      budget.allowance = 0;
      return Over(engine_, absl::StrCat("the path \"", budget.limit.path, "\""),
                  static_cast<std::uint64_t>(budget.limit.bytes), present, more);
    }
    budget.allowance = (room - more) / kShare;
  }
  return Outcome::kDone;
}

absl::StatusOr<std::int64_t> Quotas::Sum(const Covered& covered) const {
  std::int64_t bytes = 0;
  for (const auto& [object, id] : covered) {
    NamespaceRef ns;
    index::Counts counts;
    Result counted = FindNamespace(engine_, {object, id}, &ns);
    if (counted.done()) {
      counted = engine_.map.Count(ns, &counts);
    }
    COMMY_RETURN_IF_ERROR(counted.status());  // One that was dropped takes nothing.
    bytes += counts.units * kUnit;
  }
  return bytes;
}

absl::Status Quotas::Refresh() {
  const region::RegionHeader& header = engine_.region.header();
  const std::uint64_t change = header.path_quotas.load(std::memory_order_seq_cst);
  const std::uint64_t catalog = header.catalog_root.load(std::memory_order_seq_cst);
  const std::int64_t now_ns = engine_.session.platform().MonotonicNs();
  if (change == seen_change_ && catalog == seen_catalog_ && now_ns - looked_ns_ < kFreshNs) {
    return absl::OkStatus();
  }
  COMMY_ASSIGN_OR_RETURN(std::vector<Limit> limits, ReadLimits());
  std::vector<Budget> budgets;
  for (Limit& limit : limits) {
    Budget& budget = budgets.emplace_back();
    budget.limit = std::move(limit);
    COMMY_RETURN_IF_ERROR(ForEachCovered(budget.limit.path, [&](const NamespaceRef& ns) {
      budget.covered.emplace(ns.offset, ns.id);
    }));
  }
  budgets_ = std::move(budgets);
  seen_change_ = change;
  seen_catalog_ = catalog;
  looked_ns_ = now_ns;
  return absl::OkStatus();
}

std::string Quotas::PathOf(const NamespaceRef& ns) const {
  std::string found;
  (void)engine_.catalog.ForEach("", [&](std::string_view path, std::uint64_t object) {
    if (object == ns.offset) {
      found = std::string(path);
    }
    return found.empty();
  });
  return found;
}

// --- Quotas of paths -----------------------------------------------------------------------------

absl::StatusOr<std::vector<Quotas::Limit>> Quotas::ReadLimits() const {
  std::vector<Limit> limits;
  COMMY_ASSIGN_OR_RETURN(const std::uint64_t object, engine_.catalog.Find(kPathQuotas));
  if (object == 0) {
    return limits;
  }
  COMMY_ASSIGN_OR_RETURN(const NamespaceRef ns, NamespaceAt(engine_, object));
  index::ScanCursor cursor;
  bool more = true;
  while (more) {
    std::vector<Limit> piece;
    const Result scanned = engine_.map.Scan(
        ns, versions::AsOf(), /*reverse=*/false, &cursor,
        [&](const versions::RecordView& view) {
          std::uint64_t bytes = 0;
          if (view.value.size() == sizeof(bytes)) {
            std::memcpy(&bytes, view.value.data(), sizeof(bytes));
            piece.push_back({std::string(view.key), static_cast<std::int64_t>(bytes)});
          }
          return true;
        },
        &more);
    COMMY_RETURN_IF_ERROR(scanned.status());
    if (!scanned.done()) {
      return base::DataLoss(engine_.path, ": the quotas of paths cannot be read");
    }
    limits.insert(limits.end(), std::make_move_iterator(piece.begin()),
                  std::make_move_iterator(piece.end()));
  }
  return limits;
}

absl::Status Quotas::ForEachCovered(std::string_view path,
                                    absl::FunctionRef<void(const NamespaceRef&)> use) const {
  absl::Status failed;
  COMMY_RETURN_IF_ERROR(
      engine_.catalog.ForEach(path, [&](std::string_view found, std::uint64_t object) {
        if (found.size() == path.size() || found[path.size()] == '/') {
          const absl::StatusOr<NamespaceRef> ns = NamespaceAt(engine_, object);
          failed.Update(ns.status());
          if (ns.ok() && ns->id != 0) {
            use(*ns);
          }
        }
        return failed.ok();
      }));
  return failed;
}

void Quotas::Announce(Operation& op) const {
  COMMY_DCHECK(op.entered());
  op.region().header().path_quotas.fetch_add(1, std::memory_order_seq_cst);
}

absl::Status Quotas::SetOfPath(std::string_view path, std::uint64_t bytes) {
  COMMY_RETURN_IF_ERROR(CheckPath(path));
  COMMY_RETURN_IF_ERROR(CheckQuota(bytes));
  if (engine_.session.read_only()) {
    return base::FailedPrecondition(engine_.path, ": the store was opened read-only");
  }
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine_.session.ThisLane());
  // Before as well: a process that makes a namespace from here on looks for quotas.
  {
    Operation op(*lane, OpKind::kCatalog, 0);
    COMMY_RETURN_IF_ERROR(op.entered() ? absl::OkStatus() : op.status());
    Announce(op);
  }
  COMMY_ASSIGN_OR_RETURN(const NamespaceKey table, OpenHidden(engine_, kPathQuotas));
  std::string value(sizeof(bytes), '\0');
  std::memcpy(value.data(), &bytes, sizeof(bytes));
  namespaces::WriteOutcome outcome;
  COMMY_RETURN_IF_ERROR(WriteKey(
      engine_, table,
      {.kind = bytes == 0 ? namespaces::WriteOp::Kind::kDelete : namespaces::WriteOp::Kind::kPut,
       .key = path,
       .value = value},
      &outcome));
  Operation op(*lane, OpKind::kCatalog, 0);
  COMMY_RETURN_IF_ERROR(op.entered() ? absl::OkStatus() : op.status());
  Announce(op);
  return ForEachCovered(path, [&](const NamespaceRef& ns) {
    if (bytes != 0) {
      engine_.map.publisher().QuotaByPath(ns);
    }
  });
}

absl::StatusOr<std::vector<PathQuota>> Quotas::List() const {
  COMMY_ASSIGN_OR_RETURN(Lane * lane, engine_.session.ThisLane());
  const Pin pin(*lane);
  if (!pin.entered()) {
    return NotEntered(engine_);
  }
  COMMY_ASSIGN_OR_RETURN(std::vector<Limit> limits, ReadLimits());
  std::vector<PathQuota> all;
  for (Limit& limit : limits) {
    Covered covered;
    COMMY_RETURN_IF_ERROR(ForEachCovered(
        limit.path, [&](const NamespaceRef& ns) { covered.emplace(ns.offset, ns.id); }));
    COMMY_ASSIGN_OR_RETURN(const std::int64_t bytes, Sum(covered));
    all.push_back({std::move(limit.path), static_cast<std::uint64_t>(limit.bytes),
                   static_cast<std::uint64_t>(bytes)});
  }
  std::sort(all.begin(), all.end(),
            [](const PathQuota& a, const PathQuota& b) { return a.path < b.path; });
  return all;
}

void Quotas::Mark(std::string_view path, const NamespaceRef& ns) const {
  if (engine_.region.header().path_quotas.load(std::memory_order_seq_cst) == 0) [[likely]] {
    return;
  }
  const absl::StatusOr<std::vector<Limit>> limits = ReadLimits();
  for (const Limit& limit : limits.ok() ? *limits : std::vector<Limit>()) {
    if (path.substr(0, limit.path.size()) == limit.path &&
        (path.size() == limit.path.size() || path[limit.path.size()] == '/')) {
      engine_.map.publisher().QuotaByPath(ns);
    }
  }
}

void Quotas::MarkAll() {
  const region::RegionHeader& header = engine_.region.header();
  const std::uint64_t change = header.path_quotas.load(std::memory_order_seq_cst);
  const std::uint64_t catalog = header.catalog_root.load(std::memory_order_seq_cst);
  if (change == 0 || (change == marked_change_ && catalog == marked_catalog_)) {
    return;
  }
  const absl::StatusOr<Lane*> lane = engine_.session.ThisLane();
  if (!lane.ok()) {
    return;
  }
  const Operation op(**lane, OpKind::kCatalog, 0);
  if (!op.entered()) {
    return;
  }
  absl::StatusOr<std::vector<Limit>> limits = ReadLimits();
  absl::Status done = limits.status();
  for (const Limit& limit : limits.ok() ? *limits : std::vector<Limit>()) {
    done.Update(ForEachCovered(
        limit.path, [&](const NamespaceRef& ns) { engine_.map.publisher().QuotaByPath(ns); }));
  }
  if (done.ok()) {
    marked_change_ = change;
    marked_catalog_ = catalog;
  }
}

}  // namespace commy::engine
