// A Redis server for a benchmark alone, over a unix socket, and connections to it.
#pragma once

#ifdef COMMY_BENCH_REDIS
#include <chrono>
#include <csignal>
#include <hiredis/hiredis.h>
#include <memory>
#include <string>
#include <thread>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/scratch.h"

namespace commy::bench {

// Runs for the lifetime of this object. Its log goes to a file each second, as in bench/compare.
class RedisServer {
 public:
  explicit RedisServer(const std::string& folder) : socket_(folder + "/redis.sock") {
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(STDERR_FILENO, STDOUT_FILENO);
      if (::getppid() == parent) {
        ::execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_.c_str(),
                 "--dir", folder.c_str(), "--appendonly", "yes", "--appendfsync", "everysec",
                 "--save", "", "--auto-aof-rewrite-percentage", "0", "--loglevel", "warning",
                 "--logfile", (folder + "/redis.log").c_str(), nullptr);
      }
      ::_exit(127);
    }
    for (int tries = 0; tries < 2000 && !runs_ && ::waitpid(pid_, nullptr, WNOHANG) == 0; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      redisContext* const context = ::redisConnectUnix(socket_.c_str());
      runs_ = context != nullptr && context->err == 0;
      if (context != nullptr) {
        ::redisFree(context);
      }
    }
  }
  ~RedisServer() {
    if (runs_) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // False: it could not be started.
  [[nodiscard]] bool runs() const { return runs_; }
  [[nodiscard]] const std::string& socket() const { return socket_; }

 private:
  std::string socket_;
  pid_t pid_ = 0;
  bool runs_ = false;
};

// One command, one answer.
class RedisConnection {
 public:
  struct FreeReply {
    void operator()(redisReply* reply) const { ::freeReplyObject(reply); }
  };
  using Reply = std::unique_ptr<redisReply, FreeReply>;

  explicit RedisConnection(const std::string& socket)
      : context_(::redisConnectUnix(socket.c_str())) {
    if (context_ == nullptr || context_->err != 0) {
      Die(socket, "no Redis answers there");
    }
  }
  ~RedisConnection() { ::redisFree(context_); }
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  template <typename... Arguments>
  Reply Call(const char* format, Arguments... arguments) {
    Reply reply(static_cast<redisReply*>(::redisCommand(context_, format, arguments...)));
    if (reply == nullptr || reply->type == REDIS_REPLY_ERROR) {
      Die("redis", reply == nullptr ? static_cast<const char*>(context_->errstr)
                                    : static_cast<const char*>(reply->str));
    }
    return reply;
  }

 private:
  redisContext* context_;
};

}  // namespace commy::bench
#endif
