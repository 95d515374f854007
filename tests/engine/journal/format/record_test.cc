#include "journal/format/record.h"

#include <gtest/gtest.h>

#include "engine/journal/format/records.h"

namespace tiercache::testing {
namespace {

Record full_record() {
  Record record = content("a/ключ \xF0\x9F\x8E\xB2", 77, R"({"a":[1,2,3]})");
  record.entry.clocks = {ms(1), ms(-2), ms(3)};
  record.entry.metadata = R"({"etag":"x"})";
  record.entry.cache_version = "2.1";
  record.entry.fresh_for = std::chrono::milliseconds(1234);
  record.not_newer_than = at(76);
  record.subject = RecordKind::clocks;
  record.made_from.add({70, 3});
  return record;
}

void expect_same(const Record& a, const Record& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.subject, b.subject);
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.entry.kind, b.entry.kind);
  EXPECT_EQ(a.entry.version, b.entry.version);
  EXPECT_EQ(a.entry.checksum, b.entry.checksum);
  ASSERT_EQ(a.entry.document == nullptr, b.entry.document == nullptr);
  if (a.entry.document) {
    EXPECT_EQ(*a.entry.document, *b.entry.document);
  }
  EXPECT_EQ(a.entry.clocks, b.entry.clocks);
  EXPECT_EQ(a.entry.metadata, b.entry.metadata);
  EXPECT_EQ(a.entry.cache_version, b.entry.cache_version);
  EXPECT_EQ(a.entry.fresh_for, b.entry.fresh_for);
  EXPECT_EQ(a.not_newer_than, b.not_newer_than);
  EXPECT_EQ(a.made_from, b.made_from);
  EXPECT_EQ(a.why, b.why);
}

TEST(JournalRecord, every_member_comes_back) {
  Record read;
  ASSERT_TRUE(decode_record(encode_record(full_record()), &read));
  expect_same(full_record(), read);
}

TEST(JournalRecord, absent_members_stay_absent_in_a_reused_record) {
  Record read = full_record();
  const Record bare = tombstone("", 1);
  ASSERT_TRUE(decode_record(encode_record(bare), &read));
  expect_same(bare, read);
}

TEST(JournalRecord, document_is_left_out_when_not_wanted) {
  Record read;
  ASSERT_TRUE(decode_record(encode_record(full_record()), &read, DocumentBytes::skip));
  EXPECT_EQ(read.entry.document, nullptr);
  EXPECT_EQ(read.id, full_record().id);
}

TEST(JournalRecord, every_shorter_or_longer_form_is_refused) {
  const std::string bytes = encode_record(full_record());
  Record read;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_record(bytes.substr(0, size), &read)) << size;
  }
  EXPECT_FALSE(decode_record(bytes + '\0', &read));
}

TEST(JournalRecord, unknown_kinds_and_members_are_refused) {
  Record read;
  for (std::size_t byte = 0; byte < 4; ++byte) {
    std::string bytes = encode_record(full_record());
    bytes[byte] = '\x7F';
    EXPECT_FALSE(decode_record(bytes, &read)) << byte;
  }
}

TEST(JournalRecord, clocks_are_covered_by_equal_or_later_ones) {
  EXPECT_TRUE(covers({}, {}));
  EXPECT_TRUE(covers({ms(1), {}, {}}, {}));
  EXPECT_FALSE(covers({}, {ms(1), {}, {}}));
  EXPECT_TRUE(covers({ms(2), ms(2), ms(2)}, {ms(2), ms(1), ms(2)}));
  EXPECT_FALSE(covers({ms(2), ms(2), ms(2)}, {ms(2), ms(2), ms(3)}));
}

TEST(Record, lineage_comes_back_and_one_that_cannot_be_read_is_none) {
  Record record = content("k", 9, "1");
  record.not_newer_than = at(3);
  record.made_from.add({7, 4});
  record.made_from.add({8, 5});
  Record read;
  ASSERT_TRUE(decode_record(encode_record(record), &read));
  EXPECT_EQ(read.made_from, record.made_from);
  EXPECT_EQ(read.why, "");
  record.made_from = {};
  for (const char* text : {"7-4 x", "7-4 5x", "7-4 05", "7-4 5 ", "7-4", "no"}) {
    record.why = text;
    ASSERT_TRUE(decode_record(encode_record(record), &read)) << text;
    EXPECT_TRUE(read.made_from.empty()) << text;
  }
}

TEST(Record, guard_holds_for_older_rows_and_for_the_writes_it_was_made_from) {
  Lineage made_from;
  made_from.add({7, 4});
  made_from.add({9, 5});
  const Version guard{3, 1};
  EXPECT_TRUE(guard_holds(guard, made_from, {3, 1}));
  EXPECT_TRUE(guard_holds(guard, made_from, {7, 4}));
  EXPECT_TRUE(guard_holds(guard, made_from, {9, 5}));
  EXPECT_FALSE(guard_holds(guard, made_from, {8, 6})) << "of another writer";
  EXPECT_FALSE(guard_holds(guard, made_from, {10, 5})) << "later than what it was made from";
  EXPECT_TRUE(guard_holds(std::nullopt, {}, {10, 5}));
}

TEST(Record, lineage_is_bounded) {
  Lineage made_from;
  for (std::uint32_t i = 1; i <= 100; ++i) made_from.add({i, i});
  EXPECT_EQ(made_from.writers.size(), Lineage::kMostWriters);
  EXPECT_TRUE(made_from.has({100, 100}));
}

}  // namespace
}  // namespace tiercache::testing
