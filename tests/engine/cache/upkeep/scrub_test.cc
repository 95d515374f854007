// Each difference between the tiers of a key: what a scrub tells of it, and how a repair mends it.
#include "cache/upkeep/scrub.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "engine/cache/upkeep/scrub_fixture.h"
#include "engine/files/newer_format.h"

namespace tiercache::detail {
namespace {

TEST_F(ScrubPartTest, tiers_that_agree_are_left_alone) {
  have(document(5, "5"));
  local.into_memory(data, document(5, "5"));
  EXPECT_EQ(look(), kSound);
  EXPECT_EQ(repair(), kSound);
  EXPECT_EQ(ground.store->calls("load"), 2u) << "no second look";
  EXPECT_EQ(ground.store->calls("save"), 0u);
}

// --- The row is newer, or the file has nothing ---

TEST_F(ScrubPartTest, newer_row_is_taken_into_file_and_memory_I3) {
  have(document(5, "5"));
  local.into_memory(data, document(5, "5"));
  ground.put_row(document(6, "6"));
  EXPECT_EQ(look(), "1 key, 1 difference, store ahead 1");
  EXPECT_EQ(local.file(), "5") << "nothing was asked for but a look";
  EXPECT_EQ(repair(), "1 key, 1 difference, store ahead 1, repaired 1");
  EXPECT_EQ(local.file(), "6");
  EXPECT_EQ(local.in_memory(data), "6");
  EXPECT_EQ(look(), kSound);
}

TEST_F(ScrubPartTest, tombstone_of_the_store_is_taken_I4) {
  have(document(5, "5"));
  ground.put_row(tombstone(6));
  EXPECT_EQ(repair(), "1 key, 1 difference, store ahead 1, repaired 1");
  EXPECT_EQ(local.file(), "<tombstone>");
}

TEST_F(ScrubPartTest, later_clocks_of_the_row_are_taken_and_earlier_ones_are_no_difference) {
  have(document(5, "5"));
  Entry later = document(5, "5");
  later.clocks.invalidated_at = kStart;
  ground.put_row(later);
  EXPECT_EQ(repair(), "1 key, 1 difference, store ahead 1, repaired 1");
  EXPECT_EQ(local.tiers.files().read(kId).entry->clocks, later.clocks);
  ground.put_row(document(5, "5"));
  EXPECT_EQ(look(), kSound);
}

TEST_F(ScrubPartTest, clocks_of_the_row_that_cannot_be_are_no_difference) {
  have(document(5, "5"));
  Entry ahead = document(5, "5");
  ahead.clocks.last_fetch = kStart + 24h;
  ground.put_row(ahead);
  EXPECT_EQ(look(), kSound);
}

TEST_F(ScrubPartTest, invalidation_from_the_future_is_taken_once_I13) {
  have(document(5, "5"));
  Entry ahead = document(5, "5");
  ahead.clocks.invalidated_at = kStart + 5min;
  ground.put_row(ahead);
  EXPECT_EQ(repair(), "1 key, 1 difference, store ahead 1, repaired 1");
  for (int i = 0; i < 3; ++i) {
    ground.clock->advance(1s);
    EXPECT_EQ(look(), kSound);
  }
  ground.clock->advance(5min);
  EXPECT_EQ(repair(), "1 key, 1 difference, store ahead 1, repaired 1") << "it is a time by now";
}

TEST_F(ScrubPartTest, row_that_no_file_takes_is_not_mended_I13) {
  have(document(5, "5"));
  ground.put_row(document(6, "6"));
  ground.refuse_files();
  EXPECT_EQ(repair(),
            "1 key, 1 difference, store ahead 1, not repaired 1 (an entry file was not written)");
  ground.disk_works();
}

// --- The row is older, missing or corrupt ---

TEST_F(ScrubPartTest, older_row_is_sent_what_it_had_confirmed_I1) {
  have(document(5, "5"));
  ground.put_row(document(4, "4"));
  EXPECT_EQ(look(), "1 key, 1 difference, store behind 1");
  EXPECT_EQ(row(), "4");
  EXPECT_EQ(repair(), "1 key, 1 difference, store behind 1, repaired 1");
  EXPECT_EQ(row(), "5");
  EXPECT_EQ(ground.row()->version, version(5)) << "under the version that it has";
}

TEST_F(ScrubPartTest, missing_row_is_sent_again_be_it_a_document_or_a_tombstone_I1) {
  local.into_file(document(5, "5"));
  local.into_file(tombstone(6), {"d", "erased"});
  EXPECT_EQ(look(), "2 keys, 2 differences, store missing 2");
  EXPECT_EQ(ground.store->rows(), 0u);
  EXPECT_EQ(repair(), "2 keys, 2 differences, store missing 2, repaired 2");
  EXPECT_EQ(row(), "5");
  EXPECT_EQ(row({"d", "erased"}), "<tombstone>");
}

TEST_F(ScrubPartTest, document_up_to_the_purge_horizon_was_deleted_in_the_store_I4) {
  local.into_file(document(5, "at"));
  local.into_file(document(6, "above"), {"d", "above"});
  ground.purge_up_to(5);
  EXPECT_EQ(repair(), "2 keys, 2 differences, store missing 2, repaired 2");
  EXPECT_EQ(local.file(), "<nothing>");
  EXPECT_EQ(row(), "<nothing>");
  EXPECT_EQ(row({"d", "above"}), "above");
}

TEST_F(ScrubPartTest, tombstone_up_to_the_purge_horizon_is_not_missed) {
  local.into_file(tombstone(5));
  ground.purge_up_to(5);
  EXPECT_EQ(repair(), kSound);
  EXPECT_EQ(local.file(), "<tombstone>");
  local.into_file(tombstone(6));
  EXPECT_EQ(look(), "1 key, 1 difference, store missing 1");
}

TEST_F(ScrubPartTest, corrupt_row_is_replaced_by_the_file_I9) {
  have(document(5, "5"));
  ground.store->corrupt_row("test", kId, "rubbish");
  EXPECT_EQ(look(), "1 key, 1 difference, store corrupt 1");
  EXPECT_EQ(repair(), "1 key, 1 difference, store corrupt 1, repaired 1");
  EXPECT_EQ(look(), kSound);
  EXPECT_EQ(row(), "5");
}

TEST_F(ScrubPartTest, what_the_journal_does_not_take_is_not_mended_I13) {
  have(document(5, "5"));
  ground.put_row(document(4, "4"));
  ground.refuse(ENOSPC, {"open", "write_at", "allocate"}, "/journal/");
  EXPECT_EQ(repair(),
            "1 key, 1 difference, store behind 1, not repaired 1 (the journal did not take a "
            "write)");
  ground.disk_works();
}

// --- Two contents of one version ---

TEST_F(ScrubPartTest, stores_content_takes_the_place_of_another_one_of_its_version) {
  have(document(5, "here"));
  local.into_memory(data, document(5, "here"));
  ground.put_row(document(5, "there"));
  EXPECT_EQ(look(), "1 key, 1 difference, store differs 1");
  EXPECT_EQ(repair(), "1 key, 1 difference, store differs 1, repaired 1");
  EXPECT_EQ(local.file(), "there");
  EXPECT_EQ(local.in_memory(data), "<nothing>");
  EXPECT_EQ(row(), "there");
}

TEST_F(ScrubPartTest, tombstone_and_document_of_one_version_are_two_contents) {
  have(document(5, "here"));
  ground.put_row(tombstone(5));
  EXPECT_EQ(repair(), "1 key, 1 difference, store differs 1, repaired 1");
  EXPECT_EQ(local.file(), "<tombstone>");
}

TEST_F(ScrubPartTest, content_that_the_disk_does_not_replace_is_not_mended_I13) {
  have(document(5, "here"));
  ground.put_row(document(5, "there"));
  ground.refuse_new_files();
  const ScrubReport report = room.scrub({.repair = true});
  EXPECT_EQ(report.failed, 1u);
  EXPECT_EQ(report.repaired, 0u);
  EXPECT_FALSE(report.why.empty());
  ground.disk_works();
}

// --- The file is damaged, or went away ---

TEST_F(ScrubPartTest, damaged_file_is_written_from_memory_I9) {
  have(document(5, "5"));
  local.into_memory(data, document(5, "5"));
  damage_file();
  EXPECT_EQ(repair(), "1 key, 1 difference, file corrupt 1, repaired 1");
  EXPECT_EQ(local.file(), "5");
  EXPECT_EQ(ground.store->calls("load"), 0u);
}

TEST_F(ScrubPartTest, damaged_file_is_taken_from_the_store_where_memory_is_older_I3_I9) {
  have(document(5, "5"));
  local.into_memory(data, document(4, "4"));
  damage_file();
  EXPECT_EQ(repair(), "1 key, 1 difference, file corrupt 1, repaired 1");
  EXPECT_EQ(local.file(), "5");
}

TEST_F(ScrubPartTest, damaged_file_is_counted_alone_without_repair) {
  have(document(5, "5"));
  local.into_memory(data, document(5, "5"));
  damage_file();
  EXPECT_EQ(look(), "1 key, 1 difference, file corrupt 1");
  ground.run_for(1s);
  EXPECT_EQ(local.file(), "<nothing>");
}

TEST_F(ScrubPartTest, file_that_went_away_comes_back_from_the_store) {
  have(document(5, "5"));
  lose_file();
  EXPECT_EQ(look(), "1 key, 1 difference, file lost 1");
  EXPECT_EQ(local.file(), "<nothing>");
  have(document(5, "5"));
  lose_file();
  EXPECT_EQ(repair(), "1 key, 1 difference, file lost 1, repaired 1");
  EXPECT_EQ(local.file(), "5");
}

TEST_F(ScrubPartTest, file_that_went_away_and_that_nobody_has_is_known_no_more) {
  local.into_file(document(5, "5"));
  lose_file();
  EXPECT_EQ(repair(), "1 key, 1 difference, file lost 1, repaired 1");
  EXPECT_EQ(look(), "0 keys, 0 differences");
}

TEST_F(ScrubPartTest, damaged_file_of_a_corrupt_row_is_known_no_more_I9) {
  have(document(5, "5"));
  ground.store->corrupt_row("test", kId, "rubbish");
  damage_file();
  EXPECT_EQ(repair(), "1 key, 1 difference, file corrupt 1, repaired 1");
  EXPECT_EQ(look(), "0 keys, 0 differences");
}

TEST_F(ScrubPartTest, tombstone_whose_file_went_away_was_purged) {
  local.into_file(tombstone(5));
  lose_file();
  EXPECT_EQ(look(), kSound);
  EXPECT_EQ(ground.store->calls("load"), 0u);
}

TEST_F(ScrubPartTest, file_of_a_newer_format_is_left_alone) {
  have(document(5, "5"));
  const std::string newer = testing::of_newer_format(bytes_of_file());
  ground.disk->write(local.path(), newer);
  EXPECT_EQ(repair(), kSound);
  EXPECT_EQ(bytes_of_file(), newer);
}

TEST_F(ScrubPartTest, file_that_the_disk_does_not_read_is_told_with_and_without_repair_I13) {
  have(document(5, "5"));
  ground.refuse(EIO, {"read_file"}, "/data/");
  for (const bool repair : {false, true}) {
    const ScrubReport report = room.scrub({.repair = repair});
    EXPECT_EQ(report.failed, 1u);
    EXPECT_EQ(report.differences(), 0u);
    EXPECT_FALSE(report.why.empty());
  }
  ground.disk_works();
}

// --- Index and memory ---

TEST_F(ScrubPartTest, index_that_says_more_than_the_file_follows_it) {
  set_file_back_to(document(5, "5"), document(6, "6"));
  ground.put_row(document(5, "5"));
  EXPECT_EQ(look(), "1 key, 1 difference, index wrong 1");
  EXPECT_EQ(look(), kSound) << "reading the file was enough";
}

TEST_F(ScrubPartTest, index_that_says_other_than_a_file_of_its_version_is_wrong) {
  local.into_file(document(5, "old"));
  const std::string old = bytes_of_file();
  ASSERT_TRUE(local.tiers.files().replace(kId, version(5), document(5, "new")).is_there());
  ground.disk->write(local.path(), old);
  ground.put_row(document(5, "old"));
  EXPECT_EQ(repair(), "1 key, 1 difference, index wrong 1, repaired 1");
}

TEST_F(ScrubPartTest, file_that_is_newer_than_the_index_is_another_processs_write) {
  have(document(5, "5"));
  local.into_memory(data, document(5, "5"));
  Ground others{Ground::Beside{ground}};
  LocalRoom theirs(others);
  theirs.into_file(document(6, "6"));
  ground.put_row(document(6, "6"));
  EXPECT_EQ(look(), kSound);
}

TEST_F(ScrubPartTest, memory_that_is_ahead_of_the_file_is_written_there_I3) {
  have(document(5, "5"));
  local.into_memory(data, document(6, "6"));
  EXPECT_EQ(look(), "1 key, 1 difference, memory differs 1");
  EXPECT_EQ(local.file(), "5");
  EXPECT_EQ(repair(), "1 key, 1 difference, memory differs 1, repaired 1");
  EXPECT_EQ(local.file(), "6");
}

TEST_F(ScrubPartTest, memory_whose_file_follows_between_two_looks_is_no_difference) {
  have(document(5, "5"));
  local.into_memory(data, document(6, "6"));
  int reads = 0;
  ground.disk->set_fault([&](const std::string& operation, const std::string& path) {
    if (operation == "read_file" && path == local.path() && ++reads == 2) {
      local.into_file(document(6, "6"));
    }
    return 0;
  });
  EXPECT_EQ(repair(), kSound);
  ground.disk_works();
}

TEST_F(ScrubPartTest, memory_that_is_behind_the_file_lets_go_I3) {
  have(document(6, "6"));
  local.into_memory(data, document(5, "5"));
  EXPECT_EQ(look(), "1 key, 1 difference, memory differs 1");
  EXPECT_EQ(local.in_memory(data), "5");
  EXPECT_EQ(repair(), "1 key, 1 difference, memory differs 1, repaired 1");
  EXPECT_EQ(local.in_memory(data), "<nothing>");
  EXPECT_EQ(local.file(), "6");
}

TEST_F(ScrubPartTest, memory_whose_file_is_still_to_be_written_is_no_difference) {
  have(document(5, "5"));
  local.into_memory(data, document(6, "6"), kId, MemoryTier::Pin::yes);
  EXPECT_EQ(look(), kSound);
}

TEST_F(ScrubPartTest, memory_that_knows_of_no_such_key_is_no_difference) {
  have(document(5, "5"));
  auto resident = std::make_shared<Resident>();
  resident->kind = ResidentKind::not_found;
  local.tiers.memory().put(data.ref(kId.key), resident, {}, MemoryTier::Pin::no);
  EXPECT_EQ(look(), kSound);
}

}  // namespace
}  // namespace tiercache::detail
