// A handler that is called exactly once: by whoever answers, or when all who could have answered
// are gone, as when an executor drops its tasks.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

namespace tiercache {

// Thread-safe. The handler must not throw. Shared by all who may answer.
template <class Answer>
class AnswerOnce {
 public:
  using Handler = std::function<void(Answer)>;

  // `unanswered`: what is told where nobody answers.
  AnswerOnce(Handler handler, Answer unanswered)
      : handler_(std::move(handler)), unanswered_(std::move(unanswered)) {}
  ~AnswerOnce() { tell(std::move(unanswered_)); }
  AnswerOnce(const AnswerOnce&) = delete;
  AnswerOnce& operator=(const AnswerOnce&) = delete;

  void tell(Answer answer) {
    if (!told_.exchange(true)) handler_(std::move(answer));
  }

 private:
  const Handler handler_;
  Answer unanswered_;
  std::atomic<bool> told_{false};
};

}  // namespace tiercache
