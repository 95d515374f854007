// What each call says of a disk that refuses it, of a file that does not hold and of one that is
// newer, and what it leaves there.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "engine/files/entries.h"
#include "engine/files/newer_format.h"
#include "json/envelope.h"

namespace tiercache {
namespace {

class Outcome : public ::testing::Test {
 protected:
  void write(const Entry& entry) {
    ASSERT_EQ(tier_->write(id_, entry, Sync::before).status, WriteStatus::done);
  }
  void fail(const std::string& operation, int error) {
    disk_.set_fault([=](const std::string& name, const std::string& path) {
      return name == operation && path.find("/data/") != std::string::npos ? error : 0;
    });
  }
  void heal() { disk_.set_fault({}); }
  std::string file() {
    std::string out;
    return disk_.read(file_of(id_), &out) ? out : "<none>";
  }
  void write_newer_format() {
    disk_.write(file_of(id_),
                testing::of_newer_format(encode_envelope(kProject, id_, document(5))));
  }
  void tear_document() {
    std::string torn = file();
    torn[torn.size() - 2] ^= 1;
    disk_.write(file_of(id_), torn);
  }

  testing::MemoryDisk disk_;
  Tier tier_{disk_};
  const EntryId id_{"d", "k"};
};

// --- Rewrite ---

TEST_F(Outcome, rewrite_of_a_missing_file_writes_what_is_given_and_without_that_nothing) {
  EXPECT_TRUE(tier_->rewrite(id_, nullptr).io.ok());
  EXPECT_EQ(file(), "<none>");
  const Entry entry = document(5);
  EXPECT_EQ(tier_->rewrite(id_, &entry).status, WriteStatus::done);
  EXPECT_EQ(tier_.version(id_), 5u);
}

TEST_F(Outcome, rewrite_keeps_the_newer_of_the_file_and_what_is_given_I3) {
  const Entry older = document(4, "\"older\""), newer = document(6, "\"newer\"");
  write(document(5, "\"there\""));
  EXPECT_EQ(tier_->rewrite(id_, &older).status, WriteStatus::done);
  EXPECT_EQ(tier_.text(id_), "\"there\"");
  EXPECT_EQ(tier_->rewrite(id_, &newer).status, WriteStatus::done);
  EXPECT_EQ(tier_.text(id_), "\"newer\"");
}

TEST_F(Outcome, rewrite_of_the_same_version_keeps_what_readers_get) {
  write(document(5, "\"there\""));
  const Entry same_version = document(5, "\"given\"");
  EXPECT_EQ(tier_->rewrite(id_, &same_version).status, WriteStatus::done);
  EXPECT_EQ(tier_.text(id_), "\"there\"");
}

// Where the journal does not have what the file says, the new file is synced before it takes the
// old one's place; what the journal has needs no sync.
TEST_F(Outcome, rewrite_syncs_just_what_no_record_holds_I1) {
  const Entry there = document(5);
  Entry other_clocks = there;
  other_clocks.clocks.last_fetch = at_ms(1);
  write(there);
  int synced = 0;
  disk_.set_fault([&](const std::string& name, const std::string&) {
    if (name == "sync_data" || name == "sync_file" || name == "sync_all") ++synced;
    return 0;
  });
  EXPECT_EQ(tier_->rewrite(id_, &there).status, WriteStatus::done);
  EXPECT_EQ(synced, 0) << "the record that was given holds it";
  EXPECT_EQ(tier_->rewrite(id_, &other_clocks).status, WriteStatus::done);
  EXPECT_EQ(synced, 1);
  EXPECT_EQ(tier_->rewrite(id_, nullptr).status, WriteStatus::done);
  EXPECT_EQ(synced, 2);
}

TEST_F(Outcome, rewrite_of_a_damaged_file_keeps_the_damage_and_writes_what_is_given_I9) {
  const Entry entry = document(1);
  for (const Entry* given : {static_cast<const Entry*>(nullptr), &entry}) {
    disk_.write(file_of(id_), "damage");
    EXPECT_TRUE(tier_->rewrite(id_, given).io.ok());
    EXPECT_EQ(tier_.text(id_), given == nullptr ? "<absent>" : *entry.document);
  }
  EXPECT_EQ(quarantined_files(disk_), 2);
}

TEST_F(Outcome, rewrite_touches_nothing_that_it_cannot_read_or_move_aside) {
  const Entry entry = document(9);
  write_newer_format();
  const std::string newer = file();
  EXPECT_TRUE(tier_->rewrite(id_, &entry).io.ok());
  EXPECT_EQ(file(), newer);
  fail("read_file", EIO);
  EXPECT_EQ(tier_->rewrite(id_, &entry).io.error, EIO);
  heal();
  EXPECT_EQ(file(), newer);
  disk_.write(file_of(id_), "damage");
  fail("rename", EIO);
  EXPECT_EQ(tier_->rewrite(id_, &entry).io.error, EIO);
  heal();
  EXPECT_EQ(file(), "damage");
}

// --- Replace ---

TEST_F(Outcome, replace_takes_the_place_of_a_file_up_to_the_bound_and_of_none_above_I3) {
  write(document(9, "\"ahead\""));
  EXPECT_EQ(tier_->replace(id_, {8, 1}, document(5)).status, WriteStatus::newer_there);
  EXPECT_EQ(tier_.text(id_), "\"ahead\"");
  EXPECT_EQ(tier_->replace(id_, {9, 1}, document(5, "\"store's\"")).status, WriteStatus::done);
  EXPECT_EQ(tier_.text(id_), "\"store's\"");
  EXPECT_EQ(tier_->index().find(id_)->version.time, 5u);
}

TEST_F(Outcome, replace_touches_nothing_that_it_cannot_read) {
  write(document(5));
  const std::string before = file();
  fail("open", EIO);
  const FileWriteResult unread = tier_->replace(id_, {9, 1}, document(7));
  EXPECT_EQ(unread.status, WriteStatus::failed);
  EXPECT_EQ(unread.io.error, EIO);
  heal();
  EXPECT_EQ(file(), before);
  write_newer_format();
  const std::string newer = file();
  EXPECT_EQ(tier_->replace(id_, {9, 1}, document(7)).io.error, ENOTSUP);
  EXPECT_EQ(file(), newer);
}

// --- Remove ---

TEST_F(Outcome, remove_moves_a_newer_file_aside_whose_document_is_torn_I9) {
  write(document(9));
  tear_document();
  EXPECT_EQ(tier_->remove(id_, {5, 1}).status, WriteStatus::done);
  EXPECT_EQ(tier_.text(id_), "<absent>");
  EXPECT_EQ(quarantined_files(disk_), 1);
}

TEST_F(Outcome, remove_spares_a_newer_file_and_hands_it_out_I3) {
  write(document(9, "\"newer\""));
  const FileWriteResult result = tier_->remove(id_, {8, 1});
  EXPECT_EQ(result.status, WriteStatus::newer_there);
  EXPECT_EQ(*result.current->document, "\"newer\"");
  EXPECT_EQ(tier_->remove(id_, {9, 1}).status, WriteStatus::done);
}

TEST_F(Outcome, remove_that_fails_leaves_the_file_and_what_is_known_of_it) {
  write(document(5));
  for (const char* failing : {"open", "remove_file"}) {
    fail(failing, EIO);
    EXPECT_EQ(tier_->remove(id_, {9, 1}).io.error, EIO) << failing;
    heal();
    EXPECT_EQ(tier_.version(id_), 5u) << failing;
    EXPECT_TRUE(tier_->index().find(id_)) << failing;
  }
}

// --- Write ---

TEST_F(Outcome, write_that_cannot_read_what_is_there_or_move_it_aside_says_why) {
  write(document(5));
  const std::string before = file();
  fail("open", EIO);
  EXPECT_EQ(tier_->write(id_, document(6), Sync::none).io.error, EIO);
  heal();
  EXPECT_EQ(file(), before);
  disk_.write(file_of(id_), "damage");
  fail("rename", EIO);
  EXPECT_EQ(tier_->write(id_, document(6), Sync::none).io.error, EIO);
  heal();
  EXPECT_EQ(file(), "damage");
}

TEST_F(Outcome, whatever_differs_in_an_entry_of_the_same_version_is_written) {
  Entry entry = document(5);
  const auto expect_written = [&](const char* what) {
    ASSERT_EQ(tier_->write(id_, entry, Sync::none).status, WriteStatus::done) << what;
    const FileReadResult read = tier_->read(id_);
    ASSERT_EQ(read.status, ReadStatus::found) << what;
    EXPECT_EQ(read.entry->cache_version, entry.cache_version) << what;
    EXPECT_EQ(read.entry->fresh_for, entry.fresh_for) << what;
    EXPECT_EQ(read.entry->clocks, entry.clocks) << what;
    EXPECT_EQ(read.entry->metadata, entry.metadata) << what;
    EXPECT_EQ(read.entry->checksum, entry.checksum) << what;
    EXPECT_EQ(read.entry->kind, entry.kind) << what;
  };
  entry.metadata = "{}";
  expect_written("the first");
  entry.cache_version = "2";
  expect_written("cache version");
  entry.fresh_for = std::chrono::milliseconds(7);
  expect_written("lifetime");
  entry.clocks.last_rich_fetch = at_ms(1'800'000'000'000);
  expect_written("clocks");
  entry.clocks.last_fetch = at_ms(1'800'000'000'000);
  entry.metadata = "{\"a\":1}";
  expect_written("metadata");
  entry.document = std::make_shared<const std::string>("{\"a\":2}");
  entry.checksum = Checksum::of("{\"a\":2}");
  expect_written("document");
}

TEST_F(Outcome, entry_and_header_of_just_the_longest_size_are_written_and_longer_ones_refused) {
  const std::size_t frame = encode_envelope(kProject, id_, document(1, "\"\"")).size() - 2;
  const auto of_size = [&](std::size_t bytes) {
    // Of another size the header has more digits.
    std::string text = "\"" + std::string(bytes - frame - 8, 'x') + "\"";
    while (encode_envelope(kProject, id_, document(1, text)).size() < bytes) {
      text.insert(1, "x");
    }
    return document(1, text);
  };
  EXPECT_EQ(tier_->write(id_, of_size(kMaxFileBytes + 1), Sync::none).io.error, EFBIG);
  EXPECT_EQ(file(), "<none>");
  EXPECT_TRUE(tier_->write(id_, of_size(kMaxFileBytes), Sync::none).io.ok());
  EXPECT_EQ(file().size(), kMaxFileBytes);
}

// --- Many at once ---

TEST_F(Outcome, of_many_written_at_once_only_those_whose_part_failed_fail) {
  const EntryId other{"d", "other"}, stale{"d", "stale"}, torn{"d", "torn"};
  ASSERT_EQ(tier_->write(stale, document(9), Sync::before).status, WriteStatus::done);
  disk_.write(file_of(torn), "damage");
  const std::vector<std::pair<EntryId, EntryPtr>> batch = {{id_, shared(document(5))},
                                                           {other, shared(document(5))},
                                                           {stale, shared(document(5))},
                                                           {torn, shared(document(5))}};
  disk_.set_fault([&](const std::string& name, const std::string& path) {
    return name == "open" && path == file_of(other) ? EIO : 0;
  });
  const std::vector<FileWriteResult> results = tier_->write_synced(batch);
  heal();
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[0].status, WriteStatus::done);
  EXPECT_TRUE(results[0].is_there());
  EXPECT_EQ(results[1].status, WriteStatus::failed);
  EXPECT_FALSE(results[1].is_there());
  EXPECT_EQ(results[2].status, WriteStatus::newer_there);
  EXPECT_TRUE(results[2].is_there());
  EXPECT_EQ(results[3].status, WriteStatus::done);
  EXPECT_EQ(tier_.text(other), "<absent>");
  EXPECT_EQ(temps(disk_), 0);
}

TEST_F(Outcome, many_whose_names_cannot_be_synced_have_failed_but_for_those_that_were_not_written) {
  const EntryId stale{"d", "stale"};
  ASSERT_EQ(tier_->write(stale, document(9), Sync::before).status, WriteStatus::done);
  const std::vector<std::pair<EntryId, EntryPtr>> batch = {{id_, shared(document(5))},
                                                           {stale, shared(document(5))}};
  disk_.set_fault([&](const std::string& name, const std::string&) {
    return name == "sync_directory" ? EIO : 0;
  });
  const std::vector<FileWriteResult> results = tier_->write_synced(batch);
  EXPECT_EQ(results[0].status, WriteStatus::failed);
  EXPECT_EQ(results[0].io.error, EIO);
  EXPECT_EQ(results[1].status, WriteStatus::newer_there);
}

// --- Closed ---

TEST_F(Outcome, closed_tier_refuses_every_kind_of_write) {
  write(document(5));
  const Entry entry = document(6);
  const std::string before = file();
  ASSERT_TRUE(tier_->close().ok());
  EXPECT_EQ(tier_->write(id_, entry, Sync::none).io.error, ESHUTDOWN);
  EXPECT_EQ(tier_->rewrite(id_, &entry).io.error, ESHUTDOWN);
  EXPECT_EQ(tier_->replace(id_, {9, 1}, entry).io.error, ESHUTDOWN);
  EXPECT_EQ(tier_->remove(id_, {9, 1}).io.error, ESHUTDOWN);
  const std::vector<std::pair<EntryId, EntryPtr>> batch = {{id_, shared(entry)}};
  EXPECT_EQ(tier_->write_synced(batch)[0].io.error, ESHUTDOWN);
  EXPECT_TRUE(tier_->write_synced({}).empty());
  EXPECT_EQ(file(), before);
}

}  // namespace
}  // namespace tiercache
