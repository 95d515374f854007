// What an exception says, for tests of texts.
#pragma once

#include <functional>
#include <string>

namespace tiercache::testing {

struct Said {
  std::string what = "(nothing thrown)";
  std::string details;
};

// Of the `Kind` that the call throws; anything else that it throws goes on.
template <class Kind>
Said said_by(const std::function<void()>& call) {
  try {
    call();
  } catch (const Kind& error) {
    return {error.what(), error.details()};
  }
  return {};
}

}  // namespace tiercache::testing
