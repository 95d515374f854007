#include "cache/runtime/tasks.h"

namespace tiercache::detail {

void Tasks::post(Lane lane, std::function<void()> task) const {
  executor_.post(lane, kept(std::move(task)));
}

void Tasks::post_if_alive(Lane lane, std::function<void()> task) const {
  executor_.post(lane, if_alive(std::move(task)));
}

Executor::TimerId Tasks::at(SteadyTime when, Lane lane, std::function<void()> task) const {
  return executor_.schedule(when, lane, kept(std::move(task)));
}

Executor::TimerId Tasks::later(SteadyTime when, Lane lane, std::function<void()> task) const {
  return executor_.schedule(when, lane, if_alive(std::move(task)));
}

Executor::TimerId Tasks::while_open(SteadyTime when, Lane lane, std::function<void()> task) const {
  return later(when, lane, [this, task = std::move(task)] {
    if (is_open()) task();
  });
}

}  // namespace tiercache::detail
