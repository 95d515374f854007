#include "base/health_mark.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

#include "engine/base/fake_clock.h"

namespace tiercache {
namespace {

using namespace std::chrono_literals;

class HealthMarks : public ::testing::Test {
 protected:
  HealthMarks() {
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

TEST_F(HealthMarks, nothing_is_known_before_the_first_use_I13) {
  EXPECT_TRUE(mark_->read().working);
  EXPECT_FALSE(mark_->read().last_worked);
  mark_->worked();
  EXPECT_EQ(mark_->read().last_worked, clock_.wall_now());
  EXPECT_EQ(written(), "") << "what works is no news";
}

TEST_F(HealthMarks, outage_says_since_when_why_and_when_it_is_tried_next) {
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

TEST_F(HealthMarks, log_is_told_of_the_beginning_now_and_then_and_of_the_end) {
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

TEST_F(HealthMarks, single_failure_is_told_with_its_end) {
  mark_->failed("refused");
  pass(300ms);
  mark_->worked();
  EXPECT_EQ(written(),
            "warning the store fails: refused; writes wait\n"
            "info the store works again after 300 ms and 1 failure\n");
}

TEST_F(HealthMarks, what_comes_and_goes_does_not_fill_the_log) {
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

TEST_F(HealthMarks, outage_soon_after_the_last_is_told_late_and_never_left_standing_as_working) {
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

TEST_F(HealthMarks, of_two_marks_the_worse_is_told_and_both_reasons) {
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

}  // namespace
}  // namespace tiercache
