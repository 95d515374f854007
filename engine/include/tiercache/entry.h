// What the tiers hold and exchange: an entry is content and clocks and metadata.
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

// Which document: the dataset and the key in it (empty where the dataset is one document).
struct EntryId {
  std::string dataset;  // the dataset's name
  std::string key;      // the key, byte for byte

  friend auto operator<=>(const EntryId&, const EntryId&) = default;
};

// XXH3-128 of a document's bytes as put. Identifies the content in every tier. All zeros: of a
// tombstone, or none. A plain value.
struct Checksum {
  std::uint64_t high = 0;  // the upper 64 bits
  std::uint64_t low = 0;   // the lower 64 bits

  friend auto operator<=>(const Checksum&, const Checksum&) = default;

  // 32 lower-case hexadecimal digits.
  std::string to_string() const;
  // Reads that form back; nullopt for anything else, upper-case digits included.
  static std::optional<Checksum> parse(std::string_view text);
  // Computes it of these bytes.
  static Checksum of(std::string_view bytes);
};

// When an entry was last fetched or invalidated. Clocks move independently of the version: two sets
// of clocks of one entry merge by taking the later of each.
struct Clocks {
  std::optional<WallTime> last_fetch;  // start of the fetch that produced or confirmed the content
  std::optional<WallTime> last_rich_fetch;  // the same for the rich refresh
  std::optional<WallTime> invalidated_at;   // content fetched up to then is stale

  friend bool operator==(const Clocks&, const Clocks&) = default;

  // Takes the later of each of the three; an absent one is before every time.
  void merge(const Clocks& other);
};

// What an entry says of its key.
enum class EntryKind : std::uint8_t {
  document,   // there is a document
  tombstone,  // it was erased; nothing written before this version may come back
};

// One version of one key. Immutable once shared; safe to read from any thread.
struct Entry {
  EntryKind kind = EntryKind::document;  // whether there is a document
  Version version;                       // the version of the content
  Checksum checksum;  // of the document as put: it identifies the content; zero for a tombstone
  // JSON text: byte for byte as put, unless `text_checksum` is set. Null for a tombstone.
  std::shared_ptr<const std::string> document;
  // Of `*document` where that is another text of the same value: a store that keeps values, as
  // JSONB does, gives back its own.
  std::optional<Checksum> text_checksum;
  Clocks clocks;                      // when it was fetched and invalidated
  std::string metadata = "{}";        // a JSON object: ETag, Last-Modified and what the user adds
  std::string cache_version = "1.0";  // the dataset's own format version
  std::optional<std::chrono::milliseconds> fresh_for;  // per-put lifetime; absent: the dataset's
};

// How entries are handed around: shared, never changed, null where there is none.
using EntryPtr = std::shared_ptr<const Entry>;

}  // namespace tiercache
