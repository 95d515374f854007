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

}  // namespace
}  // namespace tiercache::testing
