// Times and texts as they stand in lines for people.
#pragma once

#include <chrono>
#include <string>

namespace tiercache {

// "300 ms", "12 s", "10 min", "5 h", "3 days": rounded down, in the unit that leaves two digits or
// more from the second on. Negative is "0 ms".
std::string spoken(std::chrono::milliseconds span);

// Line breaks and other control characters become blanks: what a server or a callback says stays
// within its line.
std::string one_line(std::string text);

}  // namespace tiercache
