// How the tour tells a slow machine from a broken promise.
#include <gmock/gmock.h>

#include <string>

#include "tour/report.h"

namespace tour {
namespace {

using testing::HasSubstr;

Answer timed_out() {
  return {.status = 503, .timed_out = true};
}

TEST(TourAnswers, late_one_is_asked_for_again_and_counted) {
  int asked = 0;
  const Answer answer = until_in_time([&] {
    return ++asked < 3 ? timed_out() : Answer{.status = 200, .tier = "memory", .body = "1"};
  });
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "1");
  EXPECT_EQ(answer.late, 2);
  EXPECT_EQ(asked, 3);
}

TEST(TourAnswers, other_failure_is_what_it_is_at_once) {
  for (const int status : {0, 404, 503}) {
    int asked = 0;
    const Answer answer = until_in_time([&] {
      ++asked;
      return Answer{.status = status};
    });
    EXPECT_EQ(asked, 1) << status;
    EXPECT_EQ(in_words(answer), "status " + std::to_string(status));
  }
}

TEST(TourAnswers, machine_that_is_never_in_time_breaks_no_promise_and_keeps_none) {
  Step step("a step", "a promise");
  try {
    until_in_time(timed_out, std::chrono::milliseconds(20));
    FAIL();
  } catch (const TooSlow& error) {
    step.was_too_slow(error.what());
  }
  EXPECT_FALSE(step.kept());
  EXPECT_FALSE(step.broken());
  EXPECT_THAT(step.to_string(), HasSubstr("not judged (the machine is too slow: the service's "
                                          "deadline of 2 s passed"));
  EXPECT_THAT(table({step}), HasSubstr("| slow  |"));
  step.must(false, "other bytes");
  EXPECT_TRUE(step.broken()) << "what was seen before counts";
  EXPECT_THAT(step.to_string(), HasSubstr("BROKEN (other bytes)"));
}

TEST(TourAnswers, tally_tells_how_many_were_late) {
  Tally tally;
  tally.add({.status = 200, .tier = "source", .freshness = "fresh"});
  tally.add({.status = 200, .tier = "memory", .freshness = "fresh", .late = 1});
  EXPECT_EQ(tally.from("source") + tally.late(), 2);
  EXPECT_THAT(tally.to_string(), HasSubstr("1 only when asked again on a slow machine"));
}

}  // namespace
}  // namespace tour
