// A record's payload is a fixed order of little-endian numbers and length-prefixed strings. One
// byte of bits says which optional members are there. Whoever decodes a payload checks once at the
// end that all of it was there and nothing was left over (`ByteReader::at_end`), because the
// frame's checksum has already told that these are the bytes that were written.
#include "journal/format/record.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "journal/format/bytes.h"
#include "tiercache/store_rules.h"

namespace tiercache {
namespace {

// The bits that say which optional members follow, in the order of their bits.
enum Present : std::uint8_t {
  kLastFetch = 1,
  kLastRichFetch = 2,
  kInvalidatedAt = 4,
  kFreshFor = 8,
  kNotNewerThan = 16,
  kDocument = 32,
  kAllPresent = 63,
};

std::uint8_t presence(const Record& record) {
  const Clocks& clocks = record.entry.clocks;
  unsigned bits = 0;
  if (clocks.last_fetch) bits |= kLastFetch;
  if (clocks.last_rich_fetch) bits |= kLastRichFetch;
  if (clocks.invalidated_at) bits |= kInvalidatedAt;
  if (record.entry.fresh_for) bits |= kFreshFor;
  if (record.not_newer_than) bits |= kNotNewerThan;
  if (record.entry.document) bits |= kDocument;
  return static_cast<std::uint8_t>(bits);
}

void put_version(std::string* out, const Version& version) {
  put_number(out, version.time);
  put_number(out, version.writer);
}

void put_time(std::string* out, const std::optional<WallTime>& time) {
  if (time) put_number(out, static_cast<std::uint64_t>(time->time_since_epoch().count()));
}

Version get_version(ByteReader* in) {
  Version version;
  version.time = in->number<std::uint64_t>();
  version.writer = in->number<std::uint32_t>();
  return version;
}

std::chrono::milliseconds get_duration(ByteReader* in) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(in->number<std::uint64_t>()));
}

void get_clocks(ByteReader* in, std::uint8_t present, Clocks* out) {
  *out = {};
  if (present & kLastFetch) out->last_fetch = WallTime(get_duration(in));
  if (present & kLastRichFetch) out->last_rich_fetch = WallTime(get_duration(in));
  if (present & kInvalidatedAt) out->invalidated_at = WallTime(get_duration(in));
}

// A lineage is written where other kinds have `why`, which content does not use. A reader of an
// earlier version ignores it there and merely refuses more, because it sees the guard alone.
std::string text_of(const Lineage& made_from) {
  std::string text = made_from.up_to.to_string();
  for (const std::uint32_t writer : made_from.writers) text += ' ' + std::to_string(writer);
  return text;
}

// Any other text than `text_of` writes counts as no lineage.
Lineage lineage_of(const std::string& written) {
  std::string_view text = written;
  const std::size_t end = std::min(text.find(' '), text.size());
  const auto up_to = Version::parse(text.substr(0, end));
  if (!up_to) return {};
  Lineage made_from{.up_to = *up_to};
  for (text.remove_prefix(end); text.starts_with(' ');) {
    text.remove_prefix(1);
    std::uint32_t writer = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), writer);
    if (read.ec != std::errc()) return {};
    made_from.writers.push_back(writer);
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  }
  if (text_of(made_from) != written) return {};
  return made_from;
}

bool is_entry_kind(std::uint8_t kind) {
  return kind == static_cast<std::uint8_t>(EntryKind::document) ||
         kind == static_cast<std::uint8_t>(EntryKind::tombstone);
}

}  // namespace

std::string encode_record(const Record& record) {
  const Entry& entry = record.entry;
  std::string out;
  out.reserve(128 + record.id.dataset.size() + record.id.key.size() + entry.metadata.size() +
              record.why.size() + (entry.document ? entry.document->size() : 0));
  put_number(&out, static_cast<std::uint8_t>(record.kind));
  put_number(&out, static_cast<std::uint8_t>(record.subject));
  put_number(&out, static_cast<std::uint8_t>(entry.kind));
  put_number(&out, presence(record));
  put_version(&out, entry.version);
  put_string(&out, record.id.dataset);
  put_string(&out, record.id.key);
  put_time(&out, entry.clocks.last_fetch);
  put_time(&out, entry.clocks.last_rich_fetch);
  put_time(&out, entry.clocks.invalidated_at);
  if (entry.fresh_for) put_number(&out, static_cast<std::uint64_t>(entry.fresh_for->count()));
  if (record.not_newer_than) put_version(&out, *record.not_newer_than);
  put_number(&out, entry.checksum.high);
  put_number(&out, entry.checksum.low);
  put_string(&out, entry.metadata);
  put_string(&out, entry.cache_version);
  put_string(&out, record.made_from.empty() ? record.why : text_of(record.made_from));
  if (entry.document) put_string(&out, *entry.document);
  return out;
}

bool decode_record(std::string_view payload, Record* out, DocumentBytes document) {
  ByteReader in(payload);
  const auto kind = in.number<std::uint8_t>();
  const auto subject = in.number<std::uint8_t>();
  const auto entry_kind = in.number<std::uint8_t>();
  const auto present = in.number<std::uint8_t>();
  if (!in.ok() || !is_record_kind(kind) || !is_record_kind(subject) || !is_entry_kind(entry_kind) ||
      present > kAllPresent) {
    return false;
  }
  Entry& entry = out->entry;
  out->kind = static_cast<RecordKind>(kind);
  out->subject = static_cast<RecordKind>(subject);
  entry.kind = static_cast<EntryKind>(entry_kind);
  entry.version = get_version(&in);
  out->id.dataset = in.text();
  out->id.key = in.text();
  get_clocks(&in, present, &entry.clocks);
  entry.fresh_for.reset();
  if (present & kFreshFor) entry.fresh_for = get_duration(&in);
  out->not_newer_than.reset();
  if (present & kNotNewerThan) out->not_newer_than = get_version(&in);
  entry.checksum.high = in.number<std::uint64_t>();
  entry.checksum.low = in.number<std::uint64_t>();
  entry.metadata = in.text();
  entry.cache_version = in.text();
  out->why = in.text();
  out->made_from = {};
  if (out->kind == RecordKind::content) {
    out->made_from = lineage_of(out->why);
    out->why.clear();
  }
  entry.document.reset();
  if (present & kDocument) {
    const std::string_view text = in.text();
    if (document == DocumentBytes::read) entry.document = std::make_shared<std::string>(text);
  }
  return in.at_end();
}

bool Lineage::has(const Version& row) const {
  return row <= up_to && std::find(writers.begin(), writers.end(), row.writer) != writers.end();
}

void Lineage::add(const Version& write) {
  up_to = write;
  std::erase(writers, write.writer);
  writers.push_back(write.writer);
  if (writers.size() > kMostWriters) writers.erase(writers.begin());
}

bool guard_holds(const std::optional<Version>& not_newer_than, const Lineage& made_from,
                 const Version& row) {
  return !not_newer_than || row <= *not_newer_than || made_from.has(row);
}

void merge_clocks_records(const Record& earlier, Record* record) {
  Entry& entry = record->entry;
  if (earlier.entry.version == entry.version) {
    Entry merged = earlier.entry;
    merge_clocks(&merged, entry.clocks, entry.metadata, true);
    entry.clocks = merged.clocks;
    entry.metadata = std::move(merged.metadata);
    return;
  }
  entry.clocks.merge(earlier.entry.clocks);
  if (earlier.entry.version < entry.version) return;
  entry.version = earlier.entry.version;
  entry.metadata = earlier.entry.metadata;
}

bool covers(const Clocks& whole, const Clocks& part) {
  const auto covered = [](const std::optional<WallTime>& by, const std::optional<WallTime>& time) {
    return !time || (by && *by >= *time);
  };
  return covered(whole.last_fetch, part.last_fetch) &&
         covered(whole.last_rich_fetch, part.last_rich_fetch) &&
         covered(whole.invalidated_at, part.invalidated_at);
}

}  // namespace tiercache
