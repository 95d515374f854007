#include "base/breaker.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tiercache/testing/manual_clock.h"

namespace tiercache {
namespace {

using namespace std::chrono_literals;
using Urgency = Breaker::Urgency;

constexpr BackoffOptions kPauses{.first = 100ms, .cap = 300s};

class BreakerTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  BreakerTest() {
    breaker.on_close([this] { ++closed; });
  }
  void fail(Urgency urgency = Urgency::forced) {
    const auto permit = breaker.ask(urgency);
    ASSERT_TRUE(permit.is_granted());
    breaker.ended(permit, false, "away");
  }
  // Fails until the pauses are at their longest.
  void fail_for_long() {
    for (int i = 0; i < 30; ++i) fail();
  }

  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  Breaker breaker{clock, kPauses, GetParam()};
  int closed = 0;
};

TEST_P(BreakerTest, closed_lets_any_number_through) {
  for (int i = 0; i < 5; ++i) {
    const auto permit = breaker.ask(Urgency::reader);
    EXPECT_TRUE(permit.is_granted());
    EXPECT_FALSE(permit.is_probe());
  }
  EXPECT_FALSE(breaker.state().open);
  EXPECT_EQ(breaker.state().probes, 0u);
}

TEST_P(BreakerTest, each_failure_that_counts_is_told_with_the_pause_after_it) {
  std::vector<Breaker::State> told;
  breaker.on_failure([&](const Breaker::State& state) { told.push_back(state); });
  const auto late = breaker.ask(Urgency::reader);
  fail();
  breaker.ended(late, false, "of before");
  fail();
  ASSERT_EQ(told.size(), 2u) << "how a call of before ends is no news";
  EXPECT_TRUE(told[1].open);
  EXPECT_EQ(told[1].why, "away");
  EXPECT_EQ(told[1].next_probe, clock->wall_now() + told[1].pause);
}

TEST_P(BreakerTest, last_call_that_worked_is_known_and_none_before_one_did_I13) {
  EXPECT_FALSE(breaker.state().last_worked);
  fail();
  EXPECT_FALSE(breaker.state().last_worked);
  breaker.ended(breaker.ask(Urgency::forced), true);
  const WallTime then = clock->wall_now();
  clock->advance(1h);
  fail();
  EXPECT_EQ(breaker.state().last_worked, then);
}

TEST_P(BreakerTest, first_failure_opens_it_and_says_why_and_since_when) {
  fail();
  const auto state = breaker.state();
  EXPECT_TRUE(state.open);
  EXPECT_EQ(state.since, clock->wall_now());
  EXPECT_GT(*state.next_probe, clock->wall_now());
  EXPECT_LE(*state.next_probe, clock->wall_now() + 100ms);
  EXPECT_EQ(state.why, "away");
  EXPECT_FALSE(breaker.ask(Urgency::background).is_granted());
  EXPECT_TRUE(breaker.refuses(Urgency::reader));
  EXPECT_EQ(breaker.refusal(), "not asked, it failed a moment ago: away");
  EXPECT_EQ(breaker.state().refused, 1u);
}

TEST_P(BreakerTest, half_open_lets_exactly_one_probe_through_at_a_time) {
  fail();
  clock->advance(100ms);
  const auto probe = breaker.ask(Urgency::reader);
  EXPECT_TRUE(probe.is_probe());
  clock->advance(1h);
  for (const Urgency urgency : {Urgency::reader, Urgency::background}) {
    EXPECT_FALSE(breaker.ask(urgency).is_granted()) << "one probe is out, however long it takes";
  }
  EXPECT_GT(breaker.retry_at(), clock->steady_now()) << "never a busy loop";
  breaker.ended(probe, false, "still away");
  EXPECT_FALSE(breaker.ask(Urgency::reader).is_granted()) << "a new pause has begun";
  clock->advance(1h);
  EXPECT_TRUE(breaker.ask(Urgency::background).is_probe());
}

TEST_P(BreakerTest, probe_that_was_not_needed_leaves_its_place_to_the_next) {
  fail();
  clock->advance(1s);
  breaker.unused(breaker.ask(Urgency::background));
  EXPECT_TRUE(breaker.ask(Urgency::reader).is_probe());
}

TEST_P(BreakerTest, readers_wait_for_a_long_pause_five_seconds_at_most) {
  fail_for_long();
  if (breaker.retry_at() <= clock->steady_now() + 5s) return;  // this seed drew a short one
  clock->advance(4'999ms);
  EXPECT_TRUE(breaker.refuses(Urgency::reader));
  clock->advance(1ms);
  EXPECT_FALSE(breaker.refuses(Urgency::reader));
  EXPECT_TRUE(breaker.refuses(Urgency::background));
}

TEST_P(BreakerTest, any_call_that_works_closes_it_once_and_forgets_the_back_off) {
  fail_for_long();
  const auto forced = breaker.ask(Urgency::forced);
  EXPECT_TRUE(forced.is_granted());
  breaker.ended(forced, true);
  EXPECT_EQ(closed, 1);
  breaker.ended(breaker.ask(Urgency::reader), true);
  EXPECT_EQ(closed, 1);
  EXPECT_FALSE(breaker.state().open);
  EXPECT_FALSE(breaker.state().since);
  EXPECT_EQ(breaker.state().why, "");
  fail();
  EXPECT_LE(breaker.retry_at(), clock->steady_now() + 100ms);
}

TEST_P(BreakerTest, failure_of_a_call_begun_before_the_outage_was_known_is_no_news) {
  const auto early = breaker.ask(Urgency::reader);
  const auto first = breaker.ask(Urgency::reader);
  breaker.ended(first, false, "away");
  const auto before = breaker.state();
  clock->advance(10s);
  breaker.ended(early, false, "timed out");
  EXPECT_EQ(breaker.state().next_probe, before.next_probe);
  EXPECT_EQ(breaker.state().why, "away");
  EXPECT_EQ(breaker.state().opened, 1u);
}

TEST_P(BreakerTest, forced_call_beside_a_probe_does_not_take_its_place) {
  fail();
  clock->advance(1s);
  const auto probe = breaker.ask(Urgency::reader);
  const auto forced = breaker.ask(Urgency::forced);
  breaker.ended(forced, false, "away");
  EXPECT_TRUE(breaker.state().probing);
  breaker.ended(probe, true);
  EXPECT_FALSE(breaker.state().probing);
  EXPECT_FALSE(breaker.state().open);
}

TEST_P(BreakerTest, call_of_an_earlier_time_neither_opens_nor_closes_it) {
  const auto before = breaker.ask(Urgency::reader);
  const auto before_too = breaker.ask(Urgency::reader);
  fail();
  breaker.ended(before, true);
  EXPECT_TRUE(breaker.state().open) << "it began while the store worked";
  const auto meanwhile = breaker.ask(Urgency::forced);
  const auto meanwhile_too = breaker.ask(Urgency::forced);
  breaker.ended(breaker.ask(Urgency::forced), true);
  EXPECT_FALSE(breaker.state().open);
  breaker.ended(before_too, false, "long ago");
  breaker.ended(meanwhile, false, "a moment ago");
  EXPECT_FALSE(breaker.state().open) << "they began in an outage that is over";
  fail();
  breaker.ended(meanwhile_too, true);
  EXPECT_TRUE(breaker.state().open) << "this is another outage";
}

TEST_P(BreakerTest, probe_of_an_earlier_outage_leaves_the_next_ones_alone) {
  fail();
  clock->advance(1s);
  const auto first = breaker.ask(Urgency::background);
  ASSERT_TRUE(first.is_probe());
  breaker.ended(breaker.ask(Urgency::forced), true);
  fail();
  clock->advance(1s);
  ASSERT_TRUE(breaker.ask(Urgency::background).is_probe());
  breaker.ended(first, false, "late");
  EXPECT_FALSE(breaker.ask(Urgency::background).is_granted()) << "the second probe is still out";
}

TEST_P(BreakerTest, pause_ends_on_the_millisecond_and_nothing_is_asked_before) {
  fail_for_long();
  const auto pause = breaker.state().pause;
  EXPECT_EQ(breaker.retry_at(), clock->steady_now() + pause);
  clock->advance(pause - 1ms);
  EXPECT_FALSE(breaker.ask(Urgency::background).is_granted());
  clock->advance(1ms);
  EXPECT_FALSE(breaker.refuses(Urgency::background));
  EXPECT_EQ(breaker.retry_at(), clock->steady_now());
  clock->advance(1h);
  EXPECT_EQ(breaker.retry_at(), clock->steady_now()) << "never in the past";
  EXPECT_TRUE(breaker.ask(Urgency::background).is_probe());
}

TEST_P(BreakerTest, failure_of_a_call_during_which_others_worked_is_no_news) {
  const auto slow = breaker.ask(Urgency::reader);
  breaker.ended(breaker.ask(Urgency::reader), true);
  EXPECT_EQ(breaker.worked(), 1u);
  breaker.ended(slow, false, "a locked row");
  EXPECT_FALSE(breaker.state().open);
  fail();
  EXPECT_TRUE(breaker.state().open) << "nobody has worked since this one was asked";
}

TEST_P(BreakerTest, outage_is_one_from_its_first_failure_to_the_first_call_that_works) {
  fail();
  const WallTime since = clock->wall_now();
  clock->advance(1h);
  fail();
  EXPECT_EQ(breaker.state().since, since);
  EXPECT_EQ(breaker.state().opened, 1u);
  EXPECT_EQ(breaker.state().probes, 1u);
  breaker.ended(breaker.ask(Urgency::forced), true);
  EXPECT_FALSE(breaker.state().next_probe);
  fail();
  EXPECT_EQ(breaker.state().opened, 2u);
}

TEST_P(BreakerTest, call_of_an_earlier_time_that_worked_is_the_last_that_did) {
  const auto before = breaker.ask(Urgency::reader);
  fail();
  breaker.ended(before, true);
  EXPECT_EQ(breaker.state().last_worked, clock->wall_now());
  EXPECT_EQ(closed, 0);
}

TEST_P(BreakerTest, call_that_was_not_made_frees_no_place_but_its_own) {
  fail();
  clock->advance(1s);
  const auto first = breaker.ask(Urgency::background);
  breaker.unused(breaker.ask(Urgency::forced));
  EXPECT_FALSE(breaker.ask(Urgency::background).is_granted()) << "the probe is still out";
  breaker.ended(breaker.ask(Urgency::forced), true);
  fail();
  clock->advance(1s);
  ASSERT_TRUE(breaker.ask(Urgency::background).is_probe());
  breaker.unused(first);
  EXPECT_FALSE(breaker.ask(Urgency::background).is_granted())
      << "the probe of this outage is still out";
}

TEST_P(BreakerTest, call_that_is_left_by_an_exception_has_failed) {
  { Breaker::OpenCall call(breaker, breaker.ask(Urgency::reader)); }
  EXPECT_EQ(breaker.state().why, "the call was broken off");
  {
    Breaker::OpenCall call(breaker, breaker.ask(Urgency::forced));
    call.ended(true, "");
  }
  EXPECT_FALSE(breaker.state().open);
  fail();
  {
    Breaker::OpenCall call(breaker, breaker.ask(Urgency::forced));
    call.ended(false, "still away");
  }
  EXPECT_EQ(breaker.state().why, "still away") << "what has ended is not broken off as well";
}

TEST_P(BreakerTest, nobody_needs_to_listen) {
  Breaker alone(clock, kPauses, GetParam());
  alone.ended(alone.ask(Urgency::reader), false, "away");
  EXPECT_TRUE(alone.state().open);
  alone.ended(alone.ask(Urgency::forced), true);
  EXPECT_FALSE(alone.state().open);
}

TEST_P(BreakerTest, closed_again_it_refuses_nobody_although_a_pause_was_under_way) {
  fail_for_long();
  breaker.ended(breaker.ask(Urgency::forced), true);
  EXPECT_FALSE(breaker.refuses(Urgency::background));
  EXPECT_FALSE(breaker.refuses(Urgency::reader));
}

TEST_P(BreakerTest, call_begun_in_an_outage_that_is_over_is_not_counted_among_those_that_worked) {
  fail();
  const auto meanwhile = breaker.ask(Urgency::forced);
  breaker.ended(breaker.ask(Urgency::forced), true);
  breaker.ended(meanwhile, true);
  EXPECT_EQ(breaker.worked(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, BreakerTest, ::testing::Values(1, 2, 3, 4));

}  // namespace
}  // namespace tiercache
