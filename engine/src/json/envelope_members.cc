#include "json/envelope_members.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "json/scan.h"

namespace tiercache {
namespace {

using Milliseconds = std::chrono::milliseconds;

void append_name(std::string_view name, std::string* out) {
  out->append(",\"").append(name).append("\":");
}

void append_digits(std::uint64_t value, std::size_t width, std::string* out) {
  const std::string digits = std::to_string(value);
  if (digits.size() < width) out->append(width - digits.size(), '0');
  out->append(digits);
}

// Adds the same time for a person to read: "2023-11-14T22:13:20.123Z". No program needs it, so it
// is left out where the year does not have four digits.
void append_utc(std::string_view name, Milliseconds since_epoch, std::string* out) {
  using std::chrono::sys_days;
  constexpr sys_days kFirst = std::chrono::year(0) / 1 / 1;
  constexpr sys_days kAfter = std::chrono::year(10'000) / 1 / 1;
  if (since_epoch < kFirst.time_since_epoch() || since_epoch >= kAfter.time_since_epoch()) return;
  const auto day = std::chrono::floor<std::chrono::days>(since_epoch);
  const std::chrono::year_month_day date{sys_days(day)};
  const std::chrono::hh_mm_ss time(since_epoch - day);
  append_name(std::string(name) + "_utc", out);
  *out += '"';
  append_digits(static_cast<std::uint64_t>(static_cast<int>(date.year())), 4, out);
  append_digits(static_cast<unsigned>(date.month()), 2, &(*out += '-'));
  append_digits(static_cast<unsigned>(date.day()), 2, &(*out += '-'));
  append_digits(static_cast<std::uint64_t>(time.hours().count()), 2, &(*out += 'T'));
  append_digits(static_cast<std::uint64_t>(time.minutes().count()), 2, &(*out += ':'));
  append_digits(static_cast<std::uint64_t>(time.seconds().count()), 2, &(*out += ':'));
  append_digits(static_cast<std::uint64_t>(time.subseconds().count()), 3, &(*out += '.'));
  out->append("Z\"");
}

void append_time(std::string_view name, const std::optional<WallTime>& time, std::string* out) {
  if (!time) return;
  append_number_member(name, time->time_since_epoch().count(), out);
  append_utc(name, time->time_since_epoch(), out);
}

// The metadata is put on one line, however the user wrote it, because the first newline of a file
// ends its header.
void append_metadata(std::string_view metadata, std::string* out) {
  append_name("metadata", out);
  if (metadata.empty()) metadata = "{}";
  const auto begin = static_cast<std::ptrdiff_t>(out->size());
  out->append(metadata);
  std::replace(out->begin() + begin, out->end(), '\n', ' ');
  std::replace(out->begin() + begin, out->end(), '\r', ' ');
}

bool read_text(JsonReader& reader, std::string* out) {
  out->clear();
  return reader.read_string(out);
}

// Reads a string and keeps what `parse` makes of it.
template <class T, class Parse>
bool read_parsed(JsonReader& reader, const char* why, Parse parse, T* out) {
  const std::size_t begin = reader.offset();
  std::string text;
  if (!read_text(reader, &text)) return false;
  const std::optional<T> value = parse(text);
  if (!value) return reader.fail(why, begin);
  *out = *value;
  return true;
}

std::optional<EntryKind> parse_kind(std::string_view text) {
  if (text == "document") return EntryKind::document;
  if (text == "tombstone") return EntryKind::tombstone;
  return std::nullopt;
}

bool read_time(JsonReader& reader, std::optional<WallTime>* out) {
  std::int64_t ms = 0;
  if (!reader.read_integer(&ms)) return false;
  *out = WallTime(Milliseconds(ms));
  return true;
}

bool read_lifetime(JsonReader& reader, std::optional<Milliseconds>* out) {
  std::int64_t ms = 0;
  if (!reader.read_integer(&ms)) return false;
  *out = Milliseconds(ms);
  return true;
}

bool read_size(JsonReader& reader, std::uint64_t* out) {
  const std::size_t begin = reader.offset();
  std::int64_t size = 0;
  if (!reader.read_integer(&size)) return false;
  if (size < 0) return reader.fail("a negative size", begin);
  *out = static_cast<std::uint64_t>(size);
  return true;
}

bool read_metadata(JsonReader& reader, std::string* out) {
  const std::size_t begin = reader.offset();
  if (reader.peek() != '{') return reader.fail("metadata is not an object");
  if (!scan_value(reader, {})) return false;
  *out = reader.since(begin);
  return true;
}

bool read_member(JsonReader& reader, std::string_view name, Envelope* out, std::uint32_t* seen) {
  Entry& entry = out->entry;
  const auto is = [&](std::string_view known, HeaderMember member) {
    if (name != known) return false;
    *seen |= bits(member);
    return true;
  };
  if (is("project", HeaderMember::project)) return read_text(reader, &out->project);
  if (is("dataset", HeaderMember::dataset)) return read_text(reader, &out->id.dataset);
  if (is("key", HeaderMember::key)) return read_text(reader, &out->id.key);
  if (is("kind", HeaderMember::kind)) {
    return read_parsed(reader, "an unknown kind", parse_kind, &entry.kind);
  }
  if (is("version", HeaderMember::version)) {
    return read_parsed(reader, "not a version", Version::parse, &entry.version);
  }
  if (is("checksum", HeaderMember::checksum)) {
    return read_parsed(reader, "not a checksum", Checksum::parse, &entry.checksum);
  }
  if (is("text_checksum", HeaderMember::text_checksum)) {
    return read_parsed(reader, "not a checksum", Checksum::parse, &entry.text_checksum.emplace());
  }
  if (is("size", HeaderMember::size)) return read_size(reader, &out->size);
  if (is("metadata", HeaderMember::metadata)) return read_metadata(reader, &entry.metadata);
  if (is("cache_version", HeaderMember::cache_version)) {
    return read_text(reader, &entry.cache_version);
  }
  if (name == "last_fetch") return read_time(reader, &entry.clocks.last_fetch);
  if (name == "last_rich_fetch") return read_time(reader, &entry.clocks.last_rich_fetch);
  if (name == "invalidated_at") return read_time(reader, &entry.clocks.invalidated_at);
  if (name == "fresh_for") return read_lifetime(reader, &entry.fresh_for);
  return scan_value(reader, {});
}

}  // namespace

void append_string_member(std::string_view name, std::string_view value, std::string* out) {
  append_name(name, out);
  append_json_string(value, out);
}

void append_number_member(std::string_view name, std::int64_t value, std::string* out) {
  append_name(name, out);
  char digits[24];
  out->append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void append_entry_members(const Entry& entry, std::string* out) {
  const bool document = entry.kind == EntryKind::document;
  append_string_member("kind", document ? "document" : "tombstone", out);
  append_string_member("version", entry.version.to_string(), out);
  append_utc("version", entry.version.stamped_at(), out);
  append_time("last_fetch", entry.clocks.last_fetch, out);
  append_time("last_rich_fetch", entry.clocks.last_rich_fetch, out);
  append_time("invalidated_at", entry.clocks.invalidated_at, out);
  if (entry.fresh_for) append_number_member("fresh_for", entry.fresh_for->count(), out);
  append_metadata(entry.metadata, out);
  append_string_member("cache_version", entry.cache_version, out);
  if (!document) return;
  append_string_member("checksum", entry.checksum.to_string(), out);
  if (entry.text_checksum) {
    append_string_member("text_checksum", entry.text_checksum->to_string(), out);
  }
}

bool read_members(JsonReader& reader, Envelope* out, std::uint32_t* seen) {
  std::string name;
  do {
    reader.skip_space();
    if (!read_text(reader, &name) || !reader.expect(':', "expected ':'")) return false;
    reader.skip_space();
    if (!read_member(reader, name, out, seen)) return false;
    reader.skip_space();
  } while (reader.take(','));
  return true;
}

}  // namespace tiercache
