#include "base/answer_once.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace tiercache {
namespace {

class Answers : public ::testing::Test {
 protected:
  std::shared_ptr<AnswerOnce<int>> asked() {
    return std::make_shared<AnswerOnce<int>>([this](int answer) { told.push_back(answer); }, -1);
  }

  std::vector<int> told;
};

TEST_F(Answers, first_answer_is_told_and_no_other) {
  const auto question = asked();
  question->tell(1);
  question->tell(2);
  EXPECT_EQ(told, std::vector<int>{1});
}

TEST_F(Answers, when_all_who_could_have_answered_are_gone_that_is_told) {
  auto question = asked();
  auto other = question;
  question.reset();
  EXPECT_EQ(told, std::vector<int>{});
  other.reset();
  EXPECT_EQ(told, std::vector<int>{-1});
}

TEST_F(Answers, what_was_answered_is_not_told_again_at_the_end) {
  asked()->tell(7);
  EXPECT_EQ(told, std::vector<int>{7});
}

}  // namespace
}  // namespace tiercache
