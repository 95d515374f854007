#include "crash/events.h"

#include "lib/arguments.h"

namespace tiercache::testing {
namespace {

constexpr std::string_view kKinds = "PDMFANUICRZW";
// Ends each line, so that a cut one is told from a whole one.
constexpr std::string_view kWhole = ".";

std::string_view take_word(std::string_view* rest) {
  const std::size_t end = rest->find(' ');
  const std::string_view word = rest->substr(0, end);
  *rest = end == std::string_view::npos ? std::string_view() : rest->substr(end + 1);
  return word;
}

}  // namespace

std::string to_line(const Event& event) {
  std::string line(1, static_cast<char>(event.kind));
  line += ' ' + event.key + ' ' + std::to_string(event.number) + ' ' + event.version.to_string();
  line += event.fresh ? " fresh " : " stale ";
  line += std::to_string(event.thread) + ' ';
  return line.append(kWhole) + '\n';
}

std::optional<Event> parse_line(std::string_view line) {
  const std::string_view kind = take_word(&line);
  if (kind.size() != 1 || kKinds.find(kind) == std::string_view::npos) return std::nullopt;
  Event event;
  event.kind = static_cast<Event::Kind>(kind.front());
  event.key = take_word(&line);
  const bool numbered = parse_number(take_word(&line), &event.number);
  const auto version = Version::parse(take_word(&line));
  event.fresh = take_word(&line) == "fresh";
  std::uint64_t thread = 0;
  const bool threaded = parse_number(take_word(&line), &thread);
  if (!numbered || !version || !threaded || line != kWhole) return std::nullopt;
  event.thread = static_cast<int>(thread);
  event.version = *version;
  return event;
}

}  // namespace tiercache::testing
