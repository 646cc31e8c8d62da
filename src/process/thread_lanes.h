// The lanes that the calling thread has, one a session, and their return when it ends.
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
  // Gives the lanes back when the thread ends.
  struct Entries {
    std::vector<Entry> list;
    ~Entries();
  };

  static Lane* FindSlow(std::uint64_t session_id);
  static Entries& Mine();

  // Constant-initialised, so that Find needs no guard.
  static inline thread_local std::uint64_t last_id_ = 0;
  static inline thread_local Lane* last_lane_ = nullptr;
};

}  // namespace commy::process
