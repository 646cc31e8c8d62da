// The instrument of the harness: it counts exactly the accesses of a known function.
#include "support/hook_runtime.h"

#include <csignal>
#include <cstdint>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/shared_atomic.h"

namespace commy::test {
namespace {

using base::Shared64;

// 4 words of a mapped file.
class HookRuntimeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fd_ = memfd_create("hooks", MFD_CLOEXEC);
    ASSERT_EQ(ftruncate(fd_, 4096), 0);
    void* const mapped = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    ASSERT_NE(mapped, MAP_FAILED);
    words_ = static_cast<Shared64*>(mapped);
  }
  void TearDown() override {
    munmap(words_, 4096);
    close(fd_);
  }

  int fd_ = -1;
  Shared64* words_ = nullptr;
};

// 6 stores or atomic changes (one that fails among them), and 2 loads, in order: s l s s s s l s.
[[gnu::noinline]] std::uint64_t Known(Shared64* words) {
  words[0].store(1, std::memory_order_release);
  std::uint64_t sum = words[1].load(std::memory_order_acquire);
  words[1].exchange(5, std::memory_order_seq_cst);
  words[2].fetch_add(2, std::memory_order_seq_cst);
  words[3].CompareAndSet(0, 7, std::memory_order_seq_cst);
  words[3].CompareAndSet(0, 8, std::memory_order_seq_cst);
  sum += words[3].load(std::memory_order_relaxed);
  words[0].fetch_or(2, std::memory_order_seq_cst);
  return sum;
}

TEST_F(HookRuntimeTest, CountsTheAccessesOfAKnownFunctionExactly) {
  hooks::Arm(hooks::kStores, hooks::Action::kCount, 0);
  (void)Known(words_);
  EXPECT_EQ(hooks::Disarm(), 6U);
  hooks::Arm(hooks::kStores | hooks::kLoads, hooks::Action::kCount, 0);
  (void)Known(words_);
  EXPECT_EQ(hooks::Disarm(), 8U);
  hooks::Arm(hooks::kCalls, hooks::Action::kCount, 0);
  (void)Known(words_);
  EXPECT_GE(hooks::Disarm(), 1U);
}

TEST_F(HookRuntimeTest, CountsABulkCopyOncePerWord) {
  const char source[32] = "0123456789abcdefghijklmnopqrstu";
  hooks::Arm(hooks::kStores, hooks::Action::kCount, 0);
  base::CopyIn(words_, source, 20);
  EXPECT_EQ(hooks::Disarm(), 3U);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(words_), 20), "0123456789abcdefghij");
  hooks::Arm(hooks::kStores, hooks::Action::kCount, 0);
  base::ZeroIn(words_, 24);
  EXPECT_EQ(hooks::Disarm(), 3U);
  EXPECT_EQ(words_[2].load(std::memory_order_relaxed), 0U);
}

TEST_F(HookRuntimeTest, IgnoresMemoryOutsideOfMappedFiles) {
  Shared64 own[4] = {};
  hooks::Arm(hooks::kStores | hooks::kLoads, hooks::Action::kCount, 0);
  (void)Known(own);
  EXPECT_EQ(hooks::Disarm(), 0U);
}

// Killed at each point: the earlier stores are in memory, the later ones are not.
TEST_F(HookRuntimeTest, KillsTheProcessBeforeTheStoreOfThatNumber) {
  for (std::uint64_t at = 1; at <= 7; ++at) {
    base::ZeroIn(words_, 32);
    const pid_t pid = fork();
    if (pid == 0) {
      hooks::Arm(hooks::kStores, hooks::Action::kKill, at);
      (void)Known(words_);
      (void)hooks::Disarm();
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << at;
    EXPECT_EQ(words_[0].load(std::memory_order_relaxed), at <= 1 ? 0U : at <= 6 ? 1U : 3U) << at;
    EXPECT_EQ(words_[2].load(std::memory_order_relaxed), at <= 3 ? 0U : 2U) << at;
    EXPECT_EQ(words_[3].load(std::memory_order_relaxed), at <= 4 ? 0U : 7U) << at;
  }
}

}  // namespace
}  // namespace commy::test
