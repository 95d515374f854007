// Files of every version that froze a format are read by this one, with all that they hold.
#include "corpus/corpus.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "lib/scratch.h"
#include "tiercache/sqlite.h"

namespace tiercache::corpus {
namespace {

namespace fs = std::filesystem;

class Corpus : public ::testing::Test {
 protected:
  // A copy of a directory of the corpus, which may be written to.
  fs::path copy(const std::string& name) {
    const fs::path to = scratch_.path() / name;
    fs::copy(fs::path(TIERCACHE_CORPUS) / name, to, fs::copy_options::recursive);
    return to;
  }
  static std::string text(const Snapshot<JsonText>& snapshot) {
    return snapshot.has_value() ? *snapshot : "nothing";
  }

  testing::ScratchDirectory scratch_{"corpus"};
};

TEST_F(Corpus, closed_directory_of_format_1_is_read_in_full) {
  Machine machine(copy("closed"));
  auto cache = machine.open();
  auto data = cache->dataset("documents", documents());
  const GetOptions local{.reach = Reach::local};
  EXPECT_EQ(text(cache->dataset("single", single()).get("", local)), "[]");
  EXPECT_EQ(text(data.get("plain", local)), kPlain);
  EXPECT_EQ(text(data.get(kLongKey, local)), R"("long key")");
  EXPECT_EQ(text(data.get(kOddKey, local)), R"("odd key")");
  EXPECT_EQ(text(data.get("metadata", local)), kWithMetadata);
  EXPECT_EQ(data.info("metadata")->metadata, R"({"etag":"\"1\""})");
  EXPECT_EQ(data.info("metadata")->last_fetch, kWritten);
  EXPECT_EQ(data.get("invalidated", local).freshness(), Freshness::stale);
  EXPECT_FALSE(data.get("erased", local).has_value());
  EXPECT_FALSE(data.get("matching:1", local).has_value());
  EXPECT_EQ(cache->stats().outbox_depth, 0u);
  EXPECT_EQ(cache->stats().files_quarantined, 0u);
  EXPECT_EQ(cache->stats().journal_corrupt_records, 0u);
  EXPECT_EQ(data.keys().keys.size(), 5u);
  machine.clock->advance(2min);
  EXPECT_EQ(data.get("metadata", local).freshness(), Freshness::stale) << "a lifetime of its own";
  EXPECT_EQ(data.get("plain", local).freshness(), Freshness::fresh);
}

TEST_F(Corpus, index_of_format_1_is_taken_as_it_is) {
  const fs::path directory = copy("closed");
  ASSERT_TRUE(fs::exists(directory / "index"));
  // Without their files keys are known by the index alone.
  fs::remove_all(directory / "data");
  Machine machine(directory);
  auto cache = machine.open();
  EXPECT_EQ(cache->dataset("documents", documents()).keys().keys.size(), 5u);
}

TEST_F(Corpus, journal_of_format_1_is_replayed_in_full_I1) {
  Machine machine(copy("killed"));
  auto cache = machine.open();
  auto data = cache->dataset("documents", documents());
  const GetOptions local{.reach = Reach::local};
  EXPECT_EQ(text(data.get("confirmed", local)), "1");
  EXPECT_EQ(text(data.get("waits", local)), kPlain);
  EXPECT_EQ(data.info("waits")->metadata, R"({"etag":"2"})");
  EXPECT_EQ(text(data.get(kOddKey, local)), R"("odd key")");
  EXPECT_EQ(data.get("invalidated", local).freshness(), Freshness::stale);
  EXPECT_FALSE(data.get("erased", local).has_value());
  EXPECT_FALSE(data.get("matching:1", local).has_value());
  const OutboxPage parked = cache->outbox().list();
  ASSERT_EQ(parked.writes.size(), 1u);
  EXPECT_EQ(parked.writes.front().id, (EntryId{"documents", "refused"}));
  EXPECT_EQ(parked.writes.front().why, "the corpus wants it so");
  EXPECT_EQ(cache->stats().journal_corrupt_records, 0u);

  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*machine.store->row("corpus", {"documents", "waits"})->document, kPlain);
  EXPECT_EQ(machine.store->row("corpus", {"documents", "erased"})->kind, EntryKind::tombstone);
  EXPECT_EQ(cache->outbox().retry_all().done, 1u);
  ASSERT_TRUE(cache->flush());
  EXPECT_EQ(*machine.store->row("corpus", {"documents", "refused"})->document, kRefused);
}

TEST_F(Corpus, sqlite_store_of_format_1_is_read_in_full) {
  fs::copy(fs::path(TIERCACHE_CORPUS) / "store.db", scratch_.path() / "store.db");
  const auto store = sqlite::open((scratch_.path() / "store.db").string());
  const std::vector<EntryId> ids = {
      {"documents", "plain"}, {"documents", kOddKey}, {"documents", "erased"}};
  const LoadReply rows = store->load("corpus", ids, SteadyTime::max());
  ASSERT_EQ(rows.status, StoreStatus::ok) << rows.message;
  ASSERT_TRUE(rows.entries[0] && rows.entries[1] && rows.entries[2]);
  EXPECT_EQ(*rows.entries[0]->document, kPlain);
  EXPECT_EQ(*rows.entries[1]->document, R"("odd key")");
  EXPECT_EQ(rows.entries[1]->metadata, R"({"etag":"2"})");
  EXPECT_EQ(rows.entries[1]->fresh_for, 90s);
  EXPECT_EQ(rows.entries[1]->clocks.invalidated_at, kWritten + 1s);
  EXPECT_EQ(rows.entries[2]->kind, EntryKind::tombstone);
  const ChangesReply changes = store->changes("corpus", {}, 10, SteadyTime::max());
  EXPECT_EQ(changes.status, StoreStatus::ok) << changes.message;
}

}  // namespace
}  // namespace tiercache::corpus
