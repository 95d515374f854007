// The engine's log: spdlog through the host's logger, limited per kind of line and subject.
#pragma once

#include <spdlog/spdlog.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/annotations.h"
#include "base/mutex.h"
#include "tiercache/clock.h"

namespace tiercache {

// What a message is about.
enum class LogTopic : std::uint8_t {
  lifecycle,
  memory,
  files,
  journal,
  outbox,
  store,
  refresh,
  data,
};

// The dataset that a message is about, if one format is used for several of them.
struct LogSubject {
  std::string_view name;
};

// Lines of one kind share their topic, level, format and subject. The first one is written at once.
// While more keep coming, one is written after 1 s, the next after 2 s, and so on up to one a
// minute; each says how many were left out before it. A kind that has been quiet for as long as its
// last pause begins anew.
//
// At most `kMostKinds` kinds are remembered. If there are more, those that are quiet are forgotten,
// and if none is, further kinds share one pace per level. What was left out of forgotten kinds is
// reported in the next line of any kind.
//
// Thread-safe. Silent without a logger. Messages must hold no documents, no keys and no secrets
// (I11).
class Log {
 public:
  static constexpr std::size_t kMostKinds = 1'000;

  Log(std::shared_ptr<spdlog::logger> logger, const Clock& clock)
      : logger_(std::move(logger)), clock_(clock) {}

  // Something that was promised is at risk.
  template <class... Args>
  void error(LogTopic topic, spdlog::format_string_t<Args...> format, Args&&... args) {
    write(topic, spdlog::level::err, {}, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void error(LogTopic topic, LogSubject subject, spdlog::format_string_t<Args...> format,
             Args&&... args) {
    write(topic, spdlog::level::err, subject, format, std::forward<Args>(args)...);
  }
  // The cache is degraded but goes on serving.
  template <class... Args>
  void warn(LogTopic topic, spdlog::format_string_t<Args...> format, Args&&... args) {
    write(topic, spdlog::level::warn, {}, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void warn(LogTopic topic, LogSubject subject, spdlog::format_string_t<Args...> format,
            Args&&... args) {
    write(topic, spdlog::level::warn, subject, format, std::forward<Args>(args)...);
  }
  // The state of something has changed.
  template <class... Args>
  void info(LogTopic topic, spdlog::format_string_t<Args...> format, Args&&... args) {
    write(topic, spdlog::level::info, {}, format, std::forward<Args>(args)...);
  }
  // Writes a line whose pace the caller keeps itself (HealthMark).
  void say(spdlog::level::level_enum level, const std::string& line);

 private:
  struct Gate {
    std::chrono::milliseconds opens_at{0};
    std::chrono::milliseconds pause{0};
    std::uint64_t left_out = 0;
  };
  struct LeftOut {
    std::uint64_t of_this_kind = 0;
    std::uint64_t of_others = 0;
  };

  template <class... Args>
  void write(LogTopic topic, spdlog::level::level_enum level, LogSubject subject,
             spdlog::format_string_t<Args...> format, Args&&... args) {
    if (!logger_ || !logger_->should_log(level)) return;
    const spdlog::string_view_t text = format;
    LeftOut left_out;
    if (!admit(kind_of(topic, level, subject, {text.data(), text.size()}), level, &left_out)) {
      return;
    }
    write_line(level, spdlog::fmt_lib::format(format, std::forward<Args>(args)...), left_out);
  }
  static std::uint64_t kind_of(LogTopic topic, spdlog::level::level_enum level, LogSubject subject,
                               std::string_view format);
  // True when the caller may write now; `*left_out` then says what was left out before.
  bool admit(std::uint64_t kind, spdlog::level::level_enum level, LeftOut* left_out);
  Gate& gate_of(std::uint64_t kind, spdlog::level::level_enum level, std::chrono::milliseconds now)
      TIERCACHE_REQUIRES(mutex_);
  void forget_quiet(std::chrono::milliseconds now) TIERCACHE_REQUIRES(mutex_);
  void write_line(spdlog::level::level_enum level, std::string line, const LeftOut& left_out);

  const std::shared_ptr<spdlog::logger> logger_;
  const Clock& clock_;
  Mutex mutex_;
  std::unordered_map<std::uint64_t, Gate> gates_ TIERCACHE_GUARDED_BY(mutex_);
  std::array<Gate, spdlog::level::n_levels> shared_gates_ TIERCACHE_GUARDED_BY(mutex_);
  std::uint64_t left_out_of_forgotten_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace tiercache
