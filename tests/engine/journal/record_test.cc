#include "journal/record.h"

#include <gtest/gtest.h>

#include "engine/journal/journal_fixture.h"

namespace tiercache {
namespace {

using testing::at;
using testing::ms;

Record full_record() {
  Record record = testing::content("a/ключ \xF0\x9F\x8E\xB2", 77, R"({"a":[1,2,3]})");
  record.entry.clocks = {ms(1), ms(-2), ms(3)};
  record.entry.metadata = R"({"etag":"x"})";
  record.entry.cache_version = "2.1";
  record.entry.fresh_for = std::chrono::milliseconds(1234);
  record.not_newer_than = at(76);
  record.subject = RecordKind::clocks;
  record.why = "because";
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
  EXPECT_EQ(a.why, b.why);
}

TEST(JournalRecord, every_member_comes_back) {
  Record read;
  ASSERT_TRUE(decode_record(encode_record(full_record()), &read));
  expect_same(full_record(), read);
}

TEST(JournalRecord, absent_members_stay_absent_in_a_reused_record) {
  Record read = full_record();
  const Record bare = testing::tombstone("", 1);
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

}  // namespace
}  // namespace tiercache
