#include "api/open.h"

#include "transactions/recover.h"

namespace commy::api {

absl::StatusOr<std::shared_ptr<engine::OpenStore>> Open(platform::Platform& platform,
                                                        const std::string& path,
                                                        const Options& options) {
  return engine::OpenStore::Open(platform, path, options, transactions::Hooks());
}

}  // namespace commy::api
