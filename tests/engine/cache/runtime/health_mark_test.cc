#include "cache/runtime/health_mark.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>
#include <utility>

#include "engine/base/fake_clock.h"

namespace tiercache::detail {
namespace {

using namespace std::chrono_literals;

class HealthMarkTest : public ::testing::Test {
 protected:
  HealthMarkTest() {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(written_);
    logger_ = std::make_shared<spdlog::logger>("test", sink);
    logger_->set_pattern("%l %v");
    log_ = std::make_unique<Log>(logger_, clock_);
    mark_ = std::make_unique<HealthMark>(
        *log_, clock_,
        HealthMark::Words{
            .topic = LogTopic::store, .subject = "the store", .meanwhile = "writes wait"});
  }
  // What was written since the last call.
  std::string written() {
    std::string text = written_.str();
    written_.str("");
    return text;
  }
  void pass(std::chrono::milliseconds time) {
    clock_.steady_ms += time.count();
    clock_.wall_ms += time.count();
  }

  FakeClock clock_;
  std::ostringstream written_;
  std::shared_ptr<spdlog::logger> logger_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<HealthMark> mark_;
};

TEST_F(HealthMarkTest, nothing_is_known_before_the_first_use_I13) {
  EXPECT_TRUE(mark_->read().working);
  EXPECT_FALSE(mark_->read().last_worked);
  mark_->worked();
  EXPECT_EQ(mark_->read().last_worked, clock_.wall_now());
  EXPECT_EQ(written(), "") << "what works is no news";
}

TEST_F(HealthMarkTest, outage_says_since_when_why_and_when_it_is_tried_next) {
  mark_->worked();
  const WallTime worked = clock_.wall_now();
  pass(5s);
  const WallTime since = clock_.wall_now();
  mark_->failed("refused", 100ms);
  pass(2s);
  mark_->failed("timed out", 800ms);
  const TierHealth health = mark_->read();
  EXPECT_FALSE(health.working);
  EXPECT_EQ(health.since, since);
  EXPECT_EQ(health.last_worked, worked);
  EXPECT_EQ(health.next_probe, clock_.wall_now() + 800ms);
  EXPECT_EQ(health.why, "timed out");
  mark_->worked();
  EXPECT_TRUE(mark_->read().working);
  EXPECT_FALSE(mark_->read().next_probe);
}

TEST_F(HealthMarkTest, log_is_told_of_the_beginning_now_and_then_and_of_the_end) {
  for (int second = 0; second <= 600; second += 5, pass(5s)) mark_->failed("refused", 5s);
  mark_->worked();
  mark_->worked();
  EXPECT_EQ(written(),
            "warning the store fails: refused; next try in 5 s; writes wait\n"
            "warning the store has failed for 60 s, 13 times: refused; next try in 5 s\n"
            "warning the store has failed for 3 min, 37 times: refused; next try in 5 s\n"
            "warning the store has failed for 7 min, 85 times: refused; next try in 5 s\n"
            "info the store works again after 10 min and 121 failures\n");
}

TEST_F(HealthMarkTest, single_failure_is_told_with_its_end) {
  mark_->failed("refused");
  pass(300ms);
  mark_->worked();
  EXPECT_EQ(written(),
            "warning the store fails: refused; writes wait\n"
            "info the store works again after 300 ms and 1 failure\n");
}

TEST_F(HealthMarkTest, what_comes_and_goes_does_not_fill_the_log) {
  for (int second = 0; second < 3'600; ++second, pass(1s)) {
    second % 2 == 0 ? mark_->failed("refused") : mark_->worked();
  }
  const std::string text = written();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 12) << text;
  EXPECT_NE(
      text.find("the store fails: refused; writes wait (and 29 outages before, each soon over)"),
      std::string::npos)
      << text;
}

TEST_F(HealthMarkTest, outage_soon_after_the_last_is_told_late_and_never_left_standing_as_working) {
  mark_->failed("refused");
  pass(1s);
  mark_->worked();
  pass(1s);
  written();
  mark_->failed("again");
  EXPECT_EQ(written(), "");
  pass(58s);
  mark_->failed("again");
  EXPECT_EQ(written(), "warning the store fails: again; writes wait\n");
  mark_->worked();
  EXPECT_EQ(written(), "info the store works again after 58 s and 2 failures\n");
}

TEST_F(HealthMarkTest, failure_that_says_nothing_of_the_next_try_takes_back_the_last_word_on_it) {
  mark_->failed("refused", 100ms);
  mark_->failed("refused");
  EXPECT_FALSE(mark_->read().next_probe);
}

TEST_F(HealthMarkTest, long_outage_is_told_of_once_an_hour) {
  int lines = 0;
  for (int minute = 0; minute <= 10 * 60; ++minute, pass(1min)) {
    mark_->failed("refused");
    if (!written().empty()) ++lines;
  }
  EXPECT_EQ(lines, 15) << "at 0, 1, 3, 7, 15, 31 and 63 min, and from there hourly";
}

TEST_F(HealthMarkTest, outage_after_a_quiet_time_is_told_of_as_the_first_was) {
  for (int minute = 0; minute <= 7; ++minute, pass(1min)) mark_->failed("refused");
  mark_->worked();
  pass(1h);
  written();
  mark_->failed("again");
  EXPECT_EQ(written(), "warning the store fails: again; writes wait\n");
  pass(59'999ms);
  mark_->failed("again");
  EXPECT_EQ(written(), "");
  pass(1ms);
  mark_->failed("again");
  EXPECT_EQ(written(), "warning the store has failed for 60 s, 3 times: again\n");
}

TEST_F(HealthMarkTest, each_outage_counts_from_its_own_beginning) {
  mark_->failed("refused");
  pass(5min);
  mark_->worked();
  pass(5min);
  written();
  mark_->failed("again");
  pass(2s);
  mark_->worked();
  EXPECT_EQ(written(),
            "warning the store fails: again; writes wait\n"
            "info the store works again after 2 s and 1 failure\n");
}

TEST_F(HealthMarkTest, outage_that_was_never_told_of_is_not_told_to_be_over) {
  mark_->failed("refused");
  mark_->worked();
  written();
  pass(1s);
  mark_->failed("again");
  mark_->worked();
  EXPECT_EQ(written(), "");
  EXPECT_TRUE(mark_->is_working());
}

TEST_F(HealthMarkTest, without_words_for_what_goes_on_the_line_has_none) {
  HealthMark plain(*log_, clock_, {.topic = LogTopic::store, .subject = "the source"});
  plain.failed("refused");
  EXPECT_EQ(written(), "warning the source fails: refused\n");
}

TEST_F(HealthMarkTest, of_two_marks_the_worse_is_told_and_both_reasons) {
  TierHealth good;
  good.last_worked = WallTime(7ms);
  TierHealth one;
  one.working = false;
  one.since = WallTime(9ms);
  one.why = "full";
  TierHealth other = one;
  other.since = WallTime(8ms);
  other.next_probe = WallTime(10ms);
  other.why = "torn";
  EXPECT_TRUE(merged(good, good).working);
  EXPECT_FALSE(merged(good, one).working);
  EXPECT_FALSE(merged(one, good).working);
  EXPECT_EQ(merged(one, good).last_worked, WallTime(7ms));
  EXPECT_EQ(merged(one, other).why, "full; torn");
  EXPECT_EQ(merged(one, other).since, WallTime(8ms));
  EXPECT_EQ(merged(one, other).next_probe, WallTime(10ms));
}

TEST_F(HealthMarkTest,
       two_marks_that_fail_have_failed_since_the_first_and_are_tried_at_what_is_known) {
  TierHealth early, late, unknown;
  unknown.since = WallTime(1ms);  // which is of no account once it is not known
  unknown.since.reset();
  early.working = late.working = unknown.working = false;
  early.since = WallTime(8ms);
  early.next_probe = WallTime(20ms);
  early.last_worked = WallTime(3ms);
  late.since = WallTime(9ms);
  late.next_probe = WallTime(30ms);
  late.last_worked = WallTime(5ms);
  for (const auto& [one, other] : {std::pair(early, late), std::pair(late, early)}) {
    EXPECT_EQ(merged(one, other).since, WallTime(8ms));
    EXPECT_EQ(merged(one, other).last_worked, WallTime(5ms));
    EXPECT_EQ(merged(one, other).next_probe, one.next_probe);
  }
  for (const auto& [one, other] : {std::pair(early, unknown), std::pair(unknown, early)}) {
    EXPECT_EQ(merged(one, other).since, WallTime(8ms));
    EXPECT_EQ(merged(one, other).next_probe, WallTime(20ms));
    EXPECT_FALSE(merged(one, other).working);
  }
  EXPECT_EQ(merged(TierHealth{}, late).since, WallTime(9ms));
  late.why = "torn";
  EXPECT_EQ(merged(late, TierHealth{}).why, "torn");
  EXPECT_EQ(merged(TierHealth{}, late).why, "torn");
}

}  // namespace
}  // namespace tiercache::detail
