// The contents of the public handles, and how they come to be: an open store with all floors in it.
//
// This floor is the public classes, as thin as they can be; no other floor includes it. Begin
// reading in store.cc and namespace.cc.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "commy/options.h"
#include "engine/open_store.h"

namespace commy::api {

absl::StatusOr<std::shared_ptr<engine::OpenStore>> Open(platform::Platform& platform,
                                                        const std::string& path,
                                                        const Options& options);

}  // namespace commy::api
