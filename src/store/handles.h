// What the public handles hold.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "commy/namespace.h"
#include "store/store_impl.h"

namespace commy::store {

struct NamespaceState {
  std::shared_ptr<StoreImpl> store;
  NamespaceKey key;
  std::string path;
  Order order = Order::kHash;
};

class ViewState {
 public:
  ViewState(std::shared_ptr<StoreImpl> store, process::Session::ViewPin pin)
      : store_(std::move(store)), pin_(pin) {}
  ViewState(const ViewState&) = delete;
  ViewState& operator=(const ViewState&) = delete;
  ~ViewState() { store_->session().ReleaseView(pin_); }

 private:
  std::shared_ptr<StoreImpl> store_;
  process::Session::ViewPin pin_;
};

// A scan under way: one segment's worth of entries at a time, copied under a pin that is held only
// for the copying.
class ScanState {
 public:
  ScanState(std::shared_ptr<const NamespaceState> ns, ScanOptions options, absl::Status status)
      : ns_(std::move(ns)), options_(std::move(options)), status_(std::move(status)) {}

  bool Advance();
  [[nodiscard]] const Entry& entry() const { return batch_[next_ - 1]; }
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  absl::Status FillBatch();
  [[nodiscard]] bool Wanted(std::string_view key) const;

  std::shared_ptr<const NamespaceState> ns_;
  const ScanOptions options_;
  absl::Status status_;
  std::vector<Entry> batch_;
  std::size_t next_ = 0;
  std::uint64_t cursor_ = 0;
  bool at_end_ = false;
  std::uint64_t yielded_ = 0;
};

}  // namespace commy::store
