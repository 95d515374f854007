// Calls the user's callback, whatever it throws.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "tiercache/detail/refresh_result.h"

namespace tiercache {

// What a callback gave, or why it gave nothing.
struct Answer {
  std::optional<RefreshResult> result;
  std::string why;                            // where there is no result
  std::chrono::milliseconds source_delay{0};  // how long the source asked to be left alone
};

// Does not throw; an empty `call` is a failure.
Answer ask_source(const std::function<RefreshResult(RefreshContext&)>& call,
                  RefreshContext& context);

// `text` cut to 300 bytes at a character's end: the user's own words go to logs and to those who
// wait.
std::string shortened(std::string text);

}  // namespace tiercache
