#include "base/spoken.h"

#include <algorithm>

namespace tiercache {

std::string spoken(std::chrono::milliseconds span) {
  using namespace std::chrono;
  const auto in = [&](auto unit, const char* name) {
    return std::to_string(duration_cast<decltype(unit)>(span).count()) + name;
  };
  span = std::max(span, milliseconds(0));
  if (span < seconds(1)) return in(milliseconds(), " ms");
  if (span < seconds(100)) return in(seconds(), " s");
  if (span < minutes(100)) return in(minutes(), " min");
  if (span < hours(48)) return in(hours(), " h");
  return in(days(), " days");
}

std::string counted(std::uint64_t number, std::string_view one, std::string_view many) {
  std::string text = std::to_string(number) + ' ';
  if (number == 1) return text.append(one);
  return many.empty() ? text.append(one) + 's' : text.append(many);
}

std::string one_line(std::string text) {
  const auto controls = [](unsigned char byte) { return byte < 0x20 || byte == 0x7F; };
  std::replace_if(text.begin(), text.end(), controls, ' ');
  return text;
}

}  // namespace tiercache
