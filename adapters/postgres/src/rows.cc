#include "rows.h"

#include <openssl/evp.h>

#include <array>
#include <charconv>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "text.h"

namespace tiercache::postgres {

namespace {

std::optional<WallTime> to_time(const std::optional<std::int64_t>& ms) {
  if (!ms) return std::nullopt;
  return WallTime(std::chrono::milliseconds(*ms));
}

// Whether the row's document is there and matches its stored checksum, or is rightly missing.
bool is_whole(const pqxx::result& result, int row, EntryKind kind) {
  const bool has_data = !shim::is_null(result, row, kData);
  if (has_data != (kind == EntryKind::document)) return false;
  return !has_data ||
         sha256_of(shim::text(result, row, kData)) == shim::text(result, row, kStoredChecksum);
}

// The database returns a text of its own for the document, which may not be the one that was put.
void read_document(const pqxx::result& result, int row, Entry* entry) {
  entry->document = read_text(result, row);
  const Checksum of_text = Checksum::of(*entry->document);
  if (of_text != entry->checksum) entry->text_checksum = of_text;
}

}  // namespace

std::int64_t integer(const pqxx::result& result, int row, int column) {
  const std::string_view text = shim::text(result, row, column);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::runtime_error("the server answered no number where one was asked for");
  }
  return value;
}

std::optional<std::int64_t> optional_integer(const pqxx::result& result, int row, int column) {
  if (shim::is_null(result, row, column)) return std::nullopt;
  return integer(result, row, column);
}

EntryPtr read_entry(const pqxx::result& result, int row) {
  Entry entry;
  entry.kind =
      shim::text(result, row, kDeleted) == "t" ? EntryKind::tombstone : EntryKind::document;
  const auto checksum = Checksum::parse(shim::text(result, row, kChecksum));
  if (!checksum || !is_whole(result, row, entry.kind)) return nullptr;
  entry.checksum = *checksum;
  entry.version = {static_cast<std::uint64_t>(integer(result, row, kVersion)),
                   static_cast<std::uint32_t>(integer(result, row, kWriter))};
  if (entry.kind == EntryKind::document) read_document(result, row, &entry);
  entry.clocks = {to_time(optional_integer(result, row, kLastFetch)),
                  to_time(optional_integer(result, row, kLastRichFetch)),
                  to_time(optional_integer(result, row, kInvalidatedAt))};
  entry.metadata = shim::text(result, row, kMetadata);
  entry.cache_version = shim::text(result, row, kCacheVersion);
  if (const auto fresh_for = optional_integer(result, row, kFreshFor)) {
    entry.fresh_for = std::chrono::milliseconds(*fresh_for);
  }
  return std::make_shared<const Entry>(std::move(entry));
}

std::shared_ptr<const std::string> read_text(const pqxx::result& result, int row) {
  if (shim::is_null(result, row, kData)) return nullptr;
  return std::make_shared<const std::string>(shim::text(result, row, kData));
}

EntryId read_id(const pqxx::result& result, int row) {
  return {std::string(shim::text(result, row, kType)), std::string(shim::text(result, row, kKey))};
}

std::optional<WallTime> read_now(const pqxx::result& result) {
  if (result.empty()) return std::nullopt;
  return to_time(optional_integer(result, static_cast<int>(result.size()) - 1, kNow));
}

std::string sha256_of(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL gives no SHA-256");
  }
  std::string text;
  for (unsigned int i = 0; i < size; ++i) append_hex(digest[i], &text);
  return text;
}

}  // namespace tiercache::postgres
