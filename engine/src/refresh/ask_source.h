// Calls the user's callback, whatever it throws.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "tiercache/detail/refresh_result.h"

namespace tiercache {

// What a callback returned, or why it returned nothing.
struct Answer {
  std::optional<RefreshResult> result;
  std::string why;                            // set where there is no result
  std::chrono::milliseconds source_delay{0};  // how long the source asked to be left alone
};

// Does not throw. An empty `call` counts as a failure.
Answer ask_source(const std::function<RefreshResult(RefreshContext&)>& call,
                  RefreshContext& context);

// Cuts `text` to 300 bytes, at the end of a character. The user's own words go to logs and to those
// who wait, and must not flood them.
std::string shortened(std::string text);

}  // namespace tiercache
