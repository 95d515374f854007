// Bytes that do not hold are never served, kept aside, and do not stop the next write.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "engine/files/entries.h"
#include "engine/files/newer_format.h"
#include "json/envelope.h"

namespace tiercache {
namespace {

class Corruption : public ::testing::Test {
 protected:
  void write(const EntryId& id, const Entry& entry) {
    ASSERT_EQ(tier_->write(id, entry, Sync::before).status, WriteStatus::done);
  }
  std::string file(const EntryId& id) {
    std::string out;
    EXPECT_TRUE(disk_.read(file_of(id), &out));
    return out;
  }

  testing::MemoryDisk disk_;
  Tier tier_{disk_};
  const EntryId id_{"d", "k"};
  const EntryId other_{"d", "other"};
};

TEST_F(Corruption, every_changed_byte_is_found_or_changes_nothing_I2) {
  Entry entry = document(5, "{\"price\":12.5}");
  entry.metadata = "{\"etag\":\"x\"}";
  write(id_, entry);
  const std::string sound = file(id_);
  for (std::size_t i = 0; i < sound.size(); ++i) {
    for (const int flip : {1, 0x20, 0xff}) {
      std::string damaged = sound;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      disk_.write(file_of(id_), damaged);
      const FileReadResult result = tier_->read(id_);
      ASSERT_NE(result.status, ReadStatus::failed);
      if (result.status != ReadStatus::found) continue;
      EXPECT_EQ(*result.entry->document, *entry.document) << i;
      EXPECT_EQ(result.entry->version, entry.version) << i;
      EXPECT_EQ(result.entry->metadata, entry.metadata) << i;
      EXPECT_EQ(result.entry->clocks, entry.clocks) << i;
    }
  }
  EXPECT_GE(tier_->quarantined(), sound.size());
}

TEST_F(Corruption, every_cut_is_found_I2) {
  write(id_, document(5));
  const std::string sound = file(id_);
  for (std::size_t size = 0; size < sound.size(); ++size) {
    disk_.write(file_of(id_), sound.substr(0, size));
    EXPECT_EQ(tier_->read(id_).status, ReadStatus::corrupt) << size;
  }
  disk_.write(file_of(id_), sound + " ");
  EXPECT_EQ(tier_->read(id_).status, ReadStatus::corrupt);
}

TEST_F(Corruption, damaged_file_is_moved_aside_byte_for_byte_and_forgotten_I9) {
  write(id_, document(5));
  disk_.write(file_of(id_), "damage");
  const FileReadResult result = tier_->read(id_);
  EXPECT_EQ(result.status, ReadStatus::corrupt);
  EXPECT_FALSE(result.why.empty());
  EXPECT_EQ(tier_.text(id_), "<absent>");
  EXPECT_FALSE(tier_->index().find(id_));
  EXPECT_EQ(tier_->quarantined(), 1u);
  EXPECT_EQ(tier_->quarantine_counts().damaged, 1u);
  std::string kept;
  for (const std::string& path : disk_.files()) {
    if (path.starts_with("/cache/quarantine/")) disk_.read(path, &kept);
  }
  EXPECT_EQ(kept, "damage");
}

TEST_F(Corruption, quarantine_keeps_every_file_under_a_name_of_its_own) {
  for (int round = 0; round < 3; ++round) {
    for (const EntryId& id : {id_, other_, EntryId{"d", ""}, EntryId{"d", std::string(500, 'x')},
                              EntryId{std::string(500, 'y'), std::string(500, 'x')}}) {
      disk_.write(file_of(id), "damage");
      EXPECT_EQ(tier_->read(id).status, ReadStatus::corrupt);
    }
    disk_.kill();
    Tier next(disk_);  // whose counting starts again, in the same slot
    tier_.files = std::move(next.files);
    tier_.file_system = std::move(next.file_system);
  }
  EXPECT_EQ(quarantined_files(disk_), 15);
}

TEST_F(Corruption, swapped_files_are_never_served_I12) {
  write(id_, document(5, "\"mine\""));
  write(other_, document(6, "\"other\""));
  const std::string mine = file(id_);
  disk_.write(file_of(id_), file(other_));
  disk_.write(file_of(other_), mine);
  EXPECT_EQ(tier_.text(id_), "<corrupt>");
  EXPECT_EQ(tier_.text(other_), "<corrupt>");
  EXPECT_EQ(tier_->quarantine_counts().misplaced, 2u);
  EXPECT_EQ(tier_.text(id_), "<absent>");
}

TEST_F(Corruption, file_of_another_project_is_never_served) {
  disk_.write(file_of(id_), encode_envelope("theirs", id_, document(5)));
  const FileReadResult read = tier_->read(id_);
  EXPECT_EQ(read.status, FileReadResult::Status::corrupt);
  EXPECT_NE(read.why.find("of another key or project"), std::string::npos) << read.why;
  EXPECT_EQ(tier_->quarantine_counts().misplaced, 1u);
}

TEST_F(Corruption, newer_format_is_left_alone) {
  const std::string bytes = testing::of_newer_format(encode_envelope(kProject, id_, document(5)));
  disk_.write(file_of(id_), bytes);
  EXPECT_EQ(tier_.text(id_), "<other format>");
  EXPECT_EQ(tier_->write(id_, document(9), Sync::none).io.error, ENOTSUP);
  EXPECT_EQ(tier_->remove(id_, {9, 1}).io.error, ENOTSUP);
  EXPECT_EQ(file(id_), bytes);
  EXPECT_EQ(tier_->quarantined(), 0u);
}

TEST_F(Corruption, write_heals_a_damaged_file_and_keeps_the_damage_I9) {
  for (const Sync sync : {Sync::none, Sync::before}) {
    write(id_, document(50));
    disk_.write(file_of(id_), "damage");
    // Older than what was there: nothing sound stands against it any more.
    EXPECT_EQ(tier_->write(id_, document(5, "\"healed\""), sync).status, WriteStatus::done);
    EXPECT_EQ(tier_.text(id_), "\"healed\"");
    EXPECT_EQ(tier_->index().find(id_)->version.time, 5u);
    tier_->remove(id_, {100, 1});
  }
  EXPECT_EQ(quarantined_files(disk_), 2);
}

TEST_F(Corruption, write_synced_heals_a_damaged_file) {
  write(id_, document(50));
  disk_.write(file_of(id_), "damage");
  const std::vector<std::pair<EntryId, EntryPtr>> batch = {{id_, shared(document(5))}};
  EXPECT_EQ(tier_->write_synced(batch)[0].status, WriteStatus::done);
  EXPECT_EQ(tier_.version(id_), 5u);
  EXPECT_EQ(quarantined_files(disk_), 1);
}

// The header of the right version does not vouch for the document behind it.
TEST_F(Corruption, write_of_the_same_version_heals_a_torn_document) {
  const Entry entry = document(5, "\"" + std::string(9000, 'x') + "\"");
  for (const Sync sync : {Sync::none, Sync::before}) {
    write(id_, entry);
    std::string torn = file(id_);
    std::fill(torn.begin() + 4096, torn.begin() + 8192, '\0');
    disk_.write(file_of(id_), torn);
    EXPECT_EQ(tier_->write(id_, entry, sync).status, WriteStatus::done);
    EXPECT_EQ(tier_.text(id_), *entry.document);
    tier_->remove(id_, {100, 1});
  }
}

TEST_F(Corruption, torn_document_of_a_newer_version_does_not_hold_an_older_write_off) {
  write(id_, document(9, "\"" + std::string(9000, 'x') + "\""));
  std::string torn = file(id_);
  torn[6000] = '\0';
  disk_.write(file_of(id_), torn);
  EXPECT_EQ(tier_->write(id_, document(5, "\"older\""), Sync::none).status, WriteStatus::done);
  EXPECT_EQ(tier_.text(id_), "\"older\"");
  EXPECT_EQ(tier_->index().find(id_)->version.time, 5u);
}

TEST_F(Corruption, remove_moves_a_damaged_file_aside) {
  write(id_, document(5));
  disk_.write(file_of(id_), "damage");
  EXPECT_EQ(tier_->remove(id_, {1, 1}).status, WriteStatus::done);
  EXPECT_EQ(tier_.text(id_), "<absent>");
  EXPECT_EQ(quarantined_files(disk_), 1);
}

TEST_F(Corruption, file_larger_than_allowed_is_not_read_and_not_moved) {
  disk_.write(file_of(id_), std::string(kMaxFileBytes + 1, 'x'));
  EXPECT_EQ(tier_.text(id_), "<failed>");
  EXPECT_EQ(quarantined_files(disk_), 0);
}

TEST_F(Corruption, rebuild_moves_damaged_and_misplaced_files_aside) {
  write(id_, document(5));
  write(other_, document(6));
  write({"d", ""}, document(7));
  disk_.write(file_of({"d", "damaged"}), "damage");
  disk_.write(file_of({"d", "misplaced"}), file(other_));
  disk_.write("/cache/data/d/notes.txt", "a person's");
  disk_.write("/cache/data/d/00/notes.txt", "a person's");
  disk_.write("/cache/data/stray.json", "a person's");
  disk_.kill();
  Tier next(disk_);
  EXPECT_TRUE(next.rebuilt);
  EXPECT_EQ(next->quarantine_counts().damaged, 1u);
  EXPECT_EQ(next->quarantine_counts().misplaced, 1u);
  EXPECT_EQ(next->index().page("d", std::nullopt, 10),
            (std::vector<std::string>{"", "k", "other"}));
  std::string notes;
  EXPECT_TRUE(disk_.read("/cache/data/d/00/notes.txt", &notes));
  EXPECT_TRUE(disk_.read("/cache/data/stray.json", &notes));
}

TEST_F(Corruption, every_changed_byte_of_the_index_leads_to_a_rebuild) {
  write(id_, document(5));
  write(other_, tombstone(6));
  const std::string expected = contents(tier_->index());
  ASSERT_TRUE(tier_->close().ok());
  std::string index;
  ASSERT_TRUE(disk_.read("/cache/index", &index));
  Index left;
  ASSERT_TRUE(left.decode(index));
  EXPECT_EQ(contents(left), expected);
  disk_.kill();
  for (std::size_t i = 0; i < index.size(); ++i) {
    std::string damaged = index;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    disk_.write("/cache/index", damaged);
    Tier next(disk_);
    EXPECT_TRUE(next.rebuilt) << i;
    EXPECT_EQ(contents(next->index()), expected) << i;
    disk_.kill();
  }
}

TEST_F(Corruption, reading_tells_the_index_what_others_did_behind_its_back) {
  write(id_, document(5));
  write(other_, document(5));
  disk_.write(file_of(id_), encode_envelope(kProject, id_, document(8)));
  disk_.remove(file_of(other_));
  EXPECT_EQ(tier_.version(id_), 8u);
  EXPECT_EQ(tier_->index().find(id_)->version.time, 8u);
  EXPECT_EQ(tier_.text(other_), "<absent>");
  EXPECT_FALSE(tier_->index().find(other_));
}

}  // namespace
}  // namespace tiercache
