// Redis: a server of its own, over a unix socket.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <hiredis/hiredis.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

#include "engine.h"
#include "scale.h"
#include "support/scratch.h"

namespace commy::compare {
namespace {

constexpr std::chrono::seconds kStartDeadline{30};
constexpr int kPipeline = 500;

// A connection, or null.
redisContext* Connect(const Place& place) {
  redisContext* const context = ::redisConnectUnix((place.folder + "/redis.sock").c_str());
  if (context != nullptr && context->err != 0) {
    ::redisFree(context);
    return nullptr;
  }
  return context;
}

struct FreeReply {
  void operator()(redisReply* reply) const { ::freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

class Redis : public Engine {
 public:
  explicit Redis(const Place& place) : context_(Connect(place)) {
    if (context_ == nullptr) {
      bench::Die(place.folder, "no Redis answers there");
    }
  }
  ~Redis() override { ::redisFree(context_); }
  Redis(const Redis&) = delete;
  Redis& operator=(const Redis&) = delete;

  Answer Read(std::string_view key, Use use) override {
    const Reply reply = Call("GET %b", key.data(), key.size());
    if (reply->type == REDIS_REPLY_NIL) {
      return Answer::kNo;
    }
    use(std::string_view(reply->str, reply->len));
    return Answer::kYes;
  }
  void Put(std::string_view key, std::string_view value) override {
    if (bulk_) {
      Append("SET %b %b", key.data(), key.size(), value.data(), value.size());
    } else {
      (void)Call("SET %b %b", key.data(), key.size(), value.data(), value.size());
    }
  }
  Answer Delete(std::string_view key) override {
    if (bulk_) {
      Append("DEL %b", key.data(), key.size());
      return Answer::kYes;
    }
    return Call("DEL %b", key.data(), key.size())->integer == 1 ? Answer::kYes : Answer::kNo;
  }
  std::int64_t Add(std::int64_t delta) override {
    return Call("INCRBY counter %lld", static_cast<long long>(delta))->integer;
  }

  void BeginBulk() override { bulk_ = true; }
  void EndBulk() override {
    Drain();
    bulk_ = false;
  }
  bool Compact() override {
    (void)Call("BGREWRITEAOF");
    std::string info = "aof_rewrite_in_progress:1";
    while (info.find("aof_rewrite_in_progress:1") != std::string::npos ||
           info.find("aof_rewrite_scheduled:1") != std::string::npos) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      const Reply reply = Call("INFO persistence");
      info.assign(reply->str, reply->len);
    }
    return true;
  }
  // Has the allocator return pages that it does not use.
  bool Shrink() override {
    (void)Call("MEMORY PURGE");
    return true;
  }
  std::optional<std::uint64_t> MemoryBytes() override {
    constexpr std::string_view kField = "used_memory_rss:";
    const Reply reply = Call("INFO memory");
    std::string_view info(reply->str, reply->len);
    info.remove_prefix(std::min(info.find(kField) + kField.size(), info.size()));
    std::uint64_t bytes = 0;
    if (std::from_chars(info.data(), info.data() + info.size(), bytes).ec != std::errc()) {
      bench::Die("INFO memory", "does not tell used_memory_rss");
    }
    return bytes;
  }

 private:
  template <typename... Arguments>
  Reply Call(const char* format, Arguments... arguments) {
    return Checked(::redisCommand(context_, format, arguments...));
  }
  template <typename... Arguments>
  void Append(const char* format, Arguments... arguments) {
    if (::redisAppendCommand(context_, format, arguments...) != REDIS_OK) {
      bench::Die("redis", static_cast<const char*>(context_->errstr));
    }
    if (++waiting_ == kPipeline) {
      Drain();
    }
  }
  void Drain() {
    for (; waiting_ > 0; --waiting_) {
      void* reply = nullptr;
      (void)::redisGetReply(context_, &reply);
      (void)Checked(reply);
    }
  }
  Reply Checked(void* raw) {
    Reply reply(static_cast<redisReply*>(raw));
    if (reply == nullptr || reply->type == REDIS_REPLY_ERROR) [[unlikely]] {
      bench::Die("redis", reply == nullptr ? static_cast<const char*>(context_->errstr)
                                           : static_cast<const char*>(reply->str));
    }
    return reply;
  }

  redisContext* context_;
  bool bulk_ = false;
  int waiting_ = 0;
};

// Runs the server for the lifetime of this object.
class RedisServer : public Engine {
 public:
  explicit RedisServer(const Place& place) {
    const std::string socket = place.folder + "/redis.sock";
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(STDERR_FILENO, STDOUT_FILENO);
      if (::getppid() == parent) {
        ::execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket.c_str(),
                 "--dir", place.folder.c_str(), "--appendonly", "yes", "--appendfsync", "everysec",
                 "--save", "", "--auto-aof-rewrite-percentage", "0", "--loglevel", "warning",
                 "--logfile", (place.folder + "/redis.log").c_str(), nullptr);
      }
      ::_exit(127);
    }
    AwaitStart(place);
  }
  ~RedisServer() override {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  Answer Read(std::string_view, Use) override { return Answer::kNo; }
  void Put(std::string_view, std::string_view) override {}
  Answer Delete(std::string_view) override { return Answer::kNo; }
  std::int64_t Add(std::int64_t) override { return 0; }

 private:
  void AwaitStart(const Place& place) const {
    const Clock::time_point deadline = Clock::now() + kStartDeadline;
    redisContext* context = nullptr;
    while ((context = Connect(place)) == nullptr) {
      if (Clock::now() > deadline || ::waitpid(pid_, nullptr, WNOHANG) != 0) {
        bench::Die("redis-server", "does not start");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ::redisFree(context);
  }

  pid_t pid_ = 0;
};

}  // namespace

EngineInfo RedisEngine() {
  EngineInfo info;
  info.name = "Redis";
  info.version = COMPARE_REDIS;
  info.setting =
      "a server for this alone, unix socket, `appendonly yes`, `appendfsync everysec`, no "
      "snapshots; "
      "one command, one answer; bytes are those of its log, the data is in its memory";
  info.needs_keeper = true;
  info.open = [](const Place& place) -> std::unique_ptr<Engine> {
    return std::make_unique<Redis>(place);
  };
  info.keep = [](const Place& place) -> std::unique_ptr<Engine> {
    return std::make_unique<RedisServer>(place);
  };
  return info;
}

}  // namespace commy::compare
