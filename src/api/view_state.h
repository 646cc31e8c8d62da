// What a View holds: the pin that keeps its value from being reused.
#pragma once

#include <memory>
#include <utility>

#include "commy/namespace.h"
#include "engine/open_store.h"

namespace commy::api {

class ViewState {
 public:
  ViewState(std::shared_ptr<engine::OpenStore> store, process::Session::ViewPin pin)
      : store_(std::move(store)), pin_(pin) {}
  ViewState(const ViewState&) = delete;
  ViewState& operator=(const ViewState&) = delete;
  ~ViewState() { store_->engine().session.ReleaseView(pin_); }

 private:
  std::shared_ptr<engine::OpenStore> store_;
  process::Session::ViewPin pin_;
};

}  // namespace commy::api
