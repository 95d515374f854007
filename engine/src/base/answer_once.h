// A handler that is called exactly once: by whoever answers first, or else when everybody who could
// have answered is gone, as when an executor drops its tasks.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

namespace tiercache {

// Thread-safe. Shared by all who may answer. The handler must not throw.
template <class Answer>
class AnswerOnce {
 public:
  using Handler = std::function<void(Answer)>;

  // `unanswered` is what the handler is told if nobody answers.
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
