#include "base/log.h"

#include <algorithm>

#include "base/hash.h"
#include "base/spoken.h"

namespace tiercache {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kFirstSilence{1'000};
constexpr milliseconds kLongestSilence{60'000};

}  // namespace

std::uint64_t Log::kind_of(LogTopic topic, spdlog::level::level_enum level, LogSubject subject,
                           std::string_view format) {
  std::string kind{static_cast<char>(topic), static_cast<char>(level)};
  kind.append(format).append(1, '\0').append(subject.name);
  return hash64(kind);
}

bool Log::admit(std::uint64_t kind, spdlog::level::level_enum level, LeftOut* left_out) {
  const auto now = std::chrono::duration_cast<milliseconds>(clock_.coarse_now().time_since_epoch());
  Lock lock(mutex_);
  Gate& gate = gate_of(kind, level, now);
  const bool is_new = gate.pause == milliseconds(0);
  if (!is_new && now < gate.opens_at) {
    ++gate.left_out;
    return false;
  }
  const bool was_quiet = is_new || now >= gate.opens_at + gate.pause;
  gate.pause = was_quiet ? kFirstSilence : std::min(2 * gate.pause, kLongestSilence);
  gate.opens_at = now + gate.pause;
  left_out->of_this_kind = std::exchange(gate.left_out, 0);
  left_out->of_others = std::exchange(left_out_of_forgotten_, 0);
  return true;
}

Log::Gate& Log::gate_of(std::uint64_t kind, spdlog::level::level_enum level, milliseconds now) {
  const auto known = gates_.find(kind);
  if (known != gates_.end()) return known->second;
  if (gates_.size() >= kMostKinds) forget_quiet(now);
  if (gates_.size() >= kMostKinds) return shared_gates_.at(static_cast<std::size_t>(level));
  return gates_[kind];
}

void Log::forget_quiet(milliseconds now) {
  for (auto gate = gates_.begin(); gate != gates_.end();) {
    const bool quiet = now >= gate->second.opens_at + gate->second.pause;
    if (quiet) left_out_of_forgotten_ += gate->second.left_out;
    gate = quiet ? gates_.erase(gate) : std::next(gate);
  }
}

void Log::write_line(spdlog::level::level_enum level, std::string line, const LeftOut& left_out) {
  if (left_out.of_this_kind > 0) {
    line += " (" + std::to_string(left_out.of_this_kind) + " more like this left out before)";
  }
  if (left_out.of_others > 0) {
    line += " (" + std::to_string(left_out.of_others) + " of other kinds left out before)";
  }
  say(level, line);
}

void Log::say(spdlog::level::level_enum level, const std::string& line) {
  if (!logger_ || !logger_->should_log(level)) return;
  const std::string clean = one_line(line);
  logger_->log(level, spdlog::string_view_t(clean));
}

}  // namespace tiercache
