// What a worker tells the oracle through a pipe, a line per event: before each attempt, and after
// each call that returned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tiercache/version.h"

namespace tiercache::testing {

struct Event {
  enum class Kind : char {
    put = 'P',         // begins
    erase = 'D',       // begins
    erase_many = 'M',  // begins: this key and others, by a pattern
    refreshed = 'F',   // the source answers with this document
    acknowledged = 'A',
    refused = 'N',      // the call said that nothing was applied
    astray = 'U',       // the call said that it does not know
    invalidated = 'I',  // acknowledged, of this version
    confirmed = 'C',    // the source says «not modified»
    read = 'R',         // served
    read_nothing = 'Z',
    wrong = 'W',  // served bytes that nobody wrote
  };
  Kind kind = Kind::read;
  std::string key;
  std::uint64_t number = 0;
  Version version;     // with `refreshed`: of what it replaces
  bool fresh = false;  // with `read`
  int thread = 0;      // of its process
};

// One line, with its end.
std::string to_line(const Event& event);
// Nullopt for anything else, such as a line that the end of its writer cut.
std::optional<Event> parse_line(std::string_view line);

}  // namespace tiercache::testing
