// The errors that all typed containers share.
#include "commy/internal/typed.h"

#include "base/status.h"

namespace commy::internal {

absl::Status NanKey() {
  return base::InvalidArgument(
      "the key is, or has in it, a float that is not a number (NaN), and would not be found again");
}

absl::Status WrongKey(const absl::Status& why) {
  return base::DataLoss("a key is not of the container's type: ", why.message());
}

absl::Status NoSuchKeyOf(std::string_view container) {
  return base::NotFound("the ", base::ToAbsl(container), " has no such key, or is empty");
}

}  // namespace commy::internal
