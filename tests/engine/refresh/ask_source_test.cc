#include "refresh/ask_source.h"

#include <gtest/gtest.h>

namespace tiercache {
namespace {

using std::chrono::milliseconds;

TEST(AskSource, answer_of_the_callback_is_passed_on) {
  RefreshContext context;
  const Answer answer = ask_source([](RefreshContext&) { return NotModified{"{}"}; }, context);
  ASSERT_TRUE(answer.result);
  EXPECT_TRUE(std::holds_alternative<NotModified>(*answer.result));
}

TEST(AskSource, exception_of_any_type_is_a_reason) {
  RefreshContext context;
  const Answer standard = ask_source(
      [](RefreshContext&) -> RefreshResult { throw std::runtime_error("source down"); }, context);
  EXPECT_FALSE(standard.result);
  EXPECT_EQ(standard.why, "source down");
  const Answer number = ask_source([](RefreshContext&) -> RefreshResult { throw 7; }, context);
  EXPECT_FALSE(number.result);
  EXPECT_FALSE(number.why.empty());
  const Answer none = ask_source({}, context);
  EXPECT_FALSE(none.result);
  EXPECT_FALSE(none.why.empty());
}

TEST(AskSource, retry_after_tells_how_long) {
  RefreshContext context;
  const Answer answer = ask_source(
      [](RefreshContext&) -> RefreshResult { throw RetryAfter(milliseconds(1500), "slow down"); },
      context);
  EXPECT_FALSE(answer.result);
  EXPECT_EQ(answer.why, "slow down");
  EXPECT_EQ(answer.source_delay, milliseconds(1500));
}

TEST(Shortened, long_text_is_cut_between_characters) {
  EXPECT_EQ(shortened(std::string(300, 'a')), std::string(300, 'a'));
  EXPECT_EQ(shortened(std::string(301, 'a')), std::string(300, 'a') + "…");
  std::string euros;
  for (int i = 0; i < 101; ++i) euros += "€";
  EXPECT_EQ(shortened(euros).substr(0, 300), euros.substr(0, 300));
  EXPECT_EQ(shortened("a" + euros), "a" + euros.substr(0, 297) + "…");
  EXPECT_EQ(shortened(std::string(400, '\x80')), "…") << "no character begins anywhere";
}

}  // namespace
}  // namespace tiercache
