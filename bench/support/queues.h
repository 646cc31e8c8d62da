// Queues of numbers that benchmarks compare.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include <unistd.h>

#ifdef COMMY_BENCH_BOOST
#include <boost/interprocess/containers/deque.hpp>
#include <boost/interprocess/managed_mapped_file.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#endif

#include "support/redis.h"
#include "support/rounds.h"
#include <commy/commy.h>

namespace commy::bench {

// A queue as a process has it open.
class AnyQueue {
 public:
  AnyQueue() = default;
  AnyQueue(const AnyQueue&) = delete;
  AnyQueue& operator=(const AnyQueue&) = delete;
  virtual ~AnyQueue() = default;
  // These wait, where the queue can.
  virtual void Push(std::uint64_t value) = 0;
  virtual std::uint64_t Pop() = 0;
  // Takes an element so that it comes back if this process dies, and acknowledges it.
  virtual std::uint64_t PopLeased() = 0;
};

class CommyQueue : public AnyQueue {
 public:
  static constexpr absl::Duration kPatience = absl::Seconds(30);

  CommyQueue(const std::string& path, const std::string& name, std::uint64_t capacity)
      : store_(Must("open", Store::Open(path))),
        queue_(Must("queue",
                    store_.OpenShared<SharedDeque<std::uint64_t>>(name, {.capacity = capacity}))) {}
  void Push(std::uint64_t value) override { Must("push", queue_.PushBack(value, kPatience)); }
  std::uint64_t Pop() override { return Must("pop", queue_.PopFront(kPatience)); }
  std::uint64_t PopLeased() override {
    Leased<std::uint64_t> leased = Must("lease", queue_.LeaseFront(kPatience));
    const std::uint64_t value = leased.value();
    Must("acknowledge", leased.Acknowledge());
    return value;
  }
  [[nodiscard]] const Store& store() const { return store_; }

 private:
  Store store_;
  SharedDeque<std::uint64_t> queue_;
};

#ifdef COMMY_BENCH_BOOST
// Behind a mutex. Has no leases, and does not wait.
class BoostQueue : public AnyQueue {
 public:
  explicit BoostQueue(const std::string& path)
      : file_(boost::interprocess::open_or_create, path.c_str(), std::size_t{64} << 20U),
        deque_(*file_.find_or_construct<Deque>("queue")(file_.get_segment_manager())),
        mutex_(*file_.find_or_construct<Mutex>("mutex")()) {}
  void Push(std::uint64_t value) override {
    const Lock lock(mutex_);
    deque_.push_back(value);
  }
  std::uint64_t Pop() override {
    const Lock lock(mutex_);
    if (deque_.empty()) {
      Die("pop", "the queue is empty");
    }
    const std::uint64_t value = deque_.front();
    deque_.pop_front();
    return value;
  }
  std::uint64_t PopLeased() override { Die("lease", "Boost has none"); }

 private:
  using Deque = boost::interprocess::deque<
      std::uint64_t, boost::interprocess::allocator<
                         std::uint64_t, boost::interprocess::managed_mapped_file::segment_manager>>;
  using Mutex = boost::interprocess::interprocess_mutex;
  using Lock = boost::interprocess::scoped_lock<Mutex>;

  boost::interprocess::managed_mapped_file file_;
  Deque& deque_;
  Mutex& mutex_;
};
#endif

#ifdef COMMY_BENCH_REDIS
// A list. Where a queue is full, its producer pauses.
class RedisQueue : public AnyQueue {
 public:
  // `waits`: with the commands that wait for an element.
  RedisQueue(const std::string& socket, bool waits, std::uint64_t capacity)
      : connection_(socket),
        waits_(waits),
        capacity_(capacity),
        taken_("taken:" + std::to_string(::getpid())) {}
  void Push(std::uint64_t value) override {
    auto length = static_cast<std::uint64_t>(
        connection_.Call("RPUSH queue %b", &value, sizeof(value))->integer);
    while (length > capacity_) {
      ::usleep(100);
      length = static_cast<std::uint64_t>(connection_.Call("LLEN queue")->integer);
    }
  }
  std::uint64_t Pop() override {
    const RedisConnection::Reply reply = connection_.Call(waits_ ? "BLPOP queue 30" : "LPOP queue");
    return ValueOf(waits_ && reply->elements == 2 ? *reply->element[1] : *reply);
  }
  std::uint64_t PopLeased() override {
    const RedisConnection::Reply reply = connection_.Call(
        waits_ ? "BLMOVE queue %s LEFT RIGHT 30" : "LMOVE queue %s LEFT RIGHT", taken_.c_str());
    const std::uint64_t value = ValueOf(*reply);
    if (connection_.Call("LREM %s 1 %b", taken_.c_str(), &value, sizeof(value))->integer != 1) {
      Die("redis", "an element that was taken is not there");
    }
    return value;
  }

 private:
  static std::uint64_t ValueOf(const redisReply& reply) {
    std::uint64_t value = 0;
    if (reply.type != REDIS_REPLY_STRING || reply.len != sizeof(value)) {
      Die("redis", "no element came");
    }
    std::memcpy(&value, reply.str, sizeof(value));
    return value;
  }
  RedisConnection connection_;
  const bool waits_;
  const std::uint64_t capacity_;
  const std::string taken_;
};

// A server, or null; then it says why.
inline std::unique_ptr<RedisServer> StartRedis(const std::string& folder) {
  auto server = std::make_unique<RedisServer>(folder);
  if (!server->runs()) {
    std::printf("REDIS IS LEFT OUT: redis-server is not there, or does not start\n");
    server.reset();
  }
  return server;
}
#else
inline void StartRedis(const std::string&) {
  std::printf("REDIS IS LEFT OUT: this was built without hiredis\n");
}
#endif

}  // namespace commy::bench
