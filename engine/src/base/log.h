// The engine's log: spdlog through the host's logger, rate-limited per kind of message.
#pragma once

#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "tiercache/clock.h"

namespace tiercache {

// What a message is about; each kind is limited on its own.
enum class LogTopic : std::uint8_t {
  lifecycle,
  memory,
  files,
  journal,
  outbox,
  store,
  refresh,
  data,
  kCount
};

// Thread-safe. Silent without a logger. At most one message a second per topic and level is
// written; the next one written says how many were left out.
class Log {
 public:
  Log(std::shared_ptr<spdlog::logger> logger, const Clock& clock)
      : logger_(std::move(logger)), clock_(clock) {}

  // A promise is at risk.
  template <class... Args>
  void error(LogTopic topic, spdlog::format_string_t<Args...> format, Args&&... args) {
    write(topic, spdlog::level::err, format, std::forward<Args>(args)...);
  }
  // Degraded but serving.
  template <class... Args>
  void warn(LogTopic topic, spdlog::format_string_t<Args...> format, Args&&... args) {
    write(topic, spdlog::level::warn, format, std::forward<Args>(args)...);
  }
  // State changed.
  template <class... Args>
  void info(LogTopic topic, spdlog::format_string_t<Args...> format, Args&&... args) {
    write(topic, spdlog::level::info, format, std::forward<Args>(args)...);
  }

 private:
  template <class... Args>
  void write(LogTopic topic, spdlog::level::level_enum level,
             spdlog::format_string_t<Args...> format, Args&&... args) {
    std::uint64_t left_out = 0;
    if (!logger_ || !logger_->should_log(level) || !admit(topic, level, &left_out)) return;
    logger_->log(level, format, std::forward<Args>(args)...);
    if (left_out > 0) logger_->log(level, "({} more messages like this were left out)", left_out);
  }
  // True when the caller may write now; then `*left_out` is how many could not since the last one.
  bool admit(LogTopic topic, spdlog::level::level_enum level, std::uint64_t* left_out);

  struct Gate {
    std::atomic<std::int64_t> opens_at_ms{std::numeric_limits<std::int64_t>::min()};
    std::atomic<std::uint64_t> left_out{0};
  };
  std::shared_ptr<spdlog::logger> logger_;
  const Clock& clock_;
  std::array<Gate, static_cast<std::size_t>(LogTopic::kCount) * spdlog::level::n_levels> gates_;
};

}  // namespace tiercache
