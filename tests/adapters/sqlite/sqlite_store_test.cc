// The SQLite store beyond what every store must do: options, files, locks, deadlines, bounds.
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "adapters/sqlite/scratch.h"
#include "tiercache/error.h"

namespace tiercache::sqlite {
namespace {

using std::chrono::milliseconds;

class SqliteStore : public ::testing::Test {
 protected:
  const ScratchDirectory directory_;
  const std::string path_ = directory_ / "store.db";
};

unsigned mode_of(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777;
}

TEST(SqliteOptions, open_names_every_impossible_option) {
  try {
    open({.path = "", .readers = 0, .max_document_bytes = 0, .clock = nullptr});
    FAIL() << "opened";
  } catch (const BadConfiguration& error) {
    const std::string what = error.what();
    for (const char* field : {"path", "readers", "max_document_bytes", "clock"}) {
      EXPECT_NE(what.find(field), std::string::npos) << what;
    }
  }
}

TEST(SqliteOptions, open_takes_no_names_with_a_meaning_of_their_own) {
  for (const std::string& path : {std::string(":memory:"), std::string("file:x?mode=memory"),
                                  std::string("dir/"), std::string("a\0b", 3)}) {
    EXPECT_THROW(open(path), BadConfiguration) << path;
  }
}

TEST_F(SqliteStore, open_touches_no_file) {
  const auto store = open(path_);
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(load(*store, "k").status, StoreStatus::ok);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(SqliteStore, path_is_taken_literally) {
  const std::string odd = directory_ / "a?mode=ro&x=%41#b 'c'";
  const auto store = open(odd);
  EXPECT_EQ(save(*store, write("k", 1)).status, StoreStatus::ok);
  EXPECT_TRUE(std::filesystem::exists(odd));
}

TEST_F(SqliteStore, files_are_private_whatever_the_umask_I11) {
  const mode_t before = ::umask(0);
  const auto store = open(path_);
  EXPECT_EQ(save(*store, write("k", 1)).status, StoreStatus::ok);
  ::umask(before);
  for (const char* suffix : {"", "-wal", "-shm"}) EXPECT_EQ(mode_of(path_ + suffix), 0600u);
}

TEST_F(SqliteStore, file_that_others_could_read_is_made_private_I11) {
  save(*open(path_), write("k", 1));
  ::chmod(path_.c_str(), 0664);
  const auto store = open(path_);
  EXPECT_EQ(loaded_version(*store, "k"), version(1));
  for (const char* suffix : {"", "-wal", "-shm"}) EXPECT_EQ(mode_of(path_ + suffix), 0600u);
}

TEST_F(SqliteStore, saved_is_synced_and_logged_ahead) {
  const auto store = open(path_);
  save(*store, write("k", 1));
  Outsider outsider(path_);
  EXPECT_EQ(outsider.ask("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(outsider.ask("PRAGMA integrity_check"), "ok");
}

TEST_F(SqliteStore, incarnation_stays_with_the_file) {
  save(*open(path_), write("k", 1));
  const std::string first = Outsider(path_).ask("SELECT value FROM meta WHERE name='incarnation'");
  EXPECT_EQ(first.size(), 32u);
  save(*open(path_), write("k", 2));
  EXPECT_EQ(Outsider(path_).ask("SELECT value FROM meta WHERE name='incarnation'"), first);
  const std::string other = directory_ / "other.db";
  save(*open(other), write("k", 1));
  EXPECT_NE(Outsider(other).ask("SELECT value FROM meta WHERE name='incarnation'"), first);
}

TEST_F(SqliteStore, handles_on_one_file_see_each_other) {
  const auto a = open(path_);
  const auto b = open(path_);
  save(*a, write("k", 1));
  EXPECT_EQ(loaded_version(*b, "k"), version(1));
  EXPECT_EQ(save(*b, write("k", 2)).results.at(0).outcome, SaveOutcome::saved);
  EXPECT_EQ(save(*a, write("k", 1)).results.at(0).outcome, SaveOutcome::superseded);
  EXPECT_EQ(loaded_version(*a, "k"), version(2));
}

TEST_F(SqliteStore, first_calls_of_many_threads_at_once_find_the_new_file) {
  for (int round = 0; round < 10; ++round) {
    const std::string path = directory_ / ("new" + std::to_string(round));
    const auto a = open(path);
    const auto b = open(path);
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 6; ++t) {
      threads.emplace_back([&, t] {
        Store& store = t % 2 == 0 ? *a : *b;
        const SaveReply saved = save(store, write(std::to_string(t), t + 1));
        EXPECT_EQ(saved.status, StoreStatus::ok) << saved.message;
        EXPECT_EQ(loaded_version(store, std::to_string(t)), version(t + 1));
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

TEST_F(SqliteStore, write_waits_for_another_writer_until_its_deadline_I7) {
  const auto store = open(path_);
  save(*store, write("k", 1));
  Outsider outsider(path_);
  outsider.run("BEGIN IMMEDIATE");
  const SaveReply reply =
      save(*store, write("k", 2), system_clock()->steady_now() + milliseconds(30));
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_NE(reply.message.find("locked"), std::string::npos) << reply.message;
  EXPECT_TRUE(reply.results.empty());
  EXPECT_EQ(loaded_version(*store, "k"), version(1)) << "readers do not wait for writers";
  outsider.run("COMMIT");
  EXPECT_EQ(save(*store, write("k", 2)).results.at(0).outcome, SaveOutcome::saved);
}

TEST_F(SqliteStore, write_goes_on_when_the_other_writer_is_done) {
  const auto store = open(path_);
  save(*store, write("k", 1));
  Outsider outsider(path_);
  outsider.run("BEGIN IMMEDIATE");
  std::thread waiting([&] {
    const SaveReply reply = save(*store, write("k", 2));
    EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
  });
  outsider.run("UPDATE meta SET value = value");
  outsider.run("COMMIT");
  waiting.join();
  EXPECT_EQ(loaded_version(*store, "k"), version(2));
}

TEST_F(SqliteStore, batch_cut_off_by_its_deadline_leaves_nothing_I7) {
  {
    const auto store = open(path_);
    save(*store, write("first", 1));
  }
  const auto clock = std::make_shared<TickingClock>(milliseconds(1));
  const auto store = open({.path = path_, .clock = clock});
  std::vector<StoreWrite> writes;
  for (int i = 0; i < 400; ++i) writes.push_back(write(std::to_string(i), 1));
  const SaveReply reply = store->save("p", writes, clock->steady_now() + milliseconds(300));
  EXPECT_EQ(reply.status, StoreStatus::unavailable) << reply.message;
  EXPECT_TRUE(reply.results.empty());
  const ScanReply left = store->scan("p", "d", "", 1'000, kNever);
  EXPECT_EQ(left.entries.size(), 1u);
}

TEST_F(SqliteStore, matching_erase_cut_off_by_its_deadline_erases_nothing_I7) {
  {
    const auto store = open(path_);
    std::vector<StoreWrite> writes;
    for (int i = 0; i < 400; ++i) writes.push_back(write(std::to_string(i), 1));
    store->save("p", writes, patience());
  }
  const auto clock = std::make_shared<TickingClock>(milliseconds(1));
  const auto store = open({.path = path_, .clock = clock});
  const auto reply =
      store->erase_matching("p", {"d", "*", version(2)}, clock->steady_now() + milliseconds(300));
  EXPECT_EQ(reply.status, StoreStatus::unavailable) << reply.message;
  EXPECT_EQ(reply.erased, 0u);
  EXPECT_EQ(store->scan("p", "d", "", 1'000, kNever).entries.size(), 400u);
  EXPECT_EQ(store->erase_matching("p", {"d", "*", version(2)}, kNever).erased, 400u);
}

TEST_F(SqliteStore, full_store_is_unavailable_to_writes_and_serves_what_it_has) {
  const auto store = open({.path = path_, .max_bytes = 400'000});
  std::uint64_t kept = 0;
  SaveReply reply;
  do {
    reply =
        save(*store, write(std::to_string(kept), kept + 1, "\"" + std::string(20'000, 'x') + "\""));
    if (reply.status == StoreStatus::ok) ++kept;
  } while (reply.status == StoreStatus::ok && kept < 1'000);
  EXPECT_NE(reply.status, StoreStatus::ok);
  EXPECT_NE(reply.message.find("full"), std::string::npos) << reply.message;
  EXPECT_GT(kept, 5u);
  EXPECT_LT(kept, 25u);
  for (std::uint64_t i = 0; i < kept; ++i) {
    EXPECT_EQ(loaded_version(*store, std::to_string(i)), version(i + 1));
  }
  EXPECT_EQ(loaded_version(*store, std::to_string(kept)), Version{});
  Outsider(path_).run("DELETE FROM cache_storage WHERE cache_key IN ('0', '1')");
  EXPECT_EQ(save(*store, write("0", 2)).status, StoreStatus::ok);
}

TEST_F(SqliteStore, version_beyond_its_columns_is_refused_alone) {
  const auto store = open(path_);
  StoreWrite huge = write("huge", 1);
  huge.entry.version.time = std::uint64_t{1} << 63;
  const std::vector writes{write("a", 1), huge, write("b", 1)};
  const SaveReply reply = store->save("p", writes, patience());
  ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
  EXPECT_EQ(reply.results[0].outcome, SaveOutcome::saved);
  EXPECT_EQ(reply.results[1].outcome, SaveOutcome::refused);
  EXPECT_NE(reply.results[1].why, "");
  EXPECT_EQ(reply.results[2].outcome, SaveOutcome::saved);
}

TEST_F(SqliteStore, scan_page_of_large_documents_ends_early_and_goes_on_I8) {
  const auto store = open({.path = path_, .synchronous = Synchronous::normal});
  const std::string large = "\"" + std::string(std::size_t{12} << 20, 'x') + "\"";
  for (std::uint64_t i = 0; i < 5; ++i) save(*store, write(std::to_string(i), 1, large));
  const ScanReply first = store->scan("p", "d", "", 100, patience());
  EXPECT_EQ(first.entries.size(), 3u);
  ASSERT_NE(first.next, "");
  const ScanReply second = store->scan("p", "d", first.next, 100, patience());
  EXPECT_EQ(second.entries.size(), 2u);
  EXPECT_EQ(second.next, "");
}

}  // namespace
}  // namespace tiercache::sqlite
