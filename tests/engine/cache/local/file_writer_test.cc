// Brings what memory holds into the files, whatever is in the way: another process, the disk, a
// sync that failed.
#include "cache/local/file_writer.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/hex.h"
#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

class FileWriterTest : public ::testing::Test {
 protected:
  // Moves of a new file into the place of the key's.
  void count_writes() {
    ground.disk->on_operation([this](std::uint64_t, const std::string& what) {
      const bool moves = what.starts_with("rename") || what.starts_with("exchange");
      if (moves && what.find(" /cache/tmp/") != std::string::npos) ++writes;
    });
  }
  // Another process holds the locks of all keys.
  void hold_locks() {
    locks.resize(64);
    for (std::size_t stripe = 0; stripe < locks.size(); ++stripe) {
      std::string path = "/cache/locks/";
      append_hex8(static_cast<std::uint8_t>(stripe), &path);
      ASSERT_TRUE(other->try_lock(path, &locks[stripe]).ok());
    }
  }
  // When the disk was tried, in milliseconds from now.
  std::vector<std::int64_t> tries_within(std::chrono::milliseconds span) {
    std::vector<std::int64_t> tries;
    const SteadyTime began = ground.clock->steady_now();
    ground.disk->set_fault([&](const std::string& operation, const std::string& path) {
      if (operation != "open" || path.find("/cache/tmp/") == std::string::npos) return 0;
      tries.push_back(
          std::chrono::duration_cast<std::chrono::milliseconds>(ground.clock->steady_now() - began)
              .count());
      return ENOSPC;
    });
    ground.run_for(span);
    ground.disk_works();
    return tries;
  }
  bool holds() const { return room.tiers.journal().holds(kId); }

  Ground ground{[](CacheOptions& options) { options.files.write_behind = 20ms; }};
  LocalRoom room{ground};
  DatasetState& data = ground.open();
  const std::shared_ptr<FileSystem> other = ground.disk->boot();
  std::vector<std::unique_ptr<FileLock>> locks;
  int writes = 0;
};

// --- The usual way ---

TEST_F(FileWriterTest, writes_of_a_key_are_brought_to_its_file_once_within_write_behind) {
  room.write(data, document(4));
  ASSERT_TRUE(room.file_writer.flush());
  ground.run_for(1s);
  count_writes();
  for (std::uint64_t time = 5; time < 8; ++time) room.write(data, document(time, "1"));
  EXPECT_EQ(room.file_writer.waiting(), 1u);
  ground.run_for(19ms);
  EXPECT_EQ(writes, 0);
  ground.run_for(1ms);
  EXPECT_EQ(writes, 1);
  EXPECT_EQ(room.tiers.files().read(kId).entry->version, version(7));
  EXPECT_EQ(room.file_writer.waiting(), 0u);
  EXPECT_FALSE(room.is_pinned(data));
}

TEST_F(FileWriterTest, journal_lets_go_once_the_file_is_synced_and_not_before_I1) {
  room.write(data, document(5));
  room.settle_all();
  ground.run_for(1s);
  EXPECT_TRUE(holds());
  ground.run_for(5s);
  EXPECT_FALSE(holds());
}

TEST_F(FileWriterTest, key_whose_dataset_or_resident_is_gone_needs_no_file) {
  room.file_writer.write_soon({"not open", "k"});
  room.file_writer.write_soon({"d", "nothing"});
  EXPECT_TRUE(room.file_writer.flush());
  EXPECT_EQ(room.file_writer.waiting(), 0u);
}

TEST_F(FileWriterTest, writes_under_way_are_told_again_until_all_are_in_their_files) {
  int told = 0;
  room.on_filed = [&] { return ++told >= 3; };
  room.write(data, document(5));
  ground.run_for(1s);
  EXPECT_EQ(told, 3) << "and not again after that";
}

TEST_F(FileWriterTest, keys_that_wait_are_told_and_whether_others_are_being_written) {
  room.write(data, document(5));
  std::vector<std::string> waiting;
  EXPECT_TRUE(
      room.file_writer.for_each_waiting([&](const EntryId& id) { waiting.push_back(id.key); }));
  EXPECT_EQ(waiting, std::vector<std::string>{"k"});
  bool all = true;
  ground.disk->on_operation([&](std::uint64_t, const std::string& what) {
    if (what.find("/data/") != std::string::npos) {
      all = room.file_writer.for_each_waiting([](const EntryId&) {});
      EXPECT_EQ(room.file_writer.waiting(), 1u);
    }
  });
  room.file_writer.flush();
  EXPECT_FALSE(all);
}

TEST_F(FileWriterTest, writer_that_was_stopped_writes_nothing_more_by_itself) {
  room.write(data, document(5));
  room.file_writer.stop();
  ground.run_for(1min);
  EXPECT_EQ(room.file(), "<nothing>");
  EXPECT_TRUE(room.file_writer.flush()) << "the one who closes still may";
  EXPECT_EQ(room.file(), "1");
}

// --- What is in the way ---

// Whoever keeps the change feed's cursor goes by what `flush` returns: rows are in no journal (I4).
TEST_F(FileWriterTest, key_that_another_process_is_at_is_tried_again_in_a_moment_I10) {
  room.write(data, document(5));
  hold_locks();
  EXPECT_FALSE(room.file_writer.flush());
  EXPECT_EQ(room.file_writer.failed_writes(), 0u) << "that is no failure of the disk";
  EXPECT_EQ(room.file_writer.waiting(), 1u);
  EXPECT_TRUE(room.is_pinned(data));
  locks.clear();
  ground.run_for(20ms);
  EXPECT_EQ(room.file(), "1");
}

// A key that is written anew while a flush has left it is met again by the same flush.
TEST_F(FileWriterTest, key_that_is_left_twice_by_one_flush_counts_once) {
  const EntryId first{"d", "a"}, second{"d", "b"};
  room.write(data, document(5), first);
  room.write(data, document(5), second);
  int tries = 0;
  ground.disk->set_fault([&](const std::string& operation, const std::string& path) {
    if (operation != "open" || path.find("/cache/tmp/") == std::string::npos) return 0;
    if (++tries == 2) room.file_writer.write_soon(first);
    return ENOSPC;
  });
  EXPECT_FALSE(room.file_writer.flush());
  EXPECT_EQ(tries, 3);
  EXPECT_EQ(room.file_writer.waiting(), 2u);
  ground.disk_works();
  EXPECT_TRUE(room.file_writer.flush());
  EXPECT_EQ(room.file_writer.waiting(), 0u);
  EXPECT_TRUE(room.file_writer.for_each_waiting([](const EntryId&) {}));
}

TEST_F(FileWriterTest, disk_that_refuses_is_tried_again_with_growing_pauses_up_to_five_seconds) {
  room.write(data, document(5));
  const std::vector<std::int64_t> tries = tries_within(30s);
  const std::vector<std::int64_t> expected{20,    120,    320,    720,    1'520, 3'120,
                                           6'320, 11'320, 16'320, 21'320, 26'320};
  EXPECT_EQ(tries, expected);
  EXPECT_EQ(room.file_writer.failed_writes(), expected.size());
  EXPECT_TRUE(room.is_pinned(data)) << "memory alone has it, beside the journal";
  ground.run_for(5s);
  EXPECT_EQ(room.file(), "1");
  EXPECT_FALSE(room.is_pinned(data));
}

TEST_F(FileWriterTest, pauses_begin_anew_after_a_disk_that_worked) {
  room.write(data, document(5));
  tries_within(10s);
  ground.run_for(10s);
  ASSERT_EQ(room.file(), "1");
  room.write(data, document(6));
  EXPECT_EQ(tries_within(500ms), (std::vector<std::int64_t>{20, 120, 320}));
}

TEST_F(FileWriterTest, flush_says_whether_all_was_written_I13) {
  room.write(data, document(5), {"d", "a"});
  room.write(data, document(5), {"d", "b"});
  ground.refuse_new_files();
  EXPECT_FALSE(room.file_writer.flush());
  EXPECT_EQ(room.file_writer.waiting(), 2u);
  ground.disk_works();
  EXPECT_TRUE(room.file_writer.flush());
}

TEST_F(FileWriterTest, directory_that_is_gone_is_told_and_nothing_is_written_or_synced_there) {
  room.write(data, document(5));
  ground.disk->remove("/cache/tiercache.json");
  EXPECT_FALSE(room.file_writer.flush());
  EXPECT_EQ(room.gone, 1);
  EXPECT_EQ(room.file(), "<nothing>");
  EXPECT_EQ(room.file_writer.waiting(), 1u);
  EXPECT_FALSE(room.file_writer.sync());
  EXPECT_EQ(room.gone, 2);
  EXPECT_TRUE(holds());
}

TEST_F(FileWriterTest, newer_file_of_another_process_is_taken_and_ours_let_go_of_I3) {
  room.write(data, document(5, "ours"));
  room.settle_all();
  room.into_file(document(7, "newer"));
  ASSERT_TRUE(room.file_writer.flush());
  EXPECT_EQ(room.in_memory(data), "newer");
  EXPECT_FALSE(room.is_pinned(data));
  ASSERT_TRUE(room.file_writer.sync());
  EXPECT_FALSE(holds());
}

// The store would refuse it, and by then the other write might be nowhere here.
TEST_F(FileWriterTest, guarded_write_gives_way_to_what_came_between_its_base_and_itself_I5) {
  room.write(data, document(7, "refresh"), kId, version(3));
  room.tiers.files().replace(kId, version(9), document(5, "anothers"));
  ASSERT_TRUE(room.file_writer.flush());
  EXPECT_EQ(room.file(), "anothers");
  EXPECT_EQ(room.in_memory(data), "anothers");
}

TEST_F(FileWriterTest, guarded_write_replaces_the_file_of_its_base_or_older) {
  for (const std::uint64_t base : {2, 3}) {
    room.tiers.files().replace(kId, version(99), document(base, "base"));
    room.write(data, document(base + 5, "refresh"), kId, version(3));
    ASSERT_TRUE(room.file_writer.flush());
    EXPECT_EQ(room.file(), "refresh");
  }
}

TEST_F(FileWriterTest, write_that_the_store_refused_meanwhile_is_not_written_I5) {
  room.write(data, document(5, "refused"));
  ASSERT_TRUE(room.tiers.withdraw(kId, version(5), nullptr).ok());
  room.tiers.memory().put(data.ref("k"), data.resident_of(document(5, "refused")), {},
                          MemoryTier::Pin::yes);
  ASSERT_TRUE(room.file_writer.flush());
  EXPECT_EQ(room.file(), "<nothing>");
}

// --- Syncs ---

TEST_F(FileWriterTest, failed_sync_leaves_all_since_the_last_good_one_in_doubt_I1) {
  room.write(data, document(5));
  room.settle_all();
  ground.run_for(1s);
  ground.refuse(EIO, {"sync_all"}, "");
  EXPECT_FALSE(room.file_writer.sync());
  EXPECT_TRUE(holds());
  ground.disk_works();
  count_writes();
  EXPECT_TRUE(room.file_writer.sync());
  EXPECT_EQ(writes, 1) << "the next sync would not bring what that one left";
  EXPECT_FALSE(holds());
  writes = 0;
  EXPECT_TRUE(room.file_writer.sync());
  EXPECT_EQ(writes, 0);
}

// The journal still has a write that the store refused while the files it vouches for are unsynced.
TEST_F(FileWriterTest, suspect_is_not_written_anew_from_what_the_store_refused_I5) {
  room.write(data, document(5, "refused"));
  ASSERT_TRUE(room.file_writer.flush());
  room.settle_all();
  ASSERT_TRUE(room.tiers.withdraw(kId, version(5), shared(document(4, "row"))).ok());
  ground.refuse(EIO, {"sync_all"}, "");
  EXPECT_FALSE(room.file_writer.sync());
  ground.disk_works();
  ASSERT_TRUE(holds());
  EXPECT_TRUE(room.file_writer.sync());
  EXPECT_EQ(room.file(), "row");
  EXPECT_FALSE(holds());
}

TEST_F(FileWriterTest, suspect_is_not_written_anew_once_its_file_went_for_a_newer_row_I3) {
  room.write(data, document(5, "older"));
  ASSERT_TRUE(room.file_writer.flush());
  room.settle_all();
  ground.refuse_new_files();
  room.tiers.take(kId, shared(document(6, "row")));
  ASSERT_EQ(room.file(), "<nothing>");
  room.tiers.memory().remove(data.ref("k"), version(6));
  ground.refuse(EIO, {"sync_all"}, "");
  EXPECT_FALSE(room.file_writer.sync());
  ground.disk_works();
  EXPECT_TRUE(room.file_writer.sync());
  EXPECT_EQ(room.file(), "<nothing>") << "the store is asked";
  EXPECT_FALSE(holds());
}

// Another process has taken the file away, because its disk would not take the store's newer row.
TEST_F(FileWriterTest, suspect_is_not_written_anew_while_memory_alone_has_something_newer_I3) {
  room.write(data, document(5, "older"));
  ASSERT_TRUE(room.file_writer.flush());
  room.settle_all();
  ground.refuse_files();
  room.tiers.take(kId, shared(document(6, "row")));
  ASSERT_TRUE(room.is_pinned(data));
  ground.refuse(EIO, {"sync_all"}, "");
  EXPECT_FALSE(room.file_writer.sync());
  ground.disk_works();
  ASSERT_TRUE(other->remove_file(LocalRoom::path()).ok());
  ASSERT_TRUE(holds());
  EXPECT_TRUE(room.file_writer.sync());
  EXPECT_NE(room.file(), "older");
  EXPECT_TRUE(room.file_writer.flush());
  EXPECT_EQ(room.file(), "row");
}

TEST_F(FileWriterTest, suspect_is_not_written_anew_over_what_its_guard_gives_way_to_I5) {
  room.write(data, document(6, "refresh"), kId, version(3));
  ASSERT_TRUE(room.file_writer.flush());
  room.settle_all();
  room.tiers.files().replace(kId, version(6), document(5, "another's"));
  ground.refuse(EIO, {"sync_all"}, "");
  EXPECT_FALSE(room.file_writer.sync());
  ground.disk_works();
  ASSERT_TRUE(holds());
  EXPECT_TRUE(room.file_writer.sync());
  EXPECT_EQ(room.file(), "another's");
}

TEST_F(FileWriterTest, suspect_that_cannot_be_written_anew_keeps_the_journal_waiting_I1) {
  room.write(data, document(5));
  room.settle_all();
  ground.run_for(1s);
  ground.refuse(EIO, {"sync_all"}, "");
  EXPECT_FALSE(room.file_writer.sync());
  ground.refuse_new_files();
  EXPECT_FALSE(room.file_writer.sync());
  EXPECT_FALSE(room.file_writer.sync());
  EXPECT_TRUE(holds());
  ground.disk_works();
  EXPECT_TRUE(room.file_writer.sync());
  EXPECT_FALSE(holds());
}

TEST_F(FileWriterTest, sync_that_failed_is_tried_again_by_itself_I1) {
  room.write(data, document(5));
  room.settle_all();
  ground.run_for(1s);
  ground.refuse(EIO, {"sync_all"}, "");
  ground.run_for(6s);
  EXPECT_TRUE(holds());
  ground.disk_works();
  ground.run_for(11s);
  EXPECT_FALSE(holds());
}

// Another call has synced many files on its way, and failed: what was written before is in doubt.
TEST_F(FileWriterTest, sync_that_failed_elsewhere_counts_for_the_writers_next_one_I1) {
  room.write(data, document(5));
  room.settle_all();
  ground.run_for(1s);
  ground.refuse(EIO, {"sync_all"}, "");
  room.tiers.files().write_synced(
      std::vector<std::pair<EntryId, EntryPtr>>{{{"d", "other"}, shared(document(5))}});
  ground.disk_works();
  EXPECT_FALSE(room.file_writer.sync());
  EXPECT_TRUE(holds());
  EXPECT_TRUE(room.file_writer.sync());
  EXPECT_FALSE(holds());
}

TEST_F(FileWriterTest, files_changed_by_others_are_synced_within_sync_every) {
  int syncs = 0;
  ground.disk->on_operation([&](std::uint64_t, const std::string& what) {
    if (what.starts_with("sync_all")) ++syncs;
  });
  room.file_writer.sync_soon();
  ground.run_for(4'999ms);
  EXPECT_EQ(syncs, 0);
  ground.run_for(1ms);
  EXPECT_EQ(syncs, 1);
  ground.run_for(1min);
  EXPECT_EQ(syncs, 1) << "nothing has changed since";
}

TEST_F(FileWriterTest, key_whose_file_is_lacking_is_written_from_memory_or_from_the_journal_I1) {
  room.write(data, document(5, "5"));
  ground.run_for(1s);
  ground.runtime.file_system->remove_file("/cache/data/" + entry_path(kId));
  room.tiers.memory().remove(data.ref("k"), version(5));
  room.file_writer.restore_soon(kId);
  EXPECT_EQ(room.file_writer.waiting(), 1u);
  ground.run_for(6s);
  EXPECT_EQ(room.file(), "5");
}

}  // namespace
}  // namespace tiercache::detail
