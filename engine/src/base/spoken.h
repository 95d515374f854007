// Times and texts as they appear in lines for people.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace tiercache {

// "300 ms", "12 s", "10 min", "5 h", "3 days": rounded down to a whole unit. Seconds and minutes
// are used below 100 of them, hours below 48. Negative times are "0 ms".
std::string spoken(std::chrono::milliseconds span);

// "1 key", "2 keys", "0 keys". `many` is given if it is not `one` with an s.
std::string counted(std::uint64_t number, std::string_view one, std::string_view many = {});

// Turns line breaks and other control characters into blanks, so that what a server or a callback
// says stays within its line.
std::string one_line(std::string text);

}  // namespace tiercache
