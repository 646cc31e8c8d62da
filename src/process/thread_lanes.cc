#include "process/thread_lanes.h"

#include <memory>
#include <utility>

#include <pthread.h>

#include "base/check.h"
#include "process/session.h"

namespace commy::process {
namespace {

pthread_key_t MakeKey(void (*destroy)(void*)) {
  pthread_key_t key{};
  COMMY_CHECK(::pthread_key_create(&key, destroy) == 0);
  return key;
}

}  // namespace

void ThreadLanes::GiveBack(void* entries) {
  const std::unique_ptr<Entries> mine(static_cast<Entries*>(entries));
  entries_ = nullptr;
  last_id_ = 0;
  last_lane_ = nullptr;
  for (const Entry& entry : *mine) {
    if (const std::shared_ptr<Session> session = entry.session.lock(); session != nullptr) {
      session->ReturnLane(entry.lane);
    }
  }
}

Lane* ThreadLanes::FindSlow(std::uint64_t session_id) {
  if (entries_ == nullptr) {
    return nullptr;
  }
  for (const Entry& entry : *entries_) {
    if (entry.session_id == session_id) {
      last_id_ = session_id;
      last_lane_ = entry.lane;
      return entry.lane;
    }
  }
  return nullptr;
}

void ThreadLanes::Add(std::uint64_t session_id, std::weak_ptr<Session> session, Lane* lane) {
  static const pthread_key_t key = MakeKey(GiveBack);  // One for all sessions, kept for good.
  if (entries_ == nullptr) {
    entries_ = new Entries;
    COMMY_CHECK(::pthread_setspecific(key, entries_) == 0);
  }
  COMMY_DCHECK(lane != nullptr);
  std::erase_if(*entries_, [](const Entry& entry) { return entry.session.expired(); });
  entries_->push_back({session_id, std::move(session), lane});
  last_id_ = session_id;
  last_lane_ = lane;
}

}  // namespace commy::process
