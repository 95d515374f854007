#include "cache/runtime/signal.h"

#include <utility>

namespace tiercache::detail {

void Signal::notify() {
  std::vector<std::shared_ptr<Event>> woken;
  {
    Lock lock(mutex_);
    woken.swap(waiting_);
  }
  for (const auto& event : woken) event->set();
}

bool Signal::wait(SteadyTime deadline, const std::function<bool()>& condition) {
  for (;;) {
    auto event = executor_.make_event();
    {
      Lock lock(mutex_);
      waiting_.push_back(event);
    }
    if (condition()) return true;
    if (!event->wait_until(deadline)) {
      Lock lock(mutex_);
      std::erase(waiting_, event);
      break;
    }
  }
  return condition();
}

}  // namespace tiercache::detail
