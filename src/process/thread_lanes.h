// The lanes that the calling thread has, one per session, and their return when it ends.
//
// They are kept by a pthread key, not by a thread_local with a destructor. Keys are destroyed after
// all thread_locals, so the destructor of an older thread_local may still use the store. If the
// destructor of a later key uses it once more, the key is destroyed again, a few times at most. The
// main thread keeps its lanes while static objects and atexit() handlers use the store; the end of
// the session gives them back.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace commy::process {

class Lane;
class Session;

class ThreadLanes {
 public:
  // Null: the thread has no lane of that session yet.
  static Lane* Find(std::uint64_t session_id) {
    return last_id_ == session_id ? last_lane_ : FindSlow(session_id);
  }
  static void Add(std::uint64_t session_id, std::weak_ptr<Session> session, Lane* lane);

 private:
  struct Entry {
    std::uint64_t session_id;
    std::weak_ptr<Session> session;
    Lane* lane;
  };
  using Entries = std::vector<Entry>;

  static Lane* FindSlow(std::uint64_t session_id);
  // Gives the lanes back; called when the thread ends.
  static void GiveBack(void* entries);

  // All trivially destroyed, so that they may be looked at to the very end of the thread.
  static inline thread_local std::uint64_t last_id_ = 0;
  static inline thread_local Lane* last_lane_ = nullptr;
  static inline thread_local Entries* entries_ = nullptr;
};

}  // namespace commy::process
