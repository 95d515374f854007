// Executors between a part under test and the seeded one, that behave as a busy machine may.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "tiercache/executor.h"

namespace tiercache::test {

// Passes everything on, and counts it.
class PassingExecutor : public Executor {
 public:
  explicit PassingExecutor(Executor& inner) : inner_(inner) {}

  void post(Lane lane, Task task) override {
    ++posted;
    inner_.post(lane, std::move(task));
  }
  TimerId schedule(SteadyTime when, Lane lane, Task task) override {
    ++scheduled;
    return inner_.schedule(when, lane, std::move(task));
  }
  bool cancel(TimerId timer) override {
    ++cancelled;
    return inner_.cancel(timer);
  }
  std::shared_ptr<Event> make_event() override { return inner_.make_event(); }
  int shutdown(SteadyTime deadline) override { return inner_.shutdown(deadline); }

  int calls() const { return posted + scheduled + cancelled; }

  int posted = 0;
  int scheduled = 0;
  int cancelled = 0;

 private:
  Executor& inner_;
};

// Its callback lane has no thread to spare until `release`.
class HeldCallbacks final : public PassingExecutor {
 public:
  using PassingExecutor::PassingExecutor;

  void post(Lane lane, Task task) override {
    if (lane == Lane::callback) {
      held_.push_back(std::move(task));
    } else {
      PassingExecutor::post(lane, std::move(task));
    }
  }
  std::size_t held() const { return held_.size(); }
  void release() {
    while (!held_.empty()) {
      for (auto& task : std::exchange(held_, {})) task();
    }
  }

 private:
  std::vector<Task> held_;
};

// Whoever takes a timer back comes too late: its task runs all the same.
class NothingTakenBack final : public PassingExecutor {
 public:
  using PassingExecutor::PassingExecutor;

  bool cancel(TimerId) override { return false; }
};

}  // namespace tiercache::test
