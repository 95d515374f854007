#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "engine/journal/journal_fixture.h"
#include "journal/format/segment.h"

namespace tiercache::testing {
namespace {

std::set<std::string> folders(const MemoryDisk& disk) {
  std::set<std::string> found;
  const std::string under = std::string(kDirectory) + "/";
  for (const std::string& path : disk.files()) {
    if (!path.starts_with(under)) continue;
    const std::string rest = path.substr(under.size());
    if (rest.find('/') != std::string::npos) found.insert(rest.substr(0, rest.find('/')));
  }
  return found;
}

using JournalAdoption = OpenJournalTest;

TEST_F(JournalAdoption, small_leftovers_are_moved_and_the_old_folder_is_deleted) {
  log.put(content("k", 5, document("k")));
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(folders(disk), std::set<std::string>{"life-2"});
  EXPECT_EQ(*log.journal->take_unsettled(1, 1).at(0).write.entry.document, document("k"));
}

TEST_F(JournalAdoption, large_leftovers_stay_in_place_until_compaction) {
  for (int i = 0; i < 20; ++i) log.put(content("k" + std::to_string(i), i + 1, document("k", 900)));
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.recovered.size(), 20u);
  EXPECT_EQ(folders(disk), (std::set<std::string>{"life-1", "life-2"}));
  EXPECT_EQ(log.journal->take_unsettled(100, 1 << 20).size(), 20u);
  ASSERT_TRUE(log.journal->compact(Journal::Compact::when_due).ok());
  EXPECT_EQ(folders(disk), std::set<std::string>{"life-2"});
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.recovered.size(), 20u);
}

// A record that is read after a kill may never have been synced.
TEST(JournalsOfOneDisk, what_a_leftover_makes_dead_stays_until_the_leftover_is_copied_I1) {
  for (const Record& later : {content("k", 50, "2"), erase_matching("*", 50)}) {
    MemoryDisk disk;
    JournalOnDisk a(disk);
    JournalOnDisk b(disk);
    ASSERT_TRUE(a.open().ok());
    ASSERT_TRUE(b.open().ok());
    a.put(content("k", 5, "1"));
    b.put(later);
    a.journal.reset();
    b.journal.reset();
    disk.set_fault([](const std::string& operation, const std::string&) {
      return operation == "sync_data" ? EIO : 0;
    });
    const auto left = segment_files(disk);
    ASSERT_EQ(left.size(), 2u);
    JournalOnDisk next(disk);
    next.open();
    const auto there = segment_files(disk);
    for (const std::string& path : left) {
      EXPECT_TRUE(std::find(there.begin(), there.end(), path) != there.end()) << path;
    }
    disk.set_fault(nullptr);
    ASSERT_TRUE(next.journal->compact(Journal::Compact::when_due).ok());
    EXPECT_EQ(folders(disk).size(), 1u);
    EXPECT_EQ(next.journal->stats().unsettled, 1u);
  }
}

TEST_F(JournalAdoption, settled_leftovers_free_the_old_folder_without_a_copy) {
  for (int i = 0; i < 20; ++i) log.put(content("k" + std::to_string(i), i + 1, document("k", 900)));
  log.kill();
  ASSERT_TRUE(log.open().ok());
  const auto recovered = log.recovered;
  for (const Record& record : recovered) log.finish(record);
  EXPECT_EQ(folders(disk), std::set<std::string>{"life-2"});
  EXPECT_EQ(log.journal->stats().disk_bytes, 0u);
}

TEST_F(JournalAdoption, what_a_later_life_says_counts_while_the_old_folder_is_still_there) {
  for (int i = 0; i < 20; ++i) log.put(content("k" + std::to_string(i), i + 1, document("k", 900)));
  log.journal->park(log.journal->take_unsettled(1, 1).at(0), "no");
  EXPECT_TRUE(log.journal->commit());
  log.kill();
  ASSERT_TRUE(log.open().ok());
  ASSERT_TRUE(log.journal->retry_parked(id_of("k0")));
  EXPECT_TRUE(log.journal->commit());
  log.kill();
  ASSERT_EQ(folders(disk).size(), 2u);
  ASSERT_TRUE(log.open().ok());
  EXPECT_TRUE(log.journal->parked().empty());
  EXPECT_EQ(log.journal->stats().unsettled, 20u);
}

TEST(JournalsOfOneDisk, later_word_on_a_parked_write_counts_in_whatever_order_folders_are_met) {
  MemoryDisk disk;
  JournalOnDisk log(disk);
  for (int life = 1; life <= 9; ++life) ASSERT_TRUE(log.open().ok());
  for (int i = 0; i < 20; ++i) log.put(content("k" + std::to_string(i), i + 1, document("k", 900)));
  log.journal->park(log.journal->take_unsettled(1, 1).at(0), "no");
  EXPECT_TRUE(log.journal->commit());
  log.kill();
  ASSERT_TRUE(log.open().ok());
  ASSERT_TRUE(log.journal->retry_parked(id_of("k0")));
  EXPECT_TRUE(log.journal->commit());
  log.kill();
  ASSERT_EQ(folders(disk), (std::set<std::string>{"life-10", "life-9"})) << "the later one first";
  ASSERT_TRUE(log.open().ok());
  EXPECT_TRUE(log.journal->parked().empty());
}

// Its owner died while it copied forward what another had left: the content is in two folders.
TEST(JournalsOfOneDisk, parked_write_in_a_folder_that_cannot_be_read_to_its_end_is_met_without_it) {
  MemoryDisk disk;
  JournalOnDisk left(disk);
  JournalOnDisk copied(disk);
  ASSERT_TRUE(left.open().ok());
  ASSERT_TRUE(copied.open().ok());
  left.put(content("k", 5, document("k")));
  left.journal->park(left.journal->take_unsettled(1, 1).at(0), "no");
  ASSERT_TRUE(left.journal->commit());
  left.put(content("later", 6, document("later", 5000)));
  copied.put(content("k", 5, document("k")));
  const auto segments = segment_files(disk);
  ASSERT_EQ(segments.size(), 3u);
  disk.kill();
  disk.kill();
  disk.set_fault([&](const std::string& operation, const std::string& path) {
    return operation == "read_file" && path == segments[2] ? EIO : 0;
  });
  JournalOnDisk next(disk);
  EXPECT_EQ(next.open().error, EIO);
  ASSERT_NE(next.journal, nullptr);
  EXPECT_EQ(*next.journal->take_unsettled(1, 1).at(0).write.entry.document, document("k"));
  disk.set_fault({});
}

TEST_F(JournalAdoption, full_disk_at_start_hides_nothing_I1) {
  log.put(content("k", 5, document("k")));
  log.kill();
  disk.set_capacity(1);
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("k"), nullptr);
  EXPECT_EQ(log.put(content("l", 6, "1")).status, AppendStatus::not_applied);
  EXPECT_EQ(*log.journal->take_unsettled(1, 1).at(0).write.entry.document, document("k"));
  log.finish(content("k", 5, ""));
  EXPECT_TRUE(segment_files(disk).empty()) << "what is settled makes room";
}

TEST(JournalsOfOneDisk, living_owner_is_left_alone) {
  MemoryDisk disk;
  JournalOnDisk alive(disk);
  JournalOnDisk other(disk);
  alive.options.directory = other.options.directory;
  ASSERT_TRUE(alive.open().ok());
  alive.put(content("k", 5, "1"));
  // The second life of the same name must not collide with the living folder.
  ASSERT_TRUE(other.open().ok());
  EXPECT_TRUE(other.recovered.empty());
  EXPECT_EQ(folders(disk), (std::set<std::string>{"life-1", "life-1-1"}));
  other.put(content("l", 6, "1"));
  EXPECT_EQ(alive.journal->take_unsettled(10, 1 << 20).size(), 1u);
}

TEST(JournalsOfOneDisk, living_journal_adopts_what_a_neighbour_left) {
  MemoryDisk disk;
  JournalOnDisk neighbour(disk);
  JournalOnDisk alive(disk);
  ASSERT_TRUE(alive.open().ok());
  ASSERT_TRUE(neighbour.open().ok());
  alive.put(content("mine", 4, "1"));
  alive.put(content("both", 4, "1"));
  neighbour.put(content("both", 5, "\"newer\""));
  neighbour.put(content("theirs", 6, "1"));
  neighbour.journal.reset();
  std::vector<std::string> told;
  const auto recovered = [&](const Record& record) { told.push_back(record.id.key); };
  ASSERT_TRUE(alive.journal->adopt(recovered).ok());
  EXPECT_EQ(told, (std::vector<std::string>{"both", "theirs"}));
  ASSERT_TRUE(alive.journal->adopt(recovered).ok());
  EXPECT_EQ(told.size(), 2u);
  Version version;
  ASSERT_TRUE(alive.journal->is_unsettled(id_of("both"), &version));
  EXPECT_EQ(version, at(5));
  EXPECT_EQ(alive.journal->take_unsettled(10, 1 << 20).size(), 3u);
}

TEST_F(JournalAdoption, one_journal_adopts_at_a_time_and_others_are_told) {
  log.put(content("k", 5, "1"));
  log.kill();
  std::unique_ptr<FileLock> adopting;
  const std::string path = std::string(kDirectory) + "/adopting";
  ASSERT_TRUE(disk.boot()->try_lock(path, &adopting).ok());
  EXPECT_EQ(log.open().error, EAGAIN);
  ASSERT_NE(log.journal, nullptr);
  EXPECT_TRUE(log.recovered.empty());
  adopting.reset();
  std::vector<std::string> told;
  ASSERT_TRUE(
      log.journal->adopt([&](const Record& record) { told.push_back(record.id.key); }).ok());
  EXPECT_EQ(told, std::vector<std::string>{"k"});
}

TEST(JournalsOfOneDisk, newest_of_a_key_is_told_once_whichever_folder_has_it_I3) {
  MemoryDisk disk;
  JournalOnDisk a(disk);
  JournalOnDisk b(disk);
  ASSERT_TRUE(a.open().ok());
  ASSERT_TRUE(b.open().ok());
  a.put(content("k", 9, "\"new\""));
  b.put(content("k", 8, "\"old\""));
  a.put(clocks("c", 1, {ms(5), {}, {}}));
  b.put(clocks("c", 1, {ms(1), {}, ms(7)}));
  a.journal.reset();
  b.journal.reset();
  JournalOnDisk next(disk);
  ASSERT_TRUE(next.open().ok());
  ASSERT_EQ(next.recovered.size(), 2u);
  EXPECT_EQ(*next.recovered_content("k")->entry.document, "\"new\"");
  EXPECT_EQ(next.recovered_of(RecordKind::clocks, "c")->entry.clocks, (Clocks{ms(5), {}, ms(7)}));
  next.kill();
  ASSERT_TRUE(next.open().ok());
  EXPECT_EQ(next.recovered.size(), 2u);
  EXPECT_EQ(next.recovered_of(RecordKind::clocks, "c")->entry.clocks, (Clocks{ms(5), {}, ms(7)}));
}

TEST(JournalsOfOneDisk, erase_of_one_journal_hides_what_another_left_I4) {
  MemoryDisk disk;
  JournalOnDisk a(disk);
  JournalOnDisk b(disk);
  ASSERT_TRUE(a.open().ok());
  ASSERT_TRUE(b.open().ok());
  a.put(content("user/1", 5, "1"));
  b.put(erase_matching("user/*", 7));
  a.journal.reset();
  std::size_t told = 0;
  ASSERT_TRUE(b.journal->adopt([&](const Record&) { ++told; }).ok());
  EXPECT_EQ(told, 0u);
  EXPECT_FALSE(b.journal->is_unsettled(id_of("user/1")));
}

// Two folders are not ordered on the disk unless by a sync.
TEST_F(JournalAdoption, erased_record_does_not_come_back_with_the_folder_that_it_was_left_in_I4) {
  log.put(content("user/1", 5, "1"));
  log.kill();
  ASSERT_TRUE(log.open().ok());
  const Record erase = erase_matching("user/*", 7);
  log.put(erase);
  log.finish(erase);
  log.put(content("next", 9, document("next", 5000)));
  ASSERT_EQ(segment_files(disk).size(), 1u) << "nothing tells of the erase any more";
  ASSERT_TRUE(disk.boot()->sync_directory(std::string(kDirectory) + "/life-2").ok());
  disk.power_loss(0);
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.recovered_content("user/1"), nullptr);
}

TEST_F(JournalAdoption, later_format_is_refused_by_number_and_left_alone) {
  log.put(content("k", 5, "1"));
  log.kill();
  const std::string path = segment_files(disk).at(0);
  std::string bytes;
  ASSERT_TRUE(disk.read(path, &bytes));
  bytes[8] = 3;
  bytes[bytes.size() - kSegmentHeaderBytes + 8] = 3;
  disk.write(path, bytes);
  const IoStatus status = log.open();
  EXPECT_EQ(status.error, ENOTSUP);
  EXPECT_NE(status.what.find("format 3"), std::string::npos) << status.what;
  ASSERT_NE(log.journal, nullptr);
  EXPECT_EQ(log.put(content("l", 6, "1")).status, AppendStatus::durable);
  std::string after;
  ASSERT_TRUE(disk.read(path, &after));
  EXPECT_EQ(after, bytes);
}

TEST_F(JournalAdoption, unreadable_folder_is_reported_and_left_for_later) {
  for (int i = 0; i < 20; ++i) log.put(content("k" + std::to_string(i), i + 1, document("k", 900)));
  log.kill();
  const std::string last = segment_files(disk).back();
  disk.set_fault([&](const std::string& operation, const std::string& path) {
    return operation == "read_file" && path == last ? EIO : 0;
  });
  EXPECT_EQ(log.open().error, EIO);
  ASSERT_NE(log.journal, nullptr);
  EXPECT_TRUE(log.recovered.empty());
  EXPECT_EQ(log.journal->stats().live_records, 0u);
  disk.set_fault(nullptr);
  std::size_t told = 0;
  EXPECT_TRUE(log.journal->adopt([&](const Record&) { ++told; }).ok());
  EXPECT_EQ(told, 20u);
}

// Parked for good, it would be neither served nor sent once the disk works again.
TEST(JournalsOfOneDisk, record_that_cannot_be_read_for_now_is_told_by_a_later_adoption_I1) {
  for (const std::string operation : {"open", "read_at"}) {
    MemoryDisk disk;
    JournalOnDisk log(disk);
    ASSERT_TRUE(log.open().ok());
    log.put(content("k", 5, document("k")));
    log.kill();
    disk.set_fault([&](const std::string& what, const std::string& path) {
      return what == operation && path.find("life-1") != std::string::npos ? EMFILE : 0;
    });
    EXPECT_EQ(log.open().error, EMFILE);
    EXPECT_EQ(log.recovered_content("k"), nullptr);
    EXPECT_TRUE(log.journal->parked().empty());
    disk.set_fault({});
    std::vector<Record> told;
    ASSERT_TRUE(log.journal->adopt([&](const Record& record) { told.push_back(record); }).ok());
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(*log.journal->take_unsettled(1, 1).at(0).write.entry.document, document("k"));
    EXPECT_EQ(folders(disk), std::set<std::string>{"life-2"});
  }
}

TEST_F(JournalAdoption, folder_that_nobody_wrote_to_is_deleted) {
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(folders(disk), std::set<std::string>{"life-2"});
}

TEST_F(JournalAdoption, damaged_segment_is_kept_aside_I9) {
  log.put(content("k", 5, "1"));
  log.kill();
  const std::string path = segment_files(disk).at(0);
  std::string bytes;
  ASSERT_TRUE(disk.read(path, &bytes));
  bytes.replace(0, 8, "GARBAGE!");
  bytes.replace(bytes.size() - kSegmentHeaderBytes, 8, "GARBAGE!");
  disk.write(path, bytes);
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.journal->stats().corrupt_records, 1u);
  ASSERT_EQ(quarantined_files(disk).size(), 1u);
  std::string kept;
  ASSERT_TRUE(disk.read(quarantined_files(disk)[0], &kept));
  EXPECT_EQ(kept, bytes);
}

TEST_F(JournalAdoption, damage_that_cannot_be_kept_aside_is_not_deleted_I9) {
  log.put(content("k", 5, "1"));
  log.kill();
  const std::string path = segment_files(disk).at(0);
  disk.write(path, "not zeros");
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "write_file" ? ENOSPC : 0;
  });
  ASSERT_TRUE(log.open().ok());
  ASSERT_TRUE(log.journal->adopt(nullptr).ok());
  EXPECT_EQ(log.journal->stats().corrupt_records, 1u) << "counted once while it is held";
  disk.set_fault(nullptr);
  std::string kept;
  EXPECT_TRUE(disk.read(path, &kept));
}

}  // namespace
}  // namespace tiercache::testing
