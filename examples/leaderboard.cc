// A leaderboard: scores in order, with the newest score of each player, kept by several processes.
// The key is (score, player), so that the map has the players by score; a second map knows each
// player's score. Both change in one transaction.
#include <cstdint>
#include <iostream>
#include <string>
#include <tuple>

#include <sys/wait.h>
#include <unistd.h>

#include <commy/commy.h>

namespace {

using Board = commy::SharedBTreeMap<std::tuple<std::int64_t, std::string>, std::string>;
using Scores = commy::SharedHashMap<std::string, std::int64_t>;

constexpr int kProcesses = 3;
constexpr int kGames = 200;

absl::Status Report(const commy::Store& store, const Board& board, const Scores& scores,
                    const std::string& player, std::int64_t points) {
  return store.Transact([&](commy::Transaction& txn) -> absl::Status {
    const auto in_scores = scores.In(txn);
    const auto in_board = board.In(txn);
    const auto before = in_scores.GetOr(player, 0);
    if (!before.ok()) return before.status();
    if (const auto gone = in_board.Erase({*before, player}); !gone.ok()) return gone.status();
    const std::int64_t score = *before + points;
    if (auto put = in_scores.Put(player, score); !put.ok()) return put;
    return in_board.Put({score, player}, "level " + std::to_string(score / 100));
  });
}

int Play(const char* path, int number) {
  const auto store = commy::Store::Open(path);
  if (!store.ok()) return std::cerr << store.status() << "\n", 1;
  const auto board = store->OpenShared<Board>("game/board");
  const auto scores = store->OpenShared<Scores>("game/scores");
  if (!board.ok() || !scores.ok()) return std::cerr << board.status() << scores.status() << "\n", 1;
  const char* const players[] = {"ann", "bob", "cy", "dee"};
  for (int game = 0; game < kGames; ++game) {
    const auto done = Report(*store, *board, *scores, players[(game + number) % 4], game % 7);
    if (!done.ok()) return std::cerr << done << "\n", 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* const path = argc > 1 ? argv[1] : "leaderboard.commy";
  for (int i = 0; i < kProcesses; ++i) {
    if (fork() == 0) _exit(Play(path, i));
  }
  int failed = 0;
  for (int status = 0; wait(&status) > 0;) failed |= status;
  if (failed != 0) return 1;

  const auto store = commy::Store::Open(path);
  if (!store.ok()) return std::cerr << store.status() << "\n", 1;
  const auto board = store->OpenShared<Board>("game/board");
  if (!board.ok()) return std::cerr << board.status() << "\n", 1;
  std::int64_t sum = 0;
  auto range = board->Range({.reverse = true});
  for (const auto& [key, level] : range) {
    const auto& [score, player] = key;
    std::cout << score << " " << player << " " << level << "\n";
    sum += score;
  }
  if (!range.status().ok()) return std::cerr << range.status() << "\n", 1;
  std::int64_t played = 0;
  for (int game = 0; game < kGames; ++game) played += game % 7;
  return sum % played == 0 ? 0 : 1;  // Each run of the example adds the same again.
}
