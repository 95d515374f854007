// What is known here of a key, where memory, files, index and journal say different things.
#include "cache/local/local_tiers.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <string>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

using Pin = MemoryTier::Pin;

class LocalTiersTest : public ::testing::Test {
 protected:
  void into_file(const Entry& entry) { room.into_file(entry); }
  void into_memory(const Entry& entry, Pin pin = Pin::no) {
    const Lifetimes lifetimes = judge(entry, data.ages, ground.runtime.now());
    ASSERT_TRUE(
        room.tiers.memory().put(data.ref(kId.key), data.resident_of(entry), lifetimes, pin));
  }
  void remember_not_found(std::uint64_t time) {
    auto resident = std::make_shared<Resident>();
    resident->kind = ResidentKind::not_found;
    resident->entry.version = version(time);
    ASSERT_TRUE(room.tiers.memory().put(data.ref(kId.key), resident, {}, Pin::no));
  }
  Known known() const { return room.tiers.known(&data, kId); }
  // Memory does not vouch for its entries any more.
  void outlive_trust() { ground.clock->advance(ground.runtime.options.memory.ttl); }

  Ground ground;
  LocalRoom room{ground};
  DatasetState& data = ground.open();
};

// --- known ---

TEST_F(LocalTiersTest, key_of_which_there_is_nothing_has_no_version) {
  EXPECT_TRUE(known().version.is_zero());
  EXPECT_TRUE(known().visible().is_zero());
  EXPECT_FALSE(known().standing().has_value());
  EXPECT_EQ(known().latest_clocks(), Clocks{});
}

TEST_F(LocalTiersTest, version_is_the_newest_of_memory_and_files) {
  into_file(document(3));
  EXPECT_EQ(known().version, version(3));
  into_memory(document(5));
  EXPECT_EQ(known().version, version(5));
  into_file(document(7));
  EXPECT_EQ(known().version, version(7));
  EXPECT_EQ(room.tiers.known(nullptr, kId).version, version(7)) << "of a dataset that is not open";
}

TEST_F(LocalTiersTest, what_was_not_found_counts_for_the_version_and_stands_for_nothing) {
  remember_not_found(5);
  EXPECT_EQ(known().version, version(5));
  EXPECT_FALSE(known().standing().has_value());
  into_file(tombstone(4));
  EXPECT_EQ(known().standing()->kind, EntryKind::tombstone);
}

TEST_F(LocalTiersTest, clocks_that_stand_are_of_memory_unless_the_index_is_ahead) {
  Entry in_file = document(5), in_memory = document(5);
  in_file.clocks.last_fetch = kStart + 30s;
  in_memory.clocks.last_fetch = kStart + 10s;
  into_file(in_file);
  into_memory(in_memory);
  EXPECT_EQ(known().standing()->clocks.last_fetch, kStart + 10s) << "level";
  EXPECT_EQ(known().latest_clocks().last_fetch, kStart + 30s);
  into_file(tombstone(6));
  EXPECT_EQ(known().standing()->kind, EntryKind::tombstone) << "the index is ahead";
  into_memory(document(7));
  EXPECT_EQ(known().standing()->kind, EntryKind::document) << "memory is ahead";
}

TEST_F(LocalTiersTest, erase_hides_what_is_older_and_not_what_is_of_its_version_I3_I4) {
  into_file(document(5));
  ASSERT_EQ(room.journal_erase("*", 6), AppendStatus::durable);
  EXPECT_EQ(known().version, version(5));
  EXPECT_EQ(known().erased, version(6));
  EXPECT_EQ(known().visible(), version(6));
  EXPECT_TRUE(room.tiers.hides(kId, version(5)));
  EXPECT_FALSE(room.tiers.hides(kId, version(6)));
  into_file(document(7));
  EXPECT_EQ(known().visible(), version(7));
}

TEST_F(LocalTiersTest, erase_of_other_keys_hides_nothing) {
  ASSERT_EQ(room.journal_erase("other*", 6), AppendStatus::durable);
  EXPECT_FALSE(room.tiers.hides(kId, version(5)));
  EXPECT_TRUE(known().erased.is_zero());
}

TEST_F(LocalTiersTest, file_that_an_erase_hides_reads_as_the_erases_tombstone_I4) {
  into_file(document(5));
  ASSERT_EQ(room.journal_erase("*", 6), AppendStatus::durable);
  const EntryPtr hidden = room.tiers.read_file(kId).entry;
  EXPECT_EQ(text_of(hidden), "<tombstone>");
  EXPECT_EQ(hidden->version, version(6));
  into_file(document(6, "6"));
  EXPECT_EQ(text_of(room.tiers.read_file(kId).entry), "6") << "of the erase's own version";
}

// --- find ---

TEST_F(LocalTiersTest,
       find_reads_the_file_where_memory_has_nothing_or_remembers_that_none_was_found) {
  into_file(document(5, "file"));
  EXPECT_EQ(room.found(data), "file");
  remember_not_found(5);
  EXPECT_EQ(room.found(data), "file");
}

TEST_F(LocalTiersTest, find_believes_memory_until_its_trust_is_over) {
  into_memory(document(5, "memory"));
  into_file(document(7, "file"));
  EXPECT_EQ(room.found(data), "memory");
  ground.clock->advance(ground.runtime.options.memory.ttl - 1ms);
  EXPECT_EQ(room.found(data), "memory");
  ground.clock->advance(1ms);
  EXPECT_EQ(room.found(data), "file");
}

TEST_F(LocalTiersTest, find_prefers_what_waits_for_its_file_to_an_older_file_I3) {
  into_file(document(4, "file"));
  into_memory(document(5, "pinned"), Pin::yes);
  outlive_trust();
  EXPECT_EQ(room.found(data), "pinned");
  into_file(document(6, "newer"));
  EXPECT_EQ(room.found(data), "newer");
}

// An older file of another process tells that the store has refused what memory has.
TEST_F(LocalTiersTest, find_gives_up_an_entry_whose_file_has_become_an_older_one_I5) {
  into_memory(document(5, "refused"));
  into_file(document(4, "row"));
  outlive_trust();
  EXPECT_EQ(room.found(data), "row");
}

TEST_F(LocalTiersTest, find_keeps_memorys_entry_whose_file_is_gone_unless_others_changed_it) {
  into_memory(document(5, "memory"));
  outlive_trust();
  EXPECT_EQ(room.found(data), "memory") << "the directory may be gone";
}

class LocalTiersBesideTest : public LocalTiersTest {
 protected:
  Ground other{Ground::Beside{ground}};
  LocalRoom others{other};
};

TEST_F(LocalTiersBesideTest, find_sees_what_another_process_wrote_or_removed_at_once_I10) {
  into_file(document(5, "5"));
  into_memory(document(5, "5"));
  others.into_file(document(6, "6"));
  EXPECT_EQ(room.found(data), "6");
  others.tiers.files().remove(kId, version(6));
  EXPECT_EQ(room.found(data), "<nothing>");
}

TEST_F(LocalTiersBesideTest,
       find_keeps_what_waits_for_its_file_although_another_process_removed_that_I1) {
  into_file(document(4, "4"));
  into_memory(document(5, "pinned"), Pin::yes);
  others.tiers.files().remove(kId, version(4));
  EXPECT_EQ(room.found(data), "pinned");
}

// --- newest, clocks ---

TEST_F(LocalTiersTest,
       newest_is_that_of_memory_files_and_what_could_not_be_written_also_where_hidden) {
  EXPECT_FALSE(room.tiers.newest(kId).has_value());
  into_file(document(3));
  ASSERT_EQ(room.journal_erase("*", 9), AppendStatus::durable);
  EXPECT_EQ(room.tiers.newest(kId)->version, version(3));
  room.tiers.keep_unwritten(kId, shared(document(4)));
  EXPECT_EQ(room.tiers.newest(kId)->version, version(4));
  into_memory(document(5));
  EXPECT_EQ(room.tiers.newest(kId)->version, version(5));
  remember_not_found(6);
  EXPECT_EQ(room.tiers.newest(kId)->version, version(4));
}

TEST_F(LocalTiersTest, clocks_take_along_what_the_journal_has_yet_to_tell) {
  Record moved;
  moved.kind = RecordKind::clocks;
  moved.id = kId;
  moved.entry.version = version(5);
  moved.entry.clocks.last_fetch = kStart + 10s;
  moved.entry.clocks.invalidated_at = kStart + 20s;
  ASSERT_EQ(room.journal(moved), AppendStatus::durable);
  Entry entry = document(5);
  entry.clocks.last_rich_fetch = kStart + 1h;
  const Clocks clocks = room.tiers.believable_clocks(kId, entry);
  EXPECT_EQ(clocks.last_fetch, kStart + 10s);
  EXPECT_EQ(clocks.invalidated_at, kStart + 20s);
  EXPECT_EQ(clocks.last_rich_fetch, std::nullopt) << "an hour ahead is not believed";
}

TEST_F(LocalTiersTest,
       what_is_fetched_now_is_after_the_keys_invalidation_also_within_a_millisecond) {
  EXPECT_EQ(room.tiers.fetch_time(kId), kStart);
  Entry entry = document(5);
  entry.clocks.invalidated_at = kStart;
  into_file(entry);
  EXPECT_EQ(room.tiers.fetch_time(kId), kStart + 1ms);
  ground.clock->advance(1s);
  EXPECT_EQ(room.tiers.fetch_time(kId), kStart + 1s);
}

// --- The directory ---

TEST_F(LocalTiersTest, directory_stands_while_its_marker_its_slot_and_the_journals_are_there) {
  EXPECT_TRUE(room.tiers.stands());
  EXPECT_TRUE(room.tiers.away().ok());
  FileSystem& file_system = *ground.runtime.file_system;
  for (const char* path : {"/cache/tiercache.json", "/cache/locks/open-0", "/cache/journal"}) {
    ASSERT_TRUE(file_system.rename(path, "/aside").ok()) << path;
    EXPECT_FALSE(room.tiers.stands()) << path;
    ASSERT_TRUE(file_system.rename("/aside", path).ok()) << path;
    EXPECT_TRUE(room.tiers.stands()) << path;
  }
}

TEST_F(LocalTiersTest, note_is_kept_while_the_directory_is_ours_alone) {
  EXPECT_TRUE(room.tiers.keep_note("/cache/note", "head\n", "text"));
  ground.runtime.file_system->remove_tree("/cache");
  EXPECT_FALSE(room.tiers.keep_note("/cache/note", "head\n", "text"));
}

TEST_F(LocalTiersTest, keys_that_an_erase_hides_are_not_listed_I4) {
  for (const char* key : {"a1", "a2", "b1", "b2"}) {
    room.into_file(document(5), {"d", key});
  }
  room.journal_erase("a*", 6);
  EXPECT_EQ(room.tiers.keys("d", std::nullopt, 10), (std::vector<std::string>{"b1", "b2"}));
  EXPECT_EQ(room.tiers.keys("d", std::nullopt, 1), std::vector<std::string>{"b1"})
      << "a page is filled up";
  EXPECT_EQ(room.tiers.keys("d", "b1", 10), std::vector<std::string>{"b2"});
  EXPECT_EQ(room.tiers.keys("d", std::nullopt, 0), std::vector<std::string>{});
}

}  // namespace
}  // namespace tiercache::detail
