// The checker finds what it is there for.
#include "history/checker.h"

#include <gtest/gtest.h>

#include "history/setup.h"

namespace tiercache::testing {
namespace {

constexpr std::uint8_t kRegister = kCounters;
constexpr std::uint8_t kErasable = kCounters + kRegisters;
constexpr std::int64_t kLong = std::chrono::nanoseconds(kMemoryTtl + 2 * kSlack).count();

Call call(Call::Kind kind, std::uint8_t key, std::uint64_t version, std::int64_t began,
          std::uint8_t process = 0) {
  return {.kind = kind,
          .process = process,
          .key = key,
          .writer = 1,
          .time = version,
          .number = version << kWhoBits,
          .began = began,
          .ended = began + 10};
}

class HistoryChecker : public ::testing::Test {
 protected:
  std::uint64_t found(Wrong wrong, const std::vector<Call>& calls) {
    checker_.add(calls);
    checker_.check_calls();
    EXPECT_EQ(checker_.violations(), checker_.count(wrong));
    return checker_.count(wrong);
  }
  Checker checker_;
};

TEST_F(HistoryChecker, takes_reads_of_the_newest_and_of_what_another_process_just_wrote) {
  EXPECT_EQ(found(Wrong::stale,
                  {call(Call::Kind::put, kRegister, 1, 0), call(Call::Kind::put, kRegister, 2, 100),
                   call(Call::Kind::read, kRegister, 1, 120, 1),
                   call(Call::Kind::read, kRegister, 2, 130, 1)}),
            0u);
  EXPECT_EQ(checker_.stalest_ns(), 10);
}

TEST_F(HistoryChecker, finds_a_write_below_one_that_was_acknowledged_before) {
  EXPECT_EQ(found(Wrong::lost, {call(Call::Kind::put, kRegister, 2, 0),
                                call(Call::Kind::put, kRegister, 1, 100, 1)}),
            1u);
}

TEST_F(HistoryChecker, finds_a_count_that_was_reached_twice) {
  auto other = call(Call::Kind::increment, 0, 2, 5, 1);
  other.number = 1 << kWhoBits;
  EXPECT_EQ(found(Wrong::lost, {call(Call::Kind::increment, 0, 1, 0), other}), 1u);
}

TEST_F(HistoryChecker, finds_a_process_served_older_than_it_knew) {
  EXPECT_EQ(found(Wrong::regress,
                  {call(Call::Kind::put, kRegister, 1, 0), call(Call::Kind::put, kRegister, 2, 100),
                   call(Call::Kind::read, kRegister, 1, 120)}),
            1u);
}

TEST_F(HistoryChecker, finds_nothing_served_where_a_process_knew_something) {
  EXPECT_EQ(found(Wrong::regress, {call(Call::Kind::put, kRegister, 1, 0),
                                   call(Call::Kind::read_nothing, kRegister, 0, 120)}),
            1u);
}

TEST_F(HistoryChecker, finds_what_is_served_too_late) {
  EXPECT_EQ(found(Wrong::stale,
                  {call(Call::Kind::put, kRegister, 1, 0), call(Call::Kind::put, kRegister, 2, 100),
                   call(Call::Kind::read, kRegister, 1, kLong, 1)}),
            1u);
}

TEST_F(HistoryChecker, finds_an_erased_entry_that_is_back) {
  EXPECT_EQ(found(Wrong::returned, {call(Call::Kind::put, kErasable, 1, 0),
                                    call(Call::Kind::erase, kErasable, 2, 100),
                                    call(Call::Kind::read, kErasable, 1, kLong, 1)}),
            1u);
}

TEST_F(HistoryChecker, finds_what_nobody_wrote) {
  auto strange = call(Call::Kind::read, kRegister, 1, 120);
  strange.number = 7;
  EXPECT_EQ(found(Wrong::bytes, {call(Call::Kind::put, kRegister, 1, 0), strange}), 1u);
}

TEST_F(HistoryChecker, finds_an_end_without_the_last_write) {
  checker_.add({call(Call::Kind::put, kRegister, 2, 0)});
  checker_.check_calls();
  checker_.check_end("here", kRegister, Checker::Standing{2 << kWhoBits, {2, 1}});
  EXPECT_EQ(checker_.violations(), 0u);
  checker_.check_end("here", kRegister, std::nullopt);
  EXPECT_EQ(checker_.count(Wrong::lost), 1u);
}

// Beats of a process in which it stood still between these moments.
std::vector<std::int64_t> beats_around(std::int64_t began, std::int64_t ended) {
  constexpr std::int64_t kEvery = std::chrono::nanoseconds(kBeatEvery).count();
  std::vector<std::int64_t> beats;
  for (std::int64_t beat = 0; beat < ended + 2 * kLong; beat += kEvery) {
    if (beat <= began || beat >= ended) beats.push_back(beat);
  }
  return beats;
}

constexpr std::int64_t kStop = 4 * kLong;

TEST_F(HistoryChecker, allows_for_the_time_in_which_the_writer_stood_still) {
  checker_.add(0, beats_around(50, kStop));
  EXPECT_EQ(found(Wrong::stale,
                  {call(Call::Kind::put, kRegister, 1, 0), call(Call::Kind::put, kRegister, 2, 100),
                   call(Call::Kind::read, kRegister, 1, kStop + 100, 1),
                   call(Call::Kind::read, kRegister, 1, kStop + kLong, 1)}),
            1u);
  EXPECT_GT(checker_.longest_stall_ns(), kStop - kLong);
}

TEST_F(HistoryChecker, allows_for_locks_of_a_stopped_process_on_few_keys_alone) {
  const auto late = [](std::uint8_t keys) {
    std::vector<Call> calls;
    for (std::uint8_t key = kRegister; key < kRegister + keys; ++key) {
      calls.push_back(call(Call::Kind::put, key, 1, 0));
      calls.push_back(call(Call::Kind::put, key, 2, 100));
      calls.push_back(call(Call::Kind::read, key, 1, kStop, 1));
    }
    return calls;
  };
  checker_.add(1, beats_around(50, kStop));
  EXPECT_EQ(found(Wrong::stale, late(kLockedKeys)), 0u);
  Checker strict;
  strict.add(1, beats_around(50, kStop));
  strict.add(late(kLockedKeys + 1));
  strict.check_calls();
  EXPECT_EQ(strict.count(Wrong::stale), kLockedKeys + 1);
}

Call unapplied(Call::Kind kind, Call::Kind wanted, std::uint8_t key, std::int64_t began,
               std::int64_t ended) {
  Call made = call(kind, key, 0, began);
  made.wanted = wanted;
  made.number = 7 << kWhoBits;
  made.ended = ended;
  return made;
}

constexpr std::int64_t kDeadline = std::chrono::nanoseconds(kPutDeadline).count();

TEST_F(HistoryChecker, finds_a_write_that_is_refused_although_nothing_stood_still) {
  EXPECT_EQ(found(Wrong::refused,
                  {unapplied(Call::Kind::refused, Call::Kind::increment, 0, 100, 100 + kDeadline)}),
            1u);
}

TEST_F(HistoryChecker, finds_a_write_that_is_refused_before_its_deadline) {
  checker_.add(0, beats_around(50, 50 + 2 * kDeadline));
  EXPECT_EQ(found(Wrong::refused,
                  {unapplied(Call::Kind::refused, Call::Kind::increment, 0, 100, 100 + kDeadline),
                   unapplied(Call::Kind::refused, Call::Kind::increment, 0, 100, kDeadline / 2)}),
            1u);
}

TEST_F(HistoryChecker, takes_a_write_in_doubt_as_made_once_it_is_served) {
  checker_.add(0, beats_around(50, 50 + 2 * kDeadline));
  const Call put =
      unapplied(Call::Kind::in_doubt, Call::Kind::put, kRegister, 100, 100 + kDeadline);
  Call read = call(Call::Kind::read, kRegister, 2, 200);
  read.number = put.number;
  EXPECT_EQ(found(Wrong::bytes, {call(Call::Kind::put, kRegister, 1, 0), put, read}), 0u);
  checker_.check_end("here", kRegister, Checker::Standing{put.number, {2, 1}});
  EXPECT_EQ(checker_.violations(), 0u);
  checker_.check_end("there", kRegister, Checker::Standing{1 << kWhoBits, {1, 1}});
  EXPECT_EQ(checker_.count(Wrong::lost), 1u) << "it is not the same in both places";
}

TEST_F(HistoryChecker, takes_nothing_for_an_erase_in_doubt_until_a_later_write) {
  checker_.add(0, beats_around(50, 50 + 2 * kDeadline));
  const std::int64_t later = kDeadline + kLong;
  EXPECT_EQ(found(Wrong::regress, {call(Call::Kind::put, kErasable, 1, 0),
                                   unapplied(Call::Kind::in_doubt, Call::Kind::erase, kErasable,
                                             100, 100 + kDeadline),
                                   call(Call::Kind::read_nothing, kErasable, 0, 120),
                                   call(Call::Kind::put, kErasable, 2, later),
                                   call(Call::Kind::read_nothing, kErasable, 0, later + 20)}),
            1u);
}

TEST_F(HistoryChecker, allows_a_counter_its_increments_in_doubt_and_no_more) {
  checker_.add(0, beats_around(50, 50 + 2 * kDeadline));
  EXPECT_EQ(found(Wrong::lost, {call(Call::Kind::increment, 0, 1, 0),
                                unapplied(Call::Kind::in_doubt, Call::Kind::increment, 0, 100,
                                          100 + kDeadline)}),
            0u);
  checker_.check_end("here", 0, Checker::Standing{7 << kWhoBits, {5, 1}});
  EXPECT_EQ(checker_.count(Wrong::lost), 1u);
}

}  // namespace
}  // namespace tiercache::testing
