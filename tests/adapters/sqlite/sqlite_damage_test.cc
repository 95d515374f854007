// The SQLite store with files that are damaged, foreign, of another time, or not there.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "adapters/sqlite/scratch.h"
#include "tiercache/tiercache.h"

namespace tiercache::sqlite {
namespace {

class SqliteDamage : public ::testing::Test {
 protected:
  void expect_unavailable(Store& store, const std::string& word) const {
    for (const StoreReply& reply :
         {StoreReply(load(store, "k")), StoreReply(save(store, write("k", 9))),
          StoreReply(store.scan("p", "d", "", 10, patience())),
          StoreReply(store.erase_matching("p", {"d", "*", version(99)}, patience()))}) {
      EXPECT_EQ(reply.status, StoreStatus::unavailable);
      EXPECT_NE(reply.message.find(word), std::string::npos) << reply.message;
    }
  }
  void damage(const std::string& assignment) const {
    Outsider(path_).run("UPDATE cache_storage SET " + assignment + " WHERE cache_key = 'k'");
  }
  std::string quarantined() const {
    return Outsider(path_).ask("SELECT count(*) FROM cache_quarantine");
  }

  const ScratchDirectory directory_;
  const std::string path_ = directory_ / "store.db";
};

TEST_F(SqliteDamage, change_of_any_column_is_found_on_load_I2) {
  const auto store = open(path_);
  StoreWrite full = write("k", 1);
  full.entry.clocks.last_fetch = WallTime(std::chrono::milliseconds(5));
  for (const char* assignment :
       {"data = '{\"a\": 2}'", "data = NULL", "data = ''", "deleted = 1",
        "version_time = version_time + 1", "version_writer = 8",
        "checksum = replace(checksum, substr(checksum, 1, 1), 'x')", "stored_checksum = ''",
        "last_fetch = 6", "last_fetch = NULL", "last_rich_fetch = 0", "invalidated_at = 0",
        "fresh_for = 0", "cache_version = '1.1'", "metadata = '{\"a\":1}'", "version_time = -1"}) {
    save(*store, full);
    EXPECT_FALSE(load(*store, "k").corrupt.at(0));
    damage(assignment);
    const LoadReply reply = load(*store, "k");
    ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
    EXPECT_TRUE(reply.corrupt.at(0)) << assignment;
    EXPECT_EQ(reply.entries.at(0), nullptr) << assignment;
    Outsider(path_).run("DELETE FROM cache_storage");
  }
}

TEST_F(SqliteDamage, text_of_a_corrupt_row_is_handed_over_I9) {
  const auto store = open(path_);
  save(*store, write("k", 1));
  damage("data = 'rotten {'");
  const EntryId ids[] = {{"d", "k"}, {"d", "absent"}};
  const LoadReply reply = store->load("p", ids, patience());
  ASSERT_EQ(reply.corrupt_text.size(), 2u);
  ASSERT_NE(reply.corrupt_text[0], nullptr);
  EXPECT_EQ(*reply.corrupt_text[0], "rotten {");
  EXPECT_EQ(reply.corrupt_text[1], nullptr);
}

TEST_F(SqliteDamage, cache_keeps_a_corrupt_row_aside_before_it_is_healed_I9) {
  const auto store = open(path_);
  save(*store, write("k", 1));
  damage("data = 'rotten {'");
  CacheOptions options;
  options.project = "p";
  options.directory = directory_ / "cache";
  options.store = store;
  Cache cache(options);
  auto data = cache.dataset("d", DatasetOptions<JsonText>{.keyed = true});
  EXPECT_FALSE(data.get("k", {.reach = Reach::store}).has_value());
  data.put("k", "1");
  ASSERT_TRUE(cache.flush());
  cache.close();
  EXPECT_FALSE(load(*store, "k").corrupt.at(0));
  std::string kept;
  for (const auto& file :
       std::filesystem::directory_iterator(directory_.path() / "cache" / "quarantine")) {
    std::ifstream in(file.path());
    kept.append(std::istreambuf_iterator<char>(in), {});
  }
  EXPECT_EQ(kept, "tiercache-row 1 \"d\" \"k\"\nrotten {");
}

TEST_F(SqliteDamage, row_moved_to_another_key_is_found_on_load_I2) {
  const auto store = open(path_);
  save(*store, write("k", 1));
  damage("cache_key = 'l'");
  EXPECT_TRUE(load(*store, "l").corrupt.at(0));
}

// SQLite does not check its own index: it may lead to the row of another key.
TEST_F(SqliteDamage, index_that_leads_to_another_keys_row_serves_nothing_I2) {
  constexpr std::size_t kPage = 4'096, kLooked = 200;
  const auto document = [](const std::string& key) { return "{\"of\":\"" + key + "\"}"; };
  const std::string keys[] = {"key:0", "key:1", "key:2", "key:3"};
  for (const std::string& key : keys) {
    StoreWrite full = write(key, 1);
    full.entry.document = std::make_shared<const std::string>(document(key));
    full.entry.checksum = Checksum::of(*full.entry.document);
    save(*open(path_), full);
  }
  Outsider(path_).run("PRAGMA wal_checkpoint(TRUNCATE)");
  const std::size_t end =
      kPage * std::stoul(Outsider(path_).ask("SELECT rootpage FROM sqlite_schema WHERE name ="
                                             " 'sqlite_autoindex_cache_storage_1'"));
  std::ifstream in(path_, std::ios::binary);
  const std::string sound{std::istreambuf_iterator<char>(in), {}};
  for (std::size_t bit = 0; bit < 8 * kLooked; ++bit) {
    std::string damaged = sound;
    char& byte = damaged[end - 1 - bit / 8];
    byte = static_cast<char>(byte ^ (1 << bit % 8));
    const std::string path = directory_ / "damaged.db";
    std::ofstream(path, std::ios::binary) << damaged;
    const auto store = open(path);
    for (const std::string& key : keys) {
      const LoadReply reply = load(*store, key);
      if (reply.status != StoreStatus::ok || !reply.entries.at(0)) continue;
      ASSERT_EQ(*reply.entries.at(0)->document, document(key)) << "bit " << bit;
    }
  }
}

TEST_F(SqliteDamage, scan_leaves_corrupt_rows_out_and_pages_past_them_I2) {
  const auto store = open(path_);
  for (const char* key : {"1", "2", "k", "3"}) save(*store, write(key, 1));
  damage("data = '[]'");
  std::vector<std::string> keys;
  std::string cursor;
  do {
    const ScanReply page = store->scan("p", "d", cursor, 1, patience());
    ASSERT_EQ(page.status, StoreStatus::ok) << page.message;
    for (const ScannedEntry& entry : page.entries) keys.push_back(entry.id.key);
    cursor = page.next;
  } while (!cursor.empty());
  EXPECT_EQ(keys, (std::vector<std::string>{"3", "2", "1"}));
}

TEST_F(SqliteDamage, same_write_heals_the_row_and_the_bad_one_is_kept_I9) {
  const auto store = open(path_);
  save(*store, write("k", 5));
  damage("data = 'bad bytes'");
  EXPECT_EQ(save(*store, write("k", 5)).results.at(0).outcome, SaveOutcome::saved);
  EXPECT_EQ(loaded_version(*store, "k"), version(5));
  EXPECT_EQ(quarantined(), "1");
  EXPECT_EQ(Outsider(path_).ask("SELECT data FROM cache_quarantine"), "bad bytes");
}

TEST_F(SqliteDamage, newer_write_heals_the_row_without_its_clocks_I9) {
  const auto store = open(path_);
  save(*store, write("k", 5));
  damage("last_fetch = 99999999999999");
  EXPECT_EQ(save(*store, write("k", 6)).results.at(0).outcome, SaveOutcome::saved);
  const LoadReply reply = load(*store, "k");
  ASSERT_NE(reply.entries.at(0), nullptr);
  EXPECT_EQ(reply.entries[0]->clocks, Clocks{});
}

TEST_F(SqliteDamage, older_write_does_not_take_the_place_of_a_corrupt_row_I3) {
  const auto store = open(path_);
  save(*store, write("k", 5));
  damage("data = '[]'");
  const SaveReply reply = save(*store, write("k", 4));
  EXPECT_EQ(reply.results.at(0).outcome, SaveOutcome::superseded);
  EXPECT_EQ(reply.results.at(0).current, nullptr);
  EXPECT_TRUE(load(*store, "k").corrupt.at(0));
}

TEST_F(SqliteDamage, corrupt_row_with_a_version_of_the_far_future_is_healed_I9) {
  const auto store = open(path_);
  save(*store, write("k", 5));
  damage("version_time = 9223372036854775807");
  EXPECT_EQ(save(*store, write("k", 6)).results.at(0).outcome, SaveOutcome::saved);
  EXPECT_EQ(loaded_version(*store, "k"), version(6));
}

TEST_F(SqliteDamage, clocks_write_leaves_a_corrupt_row_alone) {
  const auto store = open(path_);
  save(*store, write("k", 5));
  damage("data = '[]'");
  StoreWrite clocks = write("k", 5);
  clocks.kind = StoreWrite::Kind::clocks;
  EXPECT_EQ(save(*store, clocks).results.at(0).outcome, SaveOutcome::superseded);
  EXPECT_TRUE(load(*store, "k").corrupt.at(0));
}

TEST_F(SqliteDamage, quarantine_is_bounded_and_the_oldest_go_first_I8) {
  const auto store = open(path_);
  save(*store, write("k", 1));
  Outsider(path_).run(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1010)"
      " INSERT INTO cache_quarantine (found_at, row, data) SELECT 0, '{}', i FROM n");
  damage("data = '1011'");
  save(*store, write("k", 2));
  EXPECT_EQ(quarantined(), "1000");
  const std::string numbers = "FROM (SELECT CAST(data AS INTEGER) AS n FROM cache_quarantine)";
  EXPECT_EQ(Outsider(path_).ask("SELECT min(n) " + numbers), "12");
  EXPECT_EQ(Outsider(path_).ask("SELECT max(n) " + numbers), "1011");
}

// Flips bytes anywhere in the file: whatever the store answers, it never serves what was not saved.
TEST_F(SqliteDamage, flipped_bytes_never_become_an_entry_I2) {
  std::vector<EntryId> ids;
  {
    const auto store = open(path_);
    for (std::uint64_t i = 0; i < 60; ++i) {
      ids.push_back({"d", std::to_string(i)});
      save(*store,
           write(std::to_string(i), i + 1, "{\"n\": \"" + std::string(i * 40, 'x') + "\"}"));
    }
  }
  const std::string good = read_file(path_);
  int noticed = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    std::mt19937 random(seed);
    std::string bad = good;
    for (int flips = 0; flips < 8; ++flips)
      bad[random() % bad.size()] ^= static_cast<char>(1 + random() % 255);
    const std::string copy = directory_ / ("flipped" + std::to_string(seed));
    write_file(copy, bad);
    const auto store = open(copy);
    const LoadReply reply = store->load("p", ids, patience());
    bool whole = reply.status == StoreStatus::ok;
    for (std::size_t i = 0; i < reply.entries.size(); ++i) {
      whole = whole && reply.entries[i];
      if (!reply.entries[i]) continue;
      EXPECT_EQ(reply.entries[i]->version, version(i + 1));
      EXPECT_EQ(*reply.entries[i]->document, "{\"n\": \"" + std::string(i * 40, 'x') + "\"}");
    }
    noticed += whole ? 0 : 1;
    save(*store, write("0", 1'000 + seed));
    store->scan("p", "", "", 100, patience());
    store->erase_matching("p", {"d", "1*", version(5'000)}, patience());
    std::filesystem::remove(copy);
  }
  EXPECT_GT(noticed, 30);
}

TEST_F(SqliteDamage, file_that_is_no_database_is_left_alone_until_it_is_gone) {
  const std::string text(5'000, 'x');
  write_file(path_, text);
  const auto store = open(path_);
  expect_unavailable(*store, "not an SQLite database");
  EXPECT_EQ(read_file(path_), text);
  std::filesystem::remove(path_);
  EXPECT_EQ(save(*store, write("k", 1)).status, StoreStatus::ok);
  EXPECT_EQ(loaded_version(*store, "k"), version(1));
}

TEST_F(SqliteDamage, database_of_another_application_is_left_alone) {
  Outsider(path_).run("CREATE TABLE theirs (x)");
  const std::string before = read_file(path_);
  const auto store = open(path_);
  expect_unavailable(*store, "another application");
  EXPECT_EQ(read_file(path_), before);
}

TEST_F(SqliteDamage, newer_schema_is_refused_clearly_and_left_alone) {
  save(*open(path_), write("k", 1));
  Outsider(path_).run("PRAGMA user_version = 2");
  const auto store = open(path_);
  expect_unavailable(*store, "update the program");
  Outsider(path_).run("PRAGMA user_version = 1");
  EXPECT_EQ(loaded_version(*store, "k"), version(1));
}

TEST_F(SqliteDamage, directory_in_place_of_the_file_is_refused) {
  std::filesystem::create_directory(path_);
  expect_unavailable(*open(path_), "not a regular file");
}

TEST_F(SqliteDamage, missing_directory_is_unavailable_until_it_is_there) {
  const std::string deeper = directory_ / "later/store.db";
  const auto store = open(deeper);
  expect_unavailable(*store, "cannot be made");
  std::filesystem::create_directory(directory_ / "later");
  EXPECT_EQ(save(*store, write("k", 1)).status, StoreStatus::ok);
}

TEST_F(SqliteDamage, file_replaced_under_an_open_store_is_followed_I1) {
  const auto store = open(path_);
  save(*store, write("k", 1));
  loaded_version(*store, "k");
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  EXPECT_EQ(loaded_version(*store, "k"), Version{});
  EXPECT_EQ(save(*store, write("k", 2)).status, StoreStatus::ok);
  EXPECT_EQ(loaded_version(*open(path_), "k"), version(2));
}

}  // namespace
}  // namespace tiercache::sqlite
