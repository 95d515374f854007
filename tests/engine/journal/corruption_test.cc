// Every byte of a segment damaged in turn: what lies elsewhere is recovered, and never garbage.
#include <gtest/gtest.h>

#include "engine/journal/journal_fixture.h"
#include "journal/format/segment.h"

namespace tiercache::testing {
namespace {

class JournalCorruption : public ::testing::Test {
 protected:
  static constexpr int kRecords = 8;

  JournalCorruption() {
    MemoryDisk disk;
    JournalOnDisk log(disk);
    log.options.segment_bytes = 2048;
    EXPECT_TRUE(log.open().ok());
    for (int i = 0; i < kRecords; ++i) {
      EXPECT_EQ(log.put(content(key(i), 1, document(key(i)))).status, AppendStatus::durable);
    }
    log.kill();
    path = segment_files(disk).at(0);
    owner = path.substr(0, path.find_last_of('/')) + "/owner";
    EXPECT_TRUE(disk.read(path, &whole));
    SegmentHeader header;
    std::uint32_t format = 0;
    EXPECT_EQ(read_segment_header(whole, &header, &format), SegmentState::good);
    contents = read_frames(whole, header.salt);
    EXPECT_EQ(contents.frames.size(), static_cast<std::size_t>(kRecords));
  }

  static std::string key(int i) { return "k" + std::to_string(i); }
  std::uint64_t start(int i) const { return contents.frames[static_cast<std::size_t>(i)].offset; }
  std::uint64_t end(int i) const { return i + 1 < kRecords ? start(i + 1) : contents.end; }

  // Opens a journal beside this segment; records that touch [from, to) may be lost, no other.
  std::uint64_t expect_others_recovered(const std::string& bytes, std::uint64_t from,
                                        std::uint64_t to) const {
    MemoryDisk disk;
    disk.write(owner, "");
    disk.write(path, bytes);
    JournalOnDisk log(disk);
    log.options.directory = kDirectory;
    const IoStatus status = log.open();
    EXPECT_NE(log.journal, nullptr) << status.what;
    for (int i = 0; i < kRecords; ++i) {
      const Record* record = log.recovered_content(key(i));
      const bool touched = from < end(i) && start(i) < to;
      if (record == nullptr) {
        EXPECT_TRUE(touched) << key(i) << " is lost by damage from " << from << " to " << to;
      } else {
        EXPECT_EQ(*record->entry.document, document(key(i)));
      }
    }
    EXPECT_LE(log.recovered.size(), static_cast<std::size_t>(kRecords));
    return log.journal->stats().corrupt_records;
  }

  std::string path;
  std::string owner;
  std::string whole;
  SegmentContents contents;
};

TEST_F(JournalCorruption, any_flipped_byte_costs_at_most_its_record_I2) {
  for (std::size_t byte = 0; byte < whole.size() && !HasFailure(); ++byte) {
    for (const char flip : {'\x01', '\xFF'}) {
      std::string bytes = whole;
      bytes[byte] = static_cast<char>(bytes[byte] ^ flip);
      expect_others_recovered(bytes, byte, byte + 1);
    }
  }
}

TEST_F(JournalCorruption, any_zeroed_stretch_costs_at_most_its_records_I2) {
  for (const std::size_t size : {std::size_t{8}, std::size_t{100}, std::size_t{700}}) {
    for (std::size_t from = 0; from + size <= whole.size() && !HasFailure(); from += 4) {
      std::string bytes = whole;
      bytes.replace(from, size, size, '\0');
      expect_others_recovered(bytes, from, from + size);
    }
  }
}

TEST_F(JournalCorruption, any_truncation_keeps_what_lies_before_it_I2) {
  for (std::size_t size = 0; size < whole.size() && !HasFailure(); ++size) {
    expect_others_recovered(whole.substr(0, size), size, whole.size());
  }
}

TEST_F(JournalCorruption, damage_before_a_good_record_is_counted_and_kept_aside_I9) {
  std::string bytes = whole;
  bytes[start(2) + 20] ^= 1;
  MemoryDisk disk;
  disk.write(owner, "");
  disk.write(path, bytes);
  JournalOnDisk log(disk);
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.journal->stats().corrupt_records, 1u);
  ASSERT_EQ(quarantined_files(disk).size(), 1u);
  std::string kept;
  ASSERT_TRUE(disk.read(quarantined_files(disk)[0], &kept));
  EXPECT_EQ(kept, bytes.substr(start(2), end(2) - start(2)));
}

TEST_F(JournalCorruption, damage_of_the_last_record_is_a_cut_tail) {
  std::string bytes = whole;
  bytes[start(kRecords - 1) + 20] ^= 1;
  EXPECT_EQ(expect_others_recovered(bytes, start(kRecords - 1), whole.size()), 0u);
}

}  // namespace
}  // namespace tiercache::testing
