// Rates and the lines that fit a screen, of samples that are made up here.
#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "top/picture.h"
#include "top/rates.h"

namespace commy::tools::top {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'000'000);

ParticipantInfo Participant(std::uint32_t slot, std::uint64_t pid, std::uint64_t operations) {
  ParticipantInfo info;
  info.slot = slot;
  info.pid = pid;
  info.name = "p" + std::to_string(slot);
  info.started = kStart;
  info.lanes = 1;
  info.operations = operations;
  return info;
}

NamespaceInfo Keys(std::uint64_t id, const std::string& path, std::uint64_t keys) {
  NamespaceInfo info;
  info.id = id;
  info.path = path;
  info.keys = keys;
  return info;
}

Sample At(absl::Duration after_start) {
  Sample sample;
  sample.at = kStart + after_start;
  sample.stats.path = "fleet.commy";
  return sample;
}

TEST(TopRatesTest, OneSampleHasNoRates) {
  Sample now = At(absl::Seconds(1));
  now.participants = {Participant(0, 10, 5)};
  now.namespaces = {Keys(1, "a", 7)};
  const Picture picture = Compare(nullptr, now);
  EXPECT_EQ(picture.interval, absl::ZeroDuration());
  EXPECT_EQ(picture.commits_per_second, std::nullopt);
  EXPECT_EQ(picture.participants[0].operations_per_second, std::nullopt);
  EXPECT_EQ(picture.namespaces[0].keys_per_second, std::nullopt);
}

TEST(TopRatesTest, RatesAreDifferencesOverTheTimeBetweenSamples) {
  Sample before = At(absl::Seconds(1));
  before.stats.commit_clock = 100;
  before.participants = {Participant(0, 10, 1000), Participant(1, 11, 50)};
  before.namespaces = {Keys(1, "grows", 100), Keys(2, "shrinks", 100)};
  Sample now = At(absl::Seconds(3));
  now.stats.commit_clock = 300;
  now.participants = {Participant(0, 10, 1500), Participant(1, 11, 1050)};
  now.namespaces = {Keys(1, "grows", 110), Keys(2, "shrinks", 20)};
  const Picture picture = Compare(&before, now);
  EXPECT_EQ(picture.interval, absl::Seconds(2));
  EXPECT_EQ(picture.commits_per_second, 100.0);
  // The busiest first.
  EXPECT_EQ(picture.participants[0].info.slot, 1U);
  EXPECT_EQ(picture.participants[0].operations_per_second, 500.0);
  EXPECT_EQ(picture.participants[1].operations_per_second, 250.0);
  EXPECT_EQ(picture.namespaces[0].info.path, "shrinks");
  EXPECT_EQ(picture.namespaces[0].keys_per_second, -40.0);
  EXPECT_EQ(picture.namespaces[1].keys_per_second, 5.0);
}

TEST(TopRatesTest, AParticipantThatMayHaveBeenReplacedHasNoRate) {
  Sample before = At(absl::Seconds(1));
  before.participants = {Participant(0, 10, 10), Participant(1, 11, 10), Participant(2, 12, 10),
                         Participant(3, 13, 10), Participant(4, 14, 10)};
  Sample now = At(absl::Seconds(2));
  now.participants = {Participant(0, 99, 20),  // Another pid in the slot.
                      Participant(1, 11, 20),  // Started anew.
                      Participant(2, 12, 20),  // Another lane, with a count of its own.
                      Participant(3, 13, 5),   // Its count went back.
                      Participant(5, 15, 20)};
  now.participants[1].started += absl::Milliseconds(1);
  now.participants[2].lanes = 2;
  for (const ParticipantRate& each : Compare(&before, now).participants) {
    EXPECT_EQ(each.operations_per_second, std::nullopt) << each.info.slot;
  }
}

TEST(TopRatesTest, NamespacesAreMatchedByIdAndNotByPath) {
  Sample before = At(absl::Seconds(1));
  before.namespaces = {Keys(1, "old", 10), Keys(2, "made-anew", 10)};
  Sample now = At(absl::Seconds(2));
  now.namespaces = {Keys(1, "renamed", 30), Keys(3, "made-anew", 5)};
  const Picture picture = Compare(&before, now);
  EXPECT_EQ(picture.namespaces[0].keys_per_second, 20.0);
  EXPECT_EQ(picture.namespaces[1].keys_per_second, std::nullopt);
}

TEST(TopRatesTest, AClockThatWentBackGivesNoRates) {
  const Sample before = At(absl::Seconds(2));
  EXPECT_EQ(Compare(&before, At(absl::Seconds(1))).commits_per_second, std::nullopt);
  EXPECT_EQ(Compare(&before, At(absl::Seconds(2))).commits_per_second, std::nullopt);
}

TEST(TopRatesTest, PinningListsParticipantsThatHoldBackTheEpochOldestFirst) {
  Sample now = At(absl::Seconds(1));
  now.participants = {Participant(0, 10, 0), Participant(1, 11, 0), Participant(2, 12, 0)};
  now.participants[0].pinned_for = absl::Milliseconds(800);
  now.participants[1].pinned_for = absl::Seconds(2);
  now.participants[2].pinned_for = absl::Seconds(9);
  now.participants[2].held_back_bytes = std::uint64_t{464} << 20U;
  const Picture picture = Compare(nullptr, now);
  const std::vector<ParticipantInfo> pinning = Pinning(picture);
  ASSERT_EQ(pinning.size(), 2U);
  EXPECT_EQ(pinning[0].slot, 2U);
  EXPECT_EQ(pinning[1].slot, 1U);
  EXPECT_EQ(ToLines(picture)[3], "held back by p2 (pid 12) for 9.00 s: 464 MiB, and by 1 more");
}

TEST(TopPictureTest, CutCountsCharactersAndReplacesControlCharacters) {
  EXPECT_EQ(Cut("hello", 3), "hel");
  EXPECT_EQ(Cut("hello", 0), "");
  EXPECT_EQ(Cut("h\xc3\xa9llo", 2), "h\xc3\xa9");
  EXPECT_EQ(Cut("a\x1b[2J\x7f\xc2\x9b\xff", 80), "a?[2J???");
  EXPECT_EQ(Cut("\xc2\xa0", 80), "\xc2\xa0");
}

Picture Crowd(std::size_t participants, std::size_t namespaces) {
  Sample now = At(absl::Seconds(1));
  for (std::size_t i = 0; i < participants; ++i) {
    now.participants.push_back(Participant(static_cast<std::uint32_t>(i), 100 + i, i));
  }
  for (std::size_t i = 0; i < namespaces; ++i) {
    now.namespaces.push_back(Keys(i, "ns/" + std::to_string(i), i));
  }
  return Compare(nullptr, now);
}

TEST(TopPictureTest, APictureNeverExceedsTheScreen) {
  const Picture picture = Crowd(40, 40);
  for (const std::size_t rows : {0U, 1U, 2U, 5U, 6U, 7U, 8U, 9U, 24U, 100U}) {
    for (const std::size_t columns : {0U, 1U, 10U, 80U}) {
      const std::vector<std::string> lines = ToScreen(picture, {.rows = rows, .columns = columns});
      EXPECT_LE(lines.size(), rows);
      for (const std::string& line : lines) {
        EXPECT_LE(line.size(), columns);
      }
    }
  }
}

TEST(TopPictureTest, ACutTableSaysHowManyRowsAreMissing) {
  const std::vector<std::string> lines = ToScreen(Crowd(40, 40), {.rows = 26, .columns = 80});
  ASSERT_EQ(lines.size(), 26U);
  // 5 lines of head; then 10 of participants (heading, 8, rest), blank, 10 of namespaces.
  EXPECT_EQ(lines[14], "and 32 more");
  EXPECT_EQ(lines[15], "");
  EXPECT_EQ(lines[25], "and 32 more");
}

TEST(TopPictureTest, ATableUsesTheRoomThatTheOtherDoesNotNeed) {
  const auto has_rest = [](const std::vector<std::string>& lines) {
    return std::any_of(lines.begin(), lines.end(),
                       [](const std::string& line) { return line.starts_with("and "); });
  };
  // 5 of head, 3 + 16 of tables, and a blank between them.
  EXPECT_FALSE(has_rest(ToScreen(Crowd(2, 15), {.rows = 25, .columns = 80})));
  EXPECT_FALSE(has_rest(ToScreen(Crowd(15, 2), {.rows = 25, .columns = 80})));
  EXPECT_TRUE(has_rest(ToScreen(Crowd(2, 15), {.rows = 24, .columns = 80})));
}

}  // namespace
}  // namespace commy::tools::top
