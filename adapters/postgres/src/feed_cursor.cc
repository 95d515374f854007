// A page tells its changes in the order of (transaction, row), except that the rest of the
// transaction in which the page before ended comes first. So what was told up to some row of
// transaction z can be written as a snapshot again: below z it sees what the page saw, and from z
// on what had been told before. The next page may see more than this one did, below z too, and
// still misses nothing.
#include "feed_cursor.h"

#include <algorithm>
#include <charconv>

#include "text.h"

namespace tiercache::postgres {

namespace {

// Names the form of this program's cursors: incarnation/2/history/end/running/inside.
constexpr std::string_view kForm = "2";

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool contains(const std::vector<std::uint64_t>& sorted, std::uint64_t number) {
  return std::binary_search(sorted.begin(), sorted.end(), number);
}

// The running transactions are written as steps down from the end, because their numbers are long
// but close together.
std::string write_running(const Snapshot& snapshot) {
  std::string text;
  std::uint64_t above = snapshot.end;
  for (auto at = snapshot.running.rbegin(); at != snapshot.running.rend(); ++at) {
    if (!text.empty()) text += '.';
    text += std::to_string(above - *at);
    above = *at;
  }
  return text;
}

std::optional<std::vector<std::uint64_t>> read_running(std::string_view text, std::uint64_t end) {
  std::vector<std::uint64_t> running;
  if (text.empty()) return running;
  for (const std::string_view step : split(text, '.')) {
    const auto down = parse_number<std::uint64_t>(step);
    if (!down || *down == 0 || *down > end) return std::nullopt;
    running.push_back(end -= *down);
  }
  std::reverse(running.begin(), running.end());
  return running;
}

std::optional<FeedCursor::Inside> read_inside(std::string_view transaction, std::string_view row) {
  const auto number = parse_number<std::uint64_t>(transaction);
  const auto place = parse_number<std::int64_t>(row);
  if (!number || !place) return std::nullopt;
  return FeedCursor::Inside{*number, *place};
}

// In the first form everything below the transaction was told, and of its own rows those up to
// `row`.
std::optional<FeedCursor> read_first_form(const std::vector<std::string_view>& parts) {
  const auto inside = read_inside(parts[1], parts[2]);
  if (!inside) return std::nullopt;
  FeedCursor cursor{.incarnation = std::string(parts[0]),
                    .history = std::nullopt,
                    .told = {.end = inside->transaction, .running = {}},
                    .inside = std::nullopt};
  if (inside->row > 0) cursor.inside = inside;
  return cursor;
}

// Returns the snapshot that sees this transaction too, which is its end or one of those that run.
Snapshot with(Snapshot snapshot, std::uint64_t transaction) {
  if (transaction == snapshot.end) {
    ++snapshot.end;
  } else {
    std::erase(snapshot.running, transaction);
  }
  return snapshot;
}

}  // namespace

bool Snapshot::sees(std::uint64_t transaction) const {
  return transaction < end && !contains(running, transaction);
}

std::optional<Snapshot> Snapshot::parse(std::string_view text) {
  const std::vector<std::string_view> parts = split(text, ':');
  if (parts.size() != 3) return std::nullopt;
  const auto end = parse_number<std::uint64_t>(parts[1]);
  if (!end) return std::nullopt;
  Snapshot snapshot{.end = *end, .running = {}};
  if (parts[2].empty()) return snapshot;
  for (const std::string_view one : split(parts[2], ',')) {
    const auto number = parse_number<std::uint64_t>(one);
    if (!number || *number >= *end) return std::nullopt;
    snapshot.running.push_back(*number);
  }
  std::sort(snapshot.running.begin(), snapshot.running.end());
  return snapshot;
}

Snapshot joined(const Snapshot& told, const Snapshot& now, std::uint64_t below) {
  const std::uint64_t known = std::min(below, now.end);
  Snapshot both{.end = std::max(told.end, known), .running = {}};
  for (const std::uint64_t one : told.running) {
    if (one >= below || !now.sees(one)) both.running.push_back(one);
  }
  for (const std::uint64_t one : now.running) {
    if (one >= told.end && one < known) both.running.push_back(one);
  }
  return both;
}

std::string FeedCursor::to_string() const {
  std::string text = incarnation + '/' + std::string(kForm) + '/' + history.value_or("") + '/' +
                     std::to_string(told.end) + '/' + write_running(told) + '/';
  if (inside) text += std::to_string(inside->transaction) + '.' + std::to_string(inside->row);
  return text;
}

std::optional<FeedCursor> FeedCursor::parse(std::string_view text) {
  const std::vector<std::string_view> parts = split(text, '/');
  if (parts.size() == 3) return read_first_form(parts);
  if (parts.size() != 6 || parts[1] != kForm) return std::nullopt;
  const auto end = parse_number<std::uint64_t>(parts[3]);
  if (!end) return std::nullopt;
  auto running = read_running(parts[4], *end);
  if (!running) return std::nullopt;
  FeedCursor cursor{.incarnation = std::string(parts[0]),
                    .history = std::string(parts[2]),
                    .told = {.end = *end, .running = std::move(*running)},
                    .inside = std::nullopt};
  if (parts[5].empty()) return cursor;
  const std::size_t point = parts[5].find('.');
  if (point == text.npos) return std::nullopt;
  cursor.inside = read_inside(parts[5].substr(0, point), parts[5].substr(point + 1));
  if (!cursor.inside) return std::nullopt;
  const std::uint64_t in = cursor.inside->transaction;
  if (in != *end && !contains(cursor.told.running, in)) return std::nullopt;
  return cursor;
}

FeedCursor FeedCursor::behind(const Snapshot& now) const {
  FeedCursor next = *this;
  next.told = joined(told, now, now.end);
  if (inside && next.told.sees(inside->transaction)) next.inside.reset();
  return next;
}

FeedCursor FeedCursor::behind(const Snapshot& now, Inside last) const {
  FeedCursor next = *this;
  next.inside = last;
  if (inside && inside->transaction == last.transaction) return next;
  const bool rest_told = inside && now.sees(inside->transaction);
  next.told = joined(rest_told ? with(told, inside->transaction) : told, now, last.transaction);
  return next;
}

}  // namespace tiercache::postgres
