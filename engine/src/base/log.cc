#include "base/log.h"

namespace tiercache {
namespace {

constexpr std::int64_t kGateMs = 1000;

std::int64_t coarse_ms(const Clock& clock) {
  const auto since_start = clock.coarse_now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since_start).count();
}

}  // namespace

bool Log::admit(LogTopic topic, spdlog::level::level_enum level, std::uint64_t* left_out) {
  Gate& gate = gates_[static_cast<std::size_t>(topic) * spdlog::level::n_levels +
                      static_cast<std::size_t>(level)];
  const std::int64_t now = coarse_ms(clock_);
  std::int64_t opens_at = gate.opens_at_ms.load(std::memory_order_relaxed);
  // Of all who find the gate open, the one who moves it goes through.
  if (now < opens_at || !gate.opens_at_ms.compare_exchange_strong(opens_at, now + kGateMs,
                                                                  std::memory_order_relaxed)) {
    gate.left_out.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  *left_out = gate.left_out.exchange(0, std::memory_order_relaxed);
  return true;
}

}  // namespace tiercache
