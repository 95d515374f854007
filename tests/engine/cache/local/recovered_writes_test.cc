// Journals of caches that stopped are brought into the entry files, whatever is there already.
#include "cache/local/recovered_writes.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <string>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

class RecoveredWritesTest : public ::testing::Test {
 protected:
  // The record was adopted: this journal holds it from now on.
  Record adopted(Record record) {
    EXPECT_EQ(room.journal(record), AppendStatus::durable);
    return record;
  }
  Record content(Entry entry, const EntryId& id = kId, std::optional<Version> guard = {}) {
    Record record;
    record.id = id;
    record.entry = std::move(entry);
    record.not_newer_than = guard;
    return adopted(std::move(record));
  }
  Record clocks(std::uint64_t of, WallTime fetched) {
    return adopted(clocks_record(of, fetched_at(fetched)));
  }
  Record erase(const std::string& glob, std::uint64_t time) {
    Record record;
    record.kind = RecordKind::erase_matching;
    record.id = {"d", glob};
    record.entry.version = version(time);
    return adopted(std::move(record));
  }
  void into_file(const Entry& entry) { room.into_file(entry); }
  std::optional<WallTime> filed_fetch() {
    return room.tiers.files().read(kId).entry->clocks.last_fetch;
  }
  // Once the store has it as well: the files are known to have it.
  bool journal_lets_go(const EntryId& id = kId) {
    room.settle_all();
    room.file_writer.sync();
    return !room.tiers.journal().holds(id);
  }

  Ground ground;
  LocalRoom room{ground};
  DatasetState& data = ground.open();
  RecoveredWrites recovered{ground.runtime, room.tiers, room.file_writer};
};

TEST_F(RecoveredWritesTest, nothing_to_replay_is_told) {
  EXPECT_FALSE(recovered.finish());
  recovered.take(content(document(5)));
  EXPECT_TRUE(recovered.finish());
}

TEST_F(RecoveredWritesTest, content_is_in_its_file_and_below_what_is_stamped_afterwards_I1_I3) {
  Entry ahead = document(1, "ahead");
  ahead.version = ground.runtime.versions.next();
  ahead.version.time += std::uint64_t{10'000} << Version::kCounterBits;
  recovered.take(content(ahead));
  EXPECT_GT(ground.runtime.versions.next(), ahead.version);
  recovered.finish();
  EXPECT_EQ(room.file(), "ahead");
  EXPECT_TRUE(journal_lets_go());
}

// Another process may have written something newer into its place, and evicted that.
TEST_F(RecoveredWritesTest, content_whose_file_was_removed_comes_into_no_file_and_is_sent_I1_I3) {
  Record record = content(document(5, "older"));
  record.was_filed = true;
  recovered.take(record);
  EXPECT_TRUE(recovered.finish());
  EXPECT_EQ(room.file(), "<nothing>");
  Version unsettled;
  EXPECT_TRUE(room.tiers.journal().is_unsettled(kId, &unsettled));
  EXPECT_TRUE(journal_lets_go()) << "once the store has answered";
}

TEST_F(RecoveredWritesTest, content_whose_file_is_damaged_is_written_again_I9) {
  into_file(document(5, "5"));
  ground.disk->write(room.path(), "rubbish");
  Record record = content(document(5, "5"));
  record.was_filed = true;
  recovered.take(record);
  recovered.finish();
  EXPECT_EQ(room.file(), "5");
}

TEST_F(RecoveredWritesTest, newer_file_stays_and_older_memory_goes_I3) {
  into_file(document(7, "newer"));
  room.tiers.memory().put(data.ref("k"), data.resident_of(document(4)), {}, MemoryTier::Pin::no);
  recovered.take(content(document(5, "older")));
  recovered.finish();
  EXPECT_EQ(room.file(), "newer");
  EXPECT_EQ(room.in_memory(data), "<nothing>");
  EXPECT_EQ(room.moved, std::vector<std::string>{"k"}) << "schedules look at the file's entry now";
  EXPECT_TRUE(journal_lets_go());
}

TEST_F(RecoveredWritesTest, files_wait_for_each_other_up_to_a_batch) {
  for (int n = 0; n < 255; ++n) recovered.take(content(document(5), {"d", std::to_string(n)}));
  EXPECT_EQ(room.file({"d", "0"}), "<nothing>");
  recovered.take(content(document(5), {"d", "255"}));
  EXPECT_EQ(room.file({"d", "0"}), "1");
  EXPECT_EQ(room.file({"d", "255"}), "1");
}

TEST_F(RecoveredWritesTest, files_are_written_before_another_process_may_adopt) {
  recovered.take(content(document(5)));
  recovered.write_files();
  EXPECT_EQ(room.file(), "1");
}

TEST_F(RecoveredWritesTest, clocks_go_into_the_document_that_waits_or_is_in_its_file) {
  recovered.take(content(document(5)));
  recovered.take(clocks(5, kStart + 1s));
  recovered.finish();
  EXPECT_EQ(filed_fetch(), kStart + 1s);
  RecoveredWrites second(ground.runtime, room.tiers, room.file_writer);
  second.take(clocks(5, kStart + 2s));
  second.finish();
  EXPECT_EQ(filed_fetch(), kStart + 2s);
  EXPECT_EQ(room.file(), "1");
  EXPECT_TRUE(journal_lets_go());
}

TEST_F(RecoveredWritesTest,
       clocks_of_another_version_than_waits_are_taken_by_what_the_file_has_then) {
  into_file(document(6, "6"));
  recovered.take(content(document(5, "5")));
  recovered.take(clocks(6, kStart + 2s));
  recovered.finish();
  EXPECT_EQ(room.file(), "6");
  EXPECT_EQ(filed_fetch(), kStart + 2s);
}

TEST_F(RecoveredWritesTest, clocks_of_nothing_and_of_a_tombstone_need_no_file) {
  recovered.take(clocks(5, kStart + 2s));
  recovered.finish();
  EXPECT_EQ(room.file(), "<nothing>");
  EXPECT_TRUE(journal_lets_go());
  into_file(tombstone(6));
  RecoveredWrites second(ground.runtime, room.tiers, room.file_writer);
  second.take(clocks(6, kStart + 2s));
  second.finish();
  EXPECT_EQ(room.file(), "<tombstone>");
  EXPECT_TRUE(journal_lets_go());
}

TEST_F(RecoveredWritesTest, clocks_of_a_file_that_cannot_be_read_now_stay_in_the_journal_I1) {
  into_file(document(5));
  ground.refuse(EIO, {"read_file"}, "/data/");
  recovered.take(clocks(5, kStart + 2s));
  recovered.finish();
  ground.disk_works();
  EXPECT_FALSE(journal_lets_go());
}

TEST_F(RecoveredWritesTest,
       content_that_the_disk_refuses_is_served_from_memory_and_stays_in_the_journal_I1) {
  into_file(document(4, "older"));
  ground.refuse_new_files();
  recovered.take(content(document(5, "5")));
  recovered.take(clocks(5, kStart + 2s));
  recovered.finish();
  ASSERT_NE(room.tiers.unwritten(kId), nullptr);
  EXPECT_EQ(room.tiers.unwritten(kId)->clocks.last_fetch, kStart + 2s);
  room.tiers.serve_unwritten();
  EXPECT_EQ(room.found(data), "5");
  room.settle_all();
  room.file_writer.sync();
  EXPECT_TRUE(room.tiers.journal().holds(kId));
}

TEST_F(RecoveredWritesTest, clocks_of_what_could_not_be_written_go_into_that) {
  ground.refuse_new_files();
  recovered.take(content(document(5, "5")));
  recovered.write_files();
  recovered.take(clocks(5, kStart + 2s));
  recovered.finish();
  EXPECT_EQ(text_of(room.tiers.unwritten(kId)), "5");
  EXPECT_EQ(room.tiers.unwritten(kId)->clocks.last_fetch, kStart + 2s);
}

TEST_F(RecoveredWritesTest, erase_comes_after_what_was_written_before_it_I4) {
  room.tiers.memory().put(data.ref("k"), data.resident_of(document(4)), {}, MemoryTier::Pin::no);
  recovered.take(content(document(5)));
  recovered.take(content(document(5), {"d", "other"}));
  recovered.take(erase("k*", 6));
  recovered.take(content(document(7, "7"), {"d", "k2"}));
  recovered.finish();
  EXPECT_EQ(room.file(), "<tombstone>");
  EXPECT_EQ(room.in_memory(data), "<nothing>");
  EXPECT_EQ(room.file({"d", "other"}), "1");
  EXPECT_EQ(room.file({"d", "k2"}), "7");
  room.settle_all();
  room.file_writer.sync();
  EXPECT_FALSE(room.tiers.hides(kId, version(5))) << "the files tell it from now on";
}

TEST_F(RecoveredWritesTest, erase_that_the_disk_refuses_goes_on_hiding_I4) {
  into_file(document(5));
  ground.refuse_new_files();
  recovered.take(erase("*", 6));
  recovered.finish();
  room.settle_all();
  EXPECT_TRUE(room.tiers.hides(kId, version(5)));
  ground.disk_works();
  room.file_writer.sync();
  EXPECT_EQ(room.file(), "<tombstone>");
}

// The store refused it by its guard, and what won, of a lower version, took its place.
TEST_F(RecoveredWritesTest, guarded_write_does_not_replace_what_the_guard_excludes_I5) {
  into_file(document(5, "row"));
  recovered.take(content(document(7, "refresh"), kId, version(3)));
  recovered.finish();
  EXPECT_EQ(room.file(), "row");
  EXPECT_TRUE(journal_lets_go());
}

TEST_F(RecoveredWritesTest, guarded_write_replaces_what_it_was_made_from) {
  into_file(document(3, "base"));
  recovered.take(content(document(7, "refresh"), kId, version(3)));
  recovered.finish();
  EXPECT_EQ(room.file(), "refresh");
}

// The erase came from the store, to a disk that has given up the older file and takes nothing new.
TEST_F(RecoveredWritesTest,
       record_older_than_what_memory_holds_for_its_file_takes_no_place_there_I4) {
  into_file(document(4));
  ground.refuse_new_files();
  room.tiers.take(kId, shared(tombstone(6)));
  ASSERT_TRUE(room.is_pinned(data));
  ground.disk_works();
  recovered.take(content(document(5)));
  recovered.finish();
  EXPECT_EQ(room.file(), "<nothing>");
  EXPECT_EQ(room.found(data), "<tombstone>");
  ground.run_for(10s);
  EXPECT_EQ(room.file(), "<tombstone>");
}

}  // namespace
}  // namespace tiercache::detail
