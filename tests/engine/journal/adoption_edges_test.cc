// Adoption at its edges: folders that vanish or are only being made, damage, and what one folder
// says of another's records.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "engine/journal/journal_fixture.h"
#include "journal/format/segment.h"

namespace tiercache::testing {
namespace {

constexpr char kFirstLife[] = "/cache/journal/life-1";

class AdoptionEdges : public JournalOnDiskTest {
 protected:
  void leave_behind(const std::vector<Record>& records) {
    ASSERT_TRUE(log.open().ok());
    for (const Record& record : records) log.put(record);
    log.kill();
  }
  static std::vector<Record> too_many_to_be_moved_at_once() {
    std::vector<Record> records;
    for (int i = 0; i < 8; ++i) {
      const std::string key = "k" + std::to_string(i);
      records.push_back(content(key, static_cast<std::uint64_t>(i) + 1, document(key, 1'500)));
    }
    return records;
  }
  // From the `nth` call on (1: the first), as many times as said.
  void fail(const std::string& operation, const std::string& path, int error, int nth = 1,
            int times = 1'000) {
    auto calls = std::make_shared<int>(0);
    disk.set_fault([=](const std::string& name, const std::string& of) {
      if (name != operation || of != path) return 0;
      ++*calls;
      return *calls >= nth && *calls < nth + times ? error : 0;
    });
  }
  bool has_file(const std::string& path) const {
    std::string bytes;
    return disk.read(path, &bytes);
  }
  std::size_t adopt() {
    std::size_t told = 0;
    EXPECT_TRUE(journal().adopt([&](const Record&) { ++told; }).ok());
    return told;
  }
  // A journal under a name of its own, whose folder is met in the order of the names.
  std::unique_ptr<Journal> open_as(const std::string& name) {
    JournalOptions options = log.options;
    options.name = name;
    std::unique_ptr<Journal> out;
    EXPECT_TRUE(Journal::open(disk.boot(), options, {}, &out).ok());
    return out;
  }
  static void put(Journal& into, Record record) {
    into.append(std::move(record), nullptr);
    EXPECT_TRUE(into.commit());
  }
};

// --- Folders that are not what they seem ---

// Asked for its names twice: before its lock is taken, and after.
TEST_F(AdoptionEdges, folder_that_vanishes_is_no_error_and_one_that_cannot_be_listed_is_I1) {
  for (const int error : {ENOENT, EIO}) {
    for (const int nth : {1, 2}) {
      MemoryDisk own_disk;
      JournalOnDisk own(own_disk);
      ASSERT_TRUE(own.open().ok());
      own.put(content("k", 5, "1"));
      own.kill();
      int calls = 0;
      own_disk.set_fault([&](const std::string& name, const std::string& of) {
        return name == "list" && of == kFirstLife && ++calls == nth ? error : 0;
      });
      EXPECT_EQ(own.open().error, error == ENOENT ? 0 : EIO) << nth;
      EXPECT_TRUE(own.recovered.empty());
      own_disk.set_fault(nullptr);
      std::size_t told = 0;
      EXPECT_TRUE(own.journal->adopt([&](const Record&) { ++told; }).ok());
      EXPECT_EQ(told, 1u) << "it was there after all";
    }
  }
}

TEST_F(AdoptionEdges, folder_whose_owner_file_vanishes_is_no_error) {
  leave_behind({content("k", 5, "1")});
  fail("try_lock", std::string(kFirstLife) + "/owner", ENOENT);
  EXPECT_TRUE(log.open().ok());
  fail("try_lock", std::string(kFirstLife) + "/owner", EIO);
  EXPECT_EQ(journal().adopt({}).error, EIO);
  disk.set_fault(nullptr);
  EXPECT_EQ(adopt(), 1u);
}

TEST_F(AdoptionEdges, empty_folder_is_just_being_made_and_left_alone) {
  ASSERT_TRUE(log.open().ok());
  ASSERT_TRUE(disk.boot()->make_directories("/cache/journal/being-made").ok());
  EXPECT_TRUE(journal().adopt({}).ok());
  FileInfo info;
  EXPECT_TRUE(disk.boot()->info("/cache/journal/being-made", &info).ok());
  EXPECT_FALSE(has_file("/cache/journal/being-made/owner"));
}

TEST_F(AdoptionEdges, folder_with_segments_and_no_owner_is_adopted_I1) {
  leave_behind({content("k", 5, "1")});
  disk.remove(std::string(kFirstLife) + "/owner");
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("k"), nullptr);
}

TEST_F(AdoptionEdges, file_beside_the_folders_is_not_looked_into) {
  leave_behind({content("k", 5, "1")});
  disk.write("/cache/journal/notes.txt", "mine");
  EXPECT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("k"), nullptr);
  EXPECT_TRUE(has_file("/cache/journal/notes.txt"));
}

TEST_F(AdoptionEdges, adopted_folder_that_is_replaced_is_missed) {
  leave_behind(too_many_to_be_moved_at_once());
  ASSERT_TRUE(log.open().ok());
  EXPECT_TRUE(journal().stands());
  disk.remove(std::string(kFirstLife) + "/owner");
  disk.write(std::string(kFirstLife) + "/owner", "");
  EXPECT_FALSE(journal().stands());
}

TEST_F(AdoptionEdges, nobody_need_listen_to_what_is_adopted) {
  leave_behind({content("k", 5, document("k"))});
  const auto next = open_as("next");
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(*next->take_unsettled(9, 1 << 20).at(0).write.entry.document, document("k"));
}

TEST_F(AdoptionEdges, sizes_of_what_was_adopted_are_known) {
  leave_behind(too_many_to_be_moved_at_once());
  std::uint64_t bytes = 0;
  for (const std::string& path : segment_files(disk)) {
    std::string segment;
    ASSERT_TRUE(disk.read(path, &segment));
    bytes += segment.size();
  }
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(journal().stats().disk_bytes, bytes);
  EXPECT_EQ(journal().stats().live_records, 8u);
}

TEST_F(AdoptionEdges, leftovers_of_just_a_segment_are_moved_at_once) {
  leave_behind({content("k", 5, document("k", 500))});
  ASSERT_TRUE(log.open().ok());
  const std::uint64_t one = journal().stats().live_bytes;
  for (const std::uint64_t segment_bytes : {one, one - 8}) {
    MemoryDisk own_disk;
    JournalOnDisk own(own_disk);
    own.options.segment_bytes = segment_bytes;
    ASSERT_TRUE(own.open().ok());
    own.put(content("k", 5, document("k", 500)));
    own.kill();
    ASSERT_TRUE(own.open().ok());
    std::string bytes;
    EXPECT_EQ(own_disk.read(std::string(kFirstLife) + "/owner", &bytes), segment_bytes != one);
  }
}

TEST_F(AdoptionEdges, folder_of_which_nothing_is_live_goes_with_its_segments) {
  const Record record = content("k", 5, "1");
  ASSERT_TRUE(log.open().ok());
  log.put(record);
  log.put(erase_matching("k*", 7));
  log.put(content("later", 8, "1"));
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_FALSE(has_file(std::string(kFirstLife) + "/owner"));
  EXPECT_LE(journal().stats().segments, 1u);
}

// --- Several folders ---

TEST_F(AdoptionEdges, folder_that_cannot_be_read_takes_only_its_own_along_I1) {
  auto readable = open_as("a");
  auto unreadable = open_as("b");
  auto third = open_as("c");
  put(*readable, content("a", 1, document("a", 3'900)));
  put(*unreadable, content("b1", 2, document("b1", 3'900)));
  put(*unreadable, content("b2", 3, document("b2", 3'900)));
  put(*third, content("c", 4, document("c", 3'900)));
  for (auto* each : {&readable, &unreadable, &third}) each->reset();
  std::string last;
  for (const std::string& path : segment_files(disk)) {
    if (path.starts_with("/cache/journal/b/")) last = path;
  }
  fail("read_file", last, EIO);
  EXPECT_EQ(log.open().error, EIO);
  EXPECT_EQ(log.recovered.size(), 2u);
  EXPECT_NE(log.recovered_content("a"), nullptr);
  EXPECT_NE(log.recovered_content("c"), nullptr);
  EXPECT_EQ(journal().stats().live_records, 2u);
  EXPECT_EQ(journal().take_unsettled(9, 1 << 20).size(), 2u);
  disk.set_fault(nullptr);
  EXPECT_EQ(adopt(), 2u);
}

TEST_F(AdoptionEdges, parking_told_by_a_folder_that_cannot_be_read_counts_once_it_can_I1) {
  auto holder = open_as("a");
  put(*holder, content("k", 1, document("k", 3'900)));
  put(*holder, content("k2", 1, document("k2", 3'900)));
  holder.reset();
  auto judge = open_as("b");  // too much to be moved, so the records stay in their folder
  judge->park(write_of(content("k", 1, "")), "no");
  ASSERT_TRUE(judge->commit());
  put(*judge, content("big", 9, document("big", 3'900)));
  judge.reset();
  std::string last;
  for (const std::string& path : segment_files(disk)) {
    if (path.starts_with("/cache/journal/b/")) last = path;
  }
  fail("read_file", last, EIO);
  EXPECT_EQ(log.open().error, EIO);
  EXPECT_TRUE(journal().parked().empty());
  EXPECT_NE(log.recovered_content("k"), nullptr);
}

TEST_F(AdoptionEdges, latest_word_on_a_parked_write_counts_whichever_folder_is_met_first) {
  auto first = open_as("z");
  for (const Record& record : too_many_to_be_moved_at_once()) put(*first, record);
  first->park(write_of(content("k0", 1, "")), "no");
  first->park(write_of(content("k1", 2, "")), "no");
  ASSERT_TRUE(first->commit());
  first.reset();
  auto second = open_as("a");
  ASSERT_TRUE(second->retry_parked(id_of("k0")));
  ASSERT_TRUE(second->retry_parked(id_of("k1")));
  second->park(write_of(content("k1", 2, "")), "still not");
  ASSERT_TRUE(second->commit());
  disk.kill();
  second.reset();
  ASSERT_TRUE(log.open().ok());
  ASSERT_EQ(journal().parked().size(), 1u);
  EXPECT_EQ(journal().parked()[0].id, id_of("k1"));
  EXPECT_EQ(journal().parked()[0].why, "still not");
}

TEST_F(AdoptionEdges, clocks_that_two_journals_settled_are_settled_together) {
  auto first = open_as("a");
  auto second = open_as("b");
  put(*first, clocks("k", 5, {ms(7), {}, {}}));
  put(*second, clocks("k", 5, {{}, {}, ms(8)}));
  for (Journal* each : {first.get(), second.get()}) {
    each->settled(each->take_unsettled(1, 1).at(0));
  }
  first.reset();
  second.reset();
  ASSERT_TRUE(log.open().ok());
  ASSERT_EQ(log.recovered.size(), 1u);
  EXPECT_EQ(journal().stats().unsettled, 0u);
}

TEST_F(AdoptionEdges, first_refusal_is_the_one_that_is_told) {
  leave_behind({content("k", 5, document("k"))});
  auto second = open_as("second");
  put(*second, content("l", 6, document("l")));
  second.reset();
  const auto path_of = [&](const std::string& folder) {
    for (const std::string& path : segment_files(disk)) {
      if (path.starts_with(folder)) return path;
    }
    return std::string();
  };
  auto opens = std::make_shared<int>(0);
  disk.set_fault([=](const std::string& operation, const std::string& path) {
    if (operation != "open" || !path.ends_with(".seg")) return 0;
    return ++*opens == 1 ? EMFILE : EIO;
  });
  EXPECT_EQ(log.open().error, EMFILE);
  disk.set_fault(nullptr);
  EXPECT_FALSE(path_of("/cache/journal/").empty());
  EXPECT_GE(adopt(), 1u);
}

// --- Damage ---

class AdoptedDamage : public AdoptionEdges {
 protected:
  // The only segment of the first life, made anew by `change`.
  void damage(const std::function<void(std::string*)>& change) {
    path = segment_files(disk).at(0);
    ASSERT_TRUE(disk.read(path, &bytes));
    change(&bytes);
    disk.write(path, bytes);
  }
  std::uint64_t salt() const {
    SegmentHeader header;
    std::uint32_t format = 0;
    EXPECT_EQ(read_segment_header(bytes, &header, &format), SegmentState::good);
    return header.salt;
  }
  std::string kept_aside() const {
    std::string kept;
    const auto files = quarantined_files(disk);
    EXPECT_EQ(files.size(), 1u);
    if (!files.empty()) disk.read(files[0], &kept);
    return kept;
  }
  void refuse_quarantine() {
    disk.set_fault([](const std::string& operation, const std::string& of) {
      return operation == "write_file" || of.find("/quarantine") != std::string::npos ? ENOSPC : 0;
    });
  }

  std::string path;
  std::string bytes;
};

TEST_F(AdoptedDamage, header_that_was_damaged_is_kept_aside_where_records_follow_I9) {
  leave_behind({content("k", 5, "1")});
  damage([](std::string* text) { (*text)[3] ^= 1; });
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("k"), nullptr);
  EXPECT_EQ(journal().stats().corrupt_records, 1u);
  EXPECT_EQ(kept_aside(), bytes.substr(0, kSegmentHeaderBytes));
}

TEST_F(AdoptedDamage, torn_header_without_a_record_behind_it_is_no_damage) {
  leave_behind({content("k", 5, "1")});
  damage([](std::string* text) {
    (*text)[3] ^= 1;
    text->replace(kSegmentHeaderBytes, text->size() - 2 * kSegmentHeaderBytes,
                  text->size() - 2 * kSegmentHeaderBytes, '\0');
  });
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(journal().stats().corrupt_records, 0u);
  EXPECT_TRUE(quarantined_files(disk).empty());
}

TEST_F(AdoptedDamage, record_that_holds_its_checksum_and_is_none_is_kept_aside_I9) {
  leave_behind({content("k", 5, "1")});
  std::string frame;
  damage([&](std::string* text) {
    bytes = *text;
    const SegmentContents contents = read_frames(*text, salt());
    append_frame(&frame, salt(), {RecordKind::content, 99, contents.end, "no record"});
    text->replace(contents.end, frame.size(), frame);
  });
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("k"), nullptr);
  EXPECT_EQ(log.recovered.size(), 1u);
  EXPECT_EQ(journal().stats().corrupt_records, 1u);
  EXPECT_EQ(kept_aside(), frame);
}

TEST_F(AdoptedDamage, damaged_record_that_cannot_be_kept_aside_keeps_its_folder_I9) {
  leave_behind({content("bad", 5, document("bad")), content("good", 6, document("good"))});
  damage([](std::string* text) { (*text)[text->find("\"of\":\"bad\"")] ^= 1; });
  refuse_quarantine();
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("good"), nullptr);
  EXPECT_EQ(journal().stats().corrupt_records, 1u);
  disk.set_fault(nullptr);
  ASSERT_TRUE(journal().compact(Journal::Compact::all).ok());
  for (const Record& record : std::vector<Record>(log.recovered)) log.finish(record);
  EXPECT_TRUE(has_file(std::string(kFirstLife) + "/owner")) << "for a look by a person";
}

TEST_F(AdoptedDamage, damaged_record_that_was_kept_aside_does_not_keep_its_folder) {
  leave_behind({content("bad", 5, document("bad")), content("good", 6, document("good"))});
  damage([](std::string* text) { (*text)[text->find("\"of\":\"bad\"")] ^= 1; });
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(journal().stats().corrupt_records, 1u);
  EXPECT_FALSE(has_file(std::string(kFirstLife) + "/owner"));
}

TEST_F(AdoptedDamage, folder_that_is_kept_is_adopted_by_nobody_else_while_its_journal_is_open) {
  leave_behind({content("k", 5, "1")});
  damage([](std::string* text) { *text = "not zeros"; });
  refuse_quarantine();
  ASSERT_TRUE(log.open().ok());
  auto other = open_as("other");
  EXPECT_EQ(other->stats().corrupt_records, 0u);
  log.journal.reset();
  EXPECT_TRUE(other->adopt({}).ok());
  EXPECT_EQ(other->stats().corrupt_records, 1u) << "then it is met again";
}

TEST_F(AdoptedDamage, quarantine_that_is_handed_in_is_used) {
  leave_behind({content("k", 5, "1")});
  damage([](std::string* text) { *text = "not zeros"; });
  const auto boot = disk.boot();
  JournalOptions options = log.options;
  options.name = "next";
  options.quarantine =
      std::make_shared<Quarantine>(*boot, "/elsewhere", Quarantine::kDefaultMaxBytes);
  std::unique_ptr<Journal> next;
  ASSERT_TRUE(Journal::open(boot, options, {}, &next).ok());
  const auto files = disk.files();
  EXPECT_TRUE(std::any_of(files.begin(), files.end(),
                          [](const std::string& file) { return file.starts_with("/elsewhere/"); }));
}

TEST(AdoptionWhileClosing, folder_is_left_to_the_next_I1) {
  MemoryDisk disk;
  JournalOnDisk first(disk), second(disk), third(disk);
  ASSERT_TRUE(first.open().ok());
  ASSERT_TRUE(second.open().ok());
  first.put(content("a", 1, document("a", 3'000)));
  first.put(content("b", 2, document("b", 3'000)));
  first.journal.reset();
  int segments_read = 0;
  disk.set_fault([&](const std::string& name, const std::string&) {
    if (name == "read_file" && ++segments_read == 2) second.journal->close();
    return 0;
  });
  EXPECT_EQ(second.journal->adopt([](const Record&) { FAIL(); }).error, EBADF);
  disk.set_fault(nullptr);
  ASSERT_TRUE(third.open().ok());
  EXPECT_EQ(third.recovered.size(), 2u);
}

}  // namespace
}  // namespace tiercache::testing
