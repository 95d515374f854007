// The file tier on the machine's disk and on the one in memory, while nothing goes wrong.
#include "files/entry_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/files/entries.h"
#include "json/envelope.h"

namespace tiercache {
namespace {

class EntryFilesTest : public ::testing::TestWithParam<bool> {
 protected:
  EntryFilesTest() {
    if (GetParam()) {
      std::string name = ::testing::TempDir() + "tiercache-XXXXXX";
      directory_ = mkdtemp(name.data());
    } else {
      directory_ = "/place";
      fs_ = disk_.boot();
    }
    open_directory(*fs_, {directory_ + "/cache", kProject, true});
    reopen();
  }
  ~EntryFilesTest() override { fs_->remove_tree(directory_); }

  void reopen() {
    files_.reset();
    files_ = std::make_unique<EntryFiles>(*fs_, directory_ + "/cache", kProject, kMaxFileBytes);
    const IoStatus status = files_->open(&rebuilt_);
    ASSERT_TRUE(status.ok()) << status.what;
  }
  WriteStatus write(const EntryId& id, const Entry& entry, Sync sync = Sync::none) {
    const FileWriteResult result = files_->write(id, entry, sync);
    EXPECT_TRUE(result.io.ok()) << result.io.what;
    return result.status;
  }
  Entry read(const EntryId& id) {
    const FileReadResult result = files_->read(id);
    EXPECT_EQ(result.status, ReadStatus::found) << result.why;
    return result.entry ? *result.entry : Entry{};
  }
  std::string path(const EntryId& id) { return directory_ + "/cache/data/" + entry_path(id); }
  std::vector<std::string> names(const std::string& folder) {
    std::vector<DirectoryItem> items;
    fs_->list(directory_ + "/cache/" + folder, &items);
    std::vector<std::string> out;
    for (const DirectoryItem& item : items) out.push_back(item.name);
    return out;
  }

  testing::MemoryDisk disk_;
  std::shared_ptr<FileSystem> fs_ = posix_file_system();
  std::string directory_;
  std::unique_ptr<EntryFiles> files_;
  bool rebuilt_ = false;
  const EntryId id_{"prices", "eur-usd"};
};

TEST_P(EntryFilesTest, what_was_written_is_read_back_whole) {
  Entry entry = document(7, "{\"a\": [1, 2.50, \"\xc3\xa4\"]}\n");
  entry.clocks.last_rich_fetch = at_ms(5);
  entry.clocks.invalidated_at = at_ms(6);
  entry.metadata = "{\"etag\":\"x\"}";
  entry.cache_version = "2.1";
  entry.fresh_for = std::chrono::milliseconds(1500);
  EXPECT_EQ(files_->read(id_).status, ReadStatus::absent);
  for (const Sync sync : {Sync::none, Sync::before}) {
    ++entry.version.time;
    ASSERT_EQ(write(id_, entry, sync), WriteStatus::done);
    const Entry got = read(id_);
    EXPECT_EQ(got.kind, EntryKind::document);
    EXPECT_EQ(got.version, entry.version);
    EXPECT_EQ(got.checksum, entry.checksum);
    EXPECT_EQ(*got.document, *entry.document);
    EXPECT_EQ(got.clocks, entry.clocks);
    EXPECT_EQ(got.metadata, entry.metadata);
    EXPECT_EQ(got.cache_version, entry.cache_version);
    EXPECT_EQ(got.fresh_for, entry.fresh_for);
  }
}

TEST_P(EntryFilesTest, tombstones_are_entries_too) {
  write(id_, document(1));
  EXPECT_EQ(write(id_, tombstone(2)), WriteStatus::done);
  EXPECT_EQ(read(id_).kind, EntryKind::tombstone);
  EXPECT_EQ(write(id_, document(1)), WriteStatus::newer_there);
  EXPECT_EQ(files_->index().count("prices"), 0u);
  EXPECT_EQ(write(id_, document(3)), WriteStatus::done);
  EXPECT_EQ(files_->index().count("prices"), 1u);
}

TEST_P(EntryFilesTest, write_of_older_version_leaves_newer_file_I3) {
  write(id_, document(5, "\"new\""));
  for (const Sync sync : {Sync::none, Sync::before}) {
    const FileWriteResult result = files_->write(id_, document(4, "\"old\""), sync);
    EXPECT_EQ(result.status, WriteStatus::newer_there);
    ASSERT_TRUE(result.current);
    EXPECT_EQ(*result.current->document, "\"new\"");
  }
  EXPECT_EQ(*read(id_).document, "\"new\"");
  // The writer breaks a tie of the clock.
  Entry tie = document(5, "\"tie\"");
  tie.version.writer = 0;
  EXPECT_EQ(write(id_, tie), WriteStatus::newer_there);
  tie.version.writer = 2;
  EXPECT_EQ(write(id_, tie), WriteStatus::done);
}

TEST_P(EntryFilesTest, equal_versions_merge_clocks_and_keep_the_later_metadata) {
  Entry first = document(5);
  first.clocks = {at_ms(100), at_ms(50), std::nullopt};
  first.metadata = "{\"etag\":\"first\"}";
  write(id_, first);
  Entry second = document(5);
  second.clocks = {at_ms(90), std::nullopt, at_ms(80)};
  second.metadata = "{\"etag\":\"second\"}";
  EXPECT_EQ(write(id_, second), WriteStatus::done);
  EXPECT_EQ(read(id_).clocks, (Clocks{at_ms(100), at_ms(50), at_ms(80)}));
  EXPECT_EQ(read(id_).metadata, "{\"etag\":\"first\"}");
  second.clocks.last_fetch = at_ms(110);
  EXPECT_EQ(write(id_, second), WriteStatus::done);
  EXPECT_EQ(read(id_).clocks, (Clocks{at_ms(110), at_ms(50), at_ms(80)}));
  EXPECT_EQ(read(id_).metadata, "{\"etag\":\"second\"}");
  EXPECT_EQ(files_->index().find(id_)->clocks, read(id_).clocks);
}

TEST_P(EntryFilesTest, entry_without_document_moves_clocks_of_its_version_alone) {
  Entry clocks;
  clocks.version = {5, 1};
  clocks.clocks.last_fetch = at_ms(1'900'000'000'000);
  EXPECT_EQ(files_->write(id_, clocks, Sync::none).io.error, ENODATA);
  write(id_, document(5, "\"kept\""));
  EXPECT_EQ(write(id_, clocks), WriteStatus::done);
  EXPECT_EQ(*read(id_).document, "\"kept\"");
  EXPECT_EQ(read(id_).clocks.last_fetch, at_ms(1'900'000'000'000));
  clocks.version = {6, 1};
  EXPECT_EQ(files_->write(id_, clocks, Sync::none).io.error, ENODATA);
  const std::vector<std::pair<EntryId, EntryPtr>> batch = {{id_, shared(clocks)}};
  EXPECT_EQ(files_->write_synced(batch)[0].io.error, ENODATA);
  EXPECT_EQ(*read(id_).document, "\"kept\"");
}

TEST_P(EntryFilesTest, remove_spares_a_newer_version_I3) {
  write(id_, document(5));
  const FileWriteResult result = files_->remove(id_, {4, 9});
  EXPECT_EQ(result.status, WriteStatus::newer_there);
  ASSERT_TRUE(result.current);
  EXPECT_EQ(result.current->version.time, 5u);
  EXPECT_EQ(read(id_).version.time, 5u);
  EXPECT_EQ(files_->remove(id_, {5, 1}).status, WriteStatus::done);
  EXPECT_EQ(files_->read(id_).status, ReadStatus::absent);
  EXPECT_FALSE(files_->index().find(id_));
  EXPECT_EQ(files_->remove(id_, {5, 1}).status, WriteStatus::done);
}

TEST_P(EntryFilesTest, text_that_was_put_stands_before_what_a_store_makes_of_it) {
  const Entry put = document(7, "{\"b\":1,\"a\":2}");
  Entry row = put;
  row.document = std::make_shared<const std::string>("{\"a\": 2, \"b\": 1}");
  row.text_checksum = Checksum::of(*row.document);
  row.clocks.last_fetch = at_ms(1'900'000'000'000);
  write(id_, row);
  EXPECT_EQ(*read(id_).document, *row.document);
  reopen();
  EXPECT_EQ(*read(id_).document, *row.document);
  write(id_, put);
  EXPECT_EQ(*read(id_).document, *put.document);
  row.clocks.last_fetch = at_ms(1'900'000'000'001);
  write(id_, row, Sync::before);
  EXPECT_EQ(*read(id_).document, *put.document);
  EXPECT_EQ(read(id_).text_checksum, std::nullopt);
  EXPECT_EQ(read(id_).clocks, row.clocks);
}

TEST_P(EntryFilesTest, write_synced_takes_each_by_its_own_version) {
  write({"d", "newer"}, document(9, "\"stays\""));
  write({"d", "older"}, document(1, "\"goes\""));
  write({"d", "same"}, document(5));
  Entry moved = document(5);
  moved.clocks.last_fetch = at_ms(1'900'000'000'000);
  std::vector<std::pair<EntryId, EntryPtr>> batch = {
      {{"d", "newer"}, shared(document(5, "\"old\""))},
      {{"d", "older"}, shared(document(5, "\"x\""))},
      {{"d", "same"}, shared(moved)},
      {{"d", "absent"}, shared(document(5))},
      {{"e", ""}, shared(tombstone(5))},
      {{"d", "absent"}, shared(document(6, "\"6\""))},
      {{"d", "absent"}, shared(document(4))}};
  const std::vector<FileWriteResult> results = files_->write_synced(batch);
  ASSERT_EQ(results.size(), batch.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    const bool newer = i == 0 || i == 6;
    EXPECT_EQ(results[i].status, newer ? WriteStatus::newer_there : WriteStatus::done) << i;
  }
  EXPECT_EQ(*results[0].current->document, "\"stays\"");
  EXPECT_EQ(*read({"d", "newer"}).document, "\"stays\"");
  EXPECT_EQ(*read({"d", "older"}).document, "\"x\"");
  EXPECT_EQ(read({"d", "same"}).clocks.last_fetch, at_ms(1'900'000'000'000));
  EXPECT_EQ(*read({"d", "absent"}).document, "\"6\"");
  EXPECT_EQ(read({"e", ""}).kind, EntryKind::tombstone);
  EXPECT_TRUE(names("tmp/0").empty());
  EXPECT_TRUE(files_->write_synced({}).empty());
}

TEST_P(EntryFilesTest, no_half_written_file_is_left) {
  for (std::uint64_t version = 1; version < 10; ++version) {
    write(id_, document(version));
    write(id_, document(version));
    files_->write(id_, document(version - 1), Sync::before);
  }
  EXPECT_TRUE(names("tmp/0").empty());
}

TEST_P(EntryFilesTest, entry_larger_than_a_file_may_be_is_refused_and_the_old_one_stays) {
  write(id_, document(1));
  const Entry large = document(2, "\"" + std::string(kMaxFileBytes, 'x') + "\"");
  EXPECT_EQ(files_->write(id_, large, Sync::none).io.error, EFBIG);
  const std::vector<std::pair<EntryId, EntryPtr>> batch = {{id_, shared(large)},
                                                           {{"d", "k"}, shared(document(1))}};
  const auto results = files_->write_synced(batch);
  EXPECT_EQ(results[0].io.error, EFBIG);
  EXPECT_EQ(results[1].status, WriteStatus::done);
  EXPECT_EQ(read(id_).version.time, 1u);
}

TEST_P(EntryFilesTest, keys_of_any_form_stay_inside_and_apart_I12) {
  std::mt19937_64 random(3);
  std::map<EntryId, std::string> expected;
  std::vector<std::string> texts = {"",
                                    ".",
                                    "..",
                                    "../../x",
                                    "/abs",
                                    "a/b",
                                    "A",
                                    "a",
                                    "@",
                                    "%40",
                                    "~",
                                    "a\x01z",
                                    "\xc3\xa4",
                                    "a\xcc\x88",
                                    std::string(3000, 'k'),
                                    std::string(3000, '/'),
                                    "tiercache.json",
                                    "index"};
  for (int i = 0; i < 100; ++i) {
    std::string text(random() % 20, '\0');
    for (char& c : text) c = static_cast<char>(0x20 + random() % 0x5f);
    texts.push_back(text);
  }
  for (const std::string& text : texts) {
    const EntryId id{text.size() % 2 == 0 && !text.empty() ? text : "d", text};
    const std::string content = "\"" + std::to_string(expected.size()) + "\"";
    if (!expected.emplace(id, content).second) continue;
    ASSERT_EQ(write(id, document(1, content)), WriteStatus::done) << text;
  }
  for (const auto& [id, content] : expected) EXPECT_EQ(*read(id).document, content) << id.key;
  std::vector<DirectoryItem> outside;
  ASSERT_TRUE(fs_->list(directory_, &outside).ok());
  EXPECT_EQ(outside.size(), 1u);
  EXPECT_EQ(names(""), (std::vector<std::string>{"data", "locks", "tiercache.json", "tmp"}));
  reopen();
  EXPECT_EQ(files_->index().size(), expected.size());
}

TEST_P(EntryFilesTest, rebuilt_index_equals_the_kept_one) {
  for (std::uint64_t i = 0; i < 300; ++i) {
    write({"d" + std::to_string(i % 3), "key " + std::to_string(i)}, document(i + 1));
  }
  write({"d0", ""}, document(9));
  write({"d0", "gone"}, tombstone(9));
  files_->remove({"d0", "key 0"}, {1'000, 1});
  // Read back, since a header keeps no more than a file does.
  const std::string kept = contents(files_->index());
  ASSERT_TRUE(files_->close().ok());
  reopen();
  EXPECT_FALSE(rebuilt_);
  EXPECT_EQ(contents(files_->index()), kept);
  reopen();
  EXPECT_TRUE(rebuilt_) << "what a close left counts once";
  EXPECT_EQ(contents(files_->index()), kept);
}

TEST_P(EntryFilesTest, header_longer_than_usual_is_read) {
  Entry entry = document(5);
  entry.metadata = "{\"note\":\"" + std::string(20'000, 'n') + "\"}";
  write(id_, entry);
  EXPECT_EQ(files_->write(id_, document(4), Sync::none).status, WriteStatus::newer_there);
  EXPECT_EQ(write(id_, document(6)), WriteStatus::done);
  entry.version = {7, 1};
  write(id_, entry);
  reopen();
  EXPECT_EQ(files_->index().find(id_)->version.time, 7u);
}

TEST_P(EntryFilesTest, closed_tier_reads_but_does_not_write) {
  write(id_, document(1));
  ASSERT_TRUE(files_->close().ok());
  EXPECT_EQ(read(id_).version.time, 1u);
  EXPECT_EQ(files_->write(id_, document(2), Sync::none).io.error, ESHUTDOWN);
  EXPECT_EQ(files_->remove(id_, {2, 1}).io.error, ESHUTDOWN);
  const std::vector<std::pair<EntryId, EntryPtr>> batch = {{id_, shared(document(2))}};
  EXPECT_EQ(files_->write_synced(batch)[0].io.error, ESHUTDOWN);
  EXPECT_TRUE(files_->close().ok());
}

TEST_P(EntryFilesTest, threads_on_the_same_keys_leave_the_newest_and_see_only_whole_entries_I3) {
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      std::uint64_t seen[3] = {};
      for (std::uint64_t i = 1; i <= 100; ++i) {
        const EntryId id{"d", std::to_string(i % 3)};
        const std::string text = "\"" + std::string(i * 7, static_cast<char>('a' + t)) + "\"";
        files_->write(id, document(i * 4 + t, text), i % 10 == 0 ? Sync::before : Sync::none);
        const FileReadResult result = files_->read(id);
        ASSERT_EQ(result.status, ReadStatus::found) << result.why;
        EXPECT_GE(result.entry->version.time, seen[i % 3]);
        seen[i % 3] = result.entry->version.time;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::uint64_t key : {0u, 1u, 2u}) {
    const std::uint64_t last = key == 0 ? 99 : key == 1 ? 100 : 98;
    EXPECT_EQ(read({"d", std::to_string(key)}).version.time, last * 4 + 3);
    EXPECT_EQ(files_->index().find({"d", std::to_string(key)})->version.time, last * 4 + 3);
  }
  EXPECT_TRUE(names("tmp/0").empty());
}

INSTANTIATE_TEST_SUITE_P(On, EntryFilesTest, ::testing::Bool(),
                         [](const auto& posix) { return posix.param ? "posix" : "memory"; });

TEST(EntryFilesPosix, everything_below_the_directory_is_private_I11) {
  std::string name = ::testing::TempDir() + "tiercache-XXXXXX";
  const std::string place = mkdtemp(name.data());
  const std::shared_ptr<FileSystem> fs = posix_file_system();
  const mode_t before = ::umask(0);
  open_directory(*fs, {place + "/cache", kProject, true});
  {
    EntryFiles files(*fs, place + "/cache", kProject, kMaxFileBytes);
    bool rebuilt = false;
    ASSERT_TRUE(files.open(&rebuilt).ok());
    files.write({"d", "k"}, document(1), Sync::none);
    files.write({"d", "l"}, document(1), Sync::before);
    ASSERT_TRUE(fs->write_file(place + "/cache/data/" + entry_path({"d", "l"}), "damage").ok());
    EXPECT_EQ(files.read({"d", "l"}).status, ReadStatus::corrupt);
    ASSERT_TRUE(files.close().ok());
  }
  ::umask(before);
  int seen = 0;
  const std::function<void(const std::string&)> check = [&](const std::string& folder) {
    std::vector<DirectoryItem> items;
    ASSERT_TRUE(fs->list(folder, &items).ok());
    for (const DirectoryItem& item : items) {
      struct stat info {};
      ASSERT_EQ(::stat((folder + "/" + item.name).c_str(), &info), 0);
      EXPECT_EQ(info.st_mode & 07777, item.directory ? 0700u : 0600u) << item.name;
      ++seen;
      if (item.directory) check(folder + "/" + item.name);
    }
  };
  check(place + "/cache");
  EXPECT_GE(seen, 10);
  fs->remove_tree(place);
}

}  // namespace
}  // namespace tiercache
