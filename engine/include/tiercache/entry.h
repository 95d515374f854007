// What the tiers hold and exchange. An entry is a document with its version, its clocks and its
// metadata. All types here are plain values.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tiercache/time.h"
#include "tiercache/version.h"

namespace tiercache {

// Names an entry: the dataset, and the key in it, which is empty if the dataset is one document.
struct EntryId {
  std::string dataset;  // the dataset's name
  std::string key;      // the key, byte for byte

  friend auto operator<=>(const EntryId&, const EntryId&) = default;
};

// The XXH3-128 hash of a document's bytes as put. It identifies the content in every tier. All
// zeros mean that there is none, as for a tombstone.
struct Checksum {
  std::uint64_t high = 0;  // the upper 64 bits
  std::uint64_t low = 0;   // the lower 64 bits

  friend auto operator<=>(const Checksum&, const Checksum&) = default;

  // Returns it as 32 lower-case hexadecimal digits.
  std::string to_string() const;
  // Reads that form back. Returns nullopt for anything else, upper-case digits included.
  static std::optional<Checksum> parse(std::string_view text);
  // Computes the checksum of these bytes.
  static Checksum of(std::string_view bytes);
};

// When an entry was last fetched and invalidated. Clocks move independently of the version: two
// sets of clocks of one entry are merged by taking the later of each. An absent clock means never.
struct Clocks {
  // When the fetch began that produced or confirmed the content.
  std::optional<WallTime> last_fetch;
  std::optional<WallTime> last_rich_fetch;  // the same for the rich refresh
  std::optional<WallTime> invalidated_at;   // content that was fetched up to then is stale

  friend bool operator==(const Clocks&, const Clocks&) = default;

  // Takes the later of each of the three; an absent one is before every time.
  void merge(const Clocks& other);
};

// What an entry says of its key.
enum class EntryKind : std::uint8_t {
  document,   // there is a document
  tombstone,  // the entry was erased; nothing older than this version may come back
};

// One version of one key. Immutable once shared; safe to read from any thread.
struct Entry {
  EntryKind kind = EntryKind::document;  // whether there is a document
  Version version;                       // the version of the content
  Checksum checksum;                     // of the document as put; zero for a tombstone
  // JSON text: byte for byte as put, unless `text_checksum` is set. Null for a tombstone.
  std::shared_ptr<const std::string> document;
  // The checksum of `*document`, if that is not the text that was put but another text of the same
  // value: a store that keeps values, as JSONB does, returns a text of its own.
  std::optional<Checksum> text_checksum;
  Clocks clocks;                      // when it was fetched and invalidated
  std::string metadata = "{}";        // a JSON object: ETag, Last-Modified and what users add
  std::string cache_version = "1.0";  // the dataset's own format version
  // This entry's own lifetime; absent: the dataset's `fresh_for`.
  std::optional<std::chrono::milliseconds> fresh_for;
};

// How entries are passed around: shared, never changed, and null if there is none.
using EntryPtr = std::shared_ptr<const Entry>;

}  // namespace tiercache
