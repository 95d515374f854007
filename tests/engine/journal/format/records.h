// Records in one line, for all tests of the journal.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "journal/format/record.h"

namespace tiercache::testing {

inline Version at(std::uint64_t time) {
  return {time, 1};
}

inline WallTime ms(std::int64_t since_epoch) {
  return WallTime(std::chrono::milliseconds(since_epoch));
}

inline EntryId id_of(const std::string& key) {
  return {"d", key};
}

inline Record content(const std::string& key, std::uint64_t version, const std::string& document) {
  Record record;
  record.id = id_of(key);
  record.entry.version = at(version);
  record.entry.document = std::make_shared<std::string>(document);
  record.entry.checksum = Checksum::of(document);
  return record;
}

inline Record tombstone(const std::string& key, std::uint64_t version) {
  Record record;
  record.id = id_of(key);
  record.entry.kind = EntryKind::tombstone;
  record.entry.version = at(version);
  return record;
}

inline Record clocks(const std::string& key, std::uint64_t version, const Clocks& moved) {
  Record record;
  record.kind = RecordKind::clocks;
  record.id = id_of(key);
  record.entry.version = at(version);
  record.entry.clocks = moved;
  return record;
}

inline Record erase_matching(const std::string& glob, std::uint64_t version) {
  Record record;
  record.kind = RecordKind::erase_matching;
  record.id = id_of(glob);
  record.entry.version = at(version);
  return record;
}

// A document of about `bytes` bytes that tells which one it is.
inline std::string document(const std::string& of, std::size_t bytes = 40) {
  std::string text = "{\"of\":\"" + of + "\",\"pad\":\"";
  if (text.size() + 2 < bytes) text.append(bytes - text.size() - 2, 'x');
  return text + "\"}";
}

}  // namespace tiercache::testing
