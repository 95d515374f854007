// Entries as files hold them, for the tests of the envelope.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "json/envelope.h"

namespace tiercache {

inline WallTime wall_ms(std::int64_t ms) {
  return WallTime(std::chrono::milliseconds(ms));
}

inline Entry document_entry(const std::string& document) {
  Entry entry;
  entry.version = {111411200000000001u, 42};
  entry.document = std::make_shared<const std::string>(document);
  entry.checksum = Checksum::of(document);
  entry.clocks.last_fetch = wall_ms(1'700'000'000'000);
  return entry;
}

inline Entry tombstone_entry() {
  Entry entry;
  entry.kind = EntryKind::tombstone;
  entry.version = {111411200000000002u, 42};
  return entry;
}

inline void expect_same_but_document(const Entry& a, const Entry& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.checksum, b.checksum);
  EXPECT_EQ(a.text_checksum, b.text_checksum);
  EXPECT_EQ(a.clocks, b.clocks);
  EXPECT_EQ(a.metadata, b.metadata);
  EXPECT_EQ(a.cache_version, b.cache_version);
  EXPECT_EQ(a.fresh_for, b.fresh_for);
}

inline void expect_same(const Entry& a, const Entry& b) {
  expect_same_but_document(a, b);
  ASSERT_EQ(a.document == nullptr, b.document == nullptr);
  if (a.document) {
    EXPECT_EQ(*a.document, *b.document);
  }
}

}  // namespace tiercache
