#include "history/staller.h"

#include <poll.h>
#include <signal.h>

namespace tiercache::testing {

void Staller::stall(std::chrono::milliseconds length) {
  constexpr std::uint64_t kKinds = 3;
  const auto pass = [](std::chrono::milliseconds time) {
    ::poll(nullptr, 0, static_cast<int>(time.count()));
  };
  pass(std::chrono::milliseconds(300 + dice_.below(400)));
  switch (stalls_++ % kKinds) {
    case 0: {
      const pid_t stopped = processes_[dice_.below(processes_.size())];
      ::kill(stopped, SIGSTOP);
      pass(length);
      ::kill(stopped, SIGCONT);
      break;
    }
    case 1:
      gates_->changes.close();
      gates_->syncs.close();
      pass(length);
      gates_->changes.open();
      gates_->syncs.open();
      break;
    default:
      gates_->syncs.close();
      pass(length);
      gates_->syncs.open();
  }
}

}  // namespace tiercache::testing
