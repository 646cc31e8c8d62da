#include "process/thread_lanes.h"

#include <utility>

#include "process/session.h"

namespace commy::process {

ThreadLanes::Entries::~Entries() {
  last_id_ = 0;
  last_lane_ = nullptr;
  for (const Entry& entry : list) {
    if (const std::shared_ptr<Session> session = entry.session.lock(); session != nullptr) {
      session->ReturnLane(entry.lane);
    }
  }
}

ThreadLanes::Entries& ThreadLanes::Mine() {
  static thread_local Entries entries;
  return entries;
}

Lane* ThreadLanes::FindSlow(std::uint64_t session_id) {
  for (const Entry& entry : Mine().list) {
    if (entry.session_id == session_id) {
      last_id_ = session_id;
      last_lane_ = entry.lane;
      return entry.lane;
    }
  }
  return nullptr;
}

void ThreadLanes::Add(std::uint64_t session_id, std::weak_ptr<Session> session, Lane* lane) {
  std::vector<Entry>& list = Mine().list;
  std::erase_if(list, [](const Entry& entry) { return entry.session.expired(); });
  list.push_back({session_id, std::move(session), lane});
  last_id_ = session_id;
  last_lane_ = lane;
}

}  // namespace commy::process
