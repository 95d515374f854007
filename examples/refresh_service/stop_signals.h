// The signals that end the service.
#pragma once

#include <chrono>
#include <csignal>
#include <ctime>

namespace refresh_service {

// SIGTERM and SIGINT interrupt nothing: `wait` takes them. Threads inherit that, so make this
// object before there is any other thread.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  // True once a signal came.
  bool wait(std::chrono::milliseconds longest) const {
    const timespec time = {.tv_sec = longest.count() / 1000,
                           .tv_nsec = longest.count() % 1000 * 1'000'000};
    return sigtimedwait(&signals_, nullptr, &time) > 0;
  }

 private:
  sigset_t signals_;
};

}  // namespace refresh_service
