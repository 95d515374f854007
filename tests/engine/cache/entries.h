// Entries and records of the tests of a cache's parts, each in one line.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "journal/format/record.h"
#include "tiercache/entry.h"
#include "tiercache/store.h"
#include "tiercache/time.h"

namespace tiercache::detail {

using namespace std::chrono_literals;

inline const EntryId kId{"d", "k"};
inline constexpr WallTime kStart{1'700'000'000'000ms};  // the time of day at first

inline Version version(std::uint64_t time) {
  return {time, 1};
}

// Fetched at `kStart`.
inline Entry document(std::uint64_t time, std::string text = "1") {
  Entry entry;
  entry.version = version(time);
  entry.checksum = Checksum::of(text);
  entry.document = std::make_shared<const std::string>(std::move(text));
  entry.clocks.last_fetch = kStart;
  return entry;
}

inline Entry tombstone(std::uint64_t time) {
  Entry entry;
  entry.kind = EntryKind::tombstone;
  entry.version = version(time);
  return entry;
}

inline EntryPtr shared(Entry entry) {
  return std::make_shared<const Entry>(std::move(entry));
}

inline Clocks fetched_at(WallTime when) {
  Clocks clocks;
  clocks.last_fetch = when;
  return clocks;
}

// A move of the clocks of `kId`'s entry of this version.
inline Record clocks_record(std::uint64_t of, const Clocks& clocks) {
  Record record;
  record.kind = RecordKind::clocks;
  record.id = kId;
  record.entry.version = version(of);
  record.entry.clocks = clocks;
  return record;
}

// A write of `kId` as the store gets it.
inline StoreWrite store_write(Entry entry, std::optional<Version> guard = {}) {
  StoreWrite write;
  write.id = kId;
  write.entry = std::move(entry);
  write.not_newer_than = guard;
  return write;
}

// The document, "<tombstone>" or "<nothing>".
inline std::string text_of(const EntryPtr& entry) {
  if (!entry) return "<nothing>";
  return entry->document ? *entry->document : "<tombstone>";
}

}  // namespace tiercache::detail
