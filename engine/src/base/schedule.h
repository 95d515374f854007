// How often the documents of a dataset are refreshed. refresh/scheduler.h starts the refreshes.
#pragma once

#include <chrono>
#include <cstdint>

namespace tiercache {

// Which of a dataset's two refresh callbacks a schedule is for.
enum class Cadence : std::uint8_t { normal, rich };

struct Schedule {
  std::chrono::milliseconds every{0};  // 0: never
  // Each turn is moved by up to this, earlier or later, but never to before the last fetch.
  std::chrono::milliseconds jitter{0};
};

}  // namespace tiercache
