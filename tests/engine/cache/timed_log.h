// What a cache writes into its log, line by line, with the time by the world's clock.
#pragma once

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "tiercache/clock.h"

namespace tiercache::testing {

class TimedLog final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit TimedLog(std::shared_ptr<const Clock> clock)
      : clock_(std::move(clock)), began_(clock_->steady_now()) {}

  // "  12.3 s warning …" a line, since the last call; times count from when this was made.
  std::string taken() {
    std::lock_guard lock(mutex_);
    return std::exchange(text_, {});
  }
  static std::shared_ptr<spdlog::logger> logger(const std::shared_ptr<TimedLog>& log) {
    auto made = std::make_shared<spdlog::logger>("test", log);
    made->set_level(spdlog::level::trace);
    return made;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::chrono::duration<double> since = clock_->steady_now() - began_;
    const auto level = spdlog::level::to_string_view(message.level);
    text_ += spdlog::fmt_lib::format("{:6.1f} s {} {}\n", since.count(),
                                     std::string(level.data(), level.size()),
                                     std::string(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}

 private:
  const std::shared_ptr<const Clock> clock_;
  const SteadyTime began_;
  std::string text_;
};

}  // namespace tiercache::testing
