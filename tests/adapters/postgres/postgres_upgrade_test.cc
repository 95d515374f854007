// A database that an earlier version made and filled, brought to this version's schema.
#include <fstream>
#include <iterator>
#include <vector>

#include "adapters/postgres/server.h"

namespace tiercache::postgres {
namespace {

std::string migration(const std::string& name) {
  std::ifstream file(std::string(TIERCACHE_MIGRATIONS) + "/" + name);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// Schema 1 with what its program wrote. The statements that write are the same today, and a schema
// that calls itself later than the program, but compatible, is served.
class SchemaOfVersion1 : public ::testing::Test {
 protected:
  SchemaOfVersion1() {
    owner_.run(migration("20260101000000_tiercache.sql"));
    owner_.run("update tiercache.schema_version set version = 99");
    const auto store = open(database_.url());
    std::vector<StoreWrite> writes;
    for (int i = 0; i < 500; ++i) {
      writes.push_back(write("k" + std::to_string(i), 1, "{\"i\": " + std::to_string(i) + "}"));
      writes.back().entry.metadata = R"({"etag": "a"})";
      writes.back().entry.clocks.last_fetch =
          WallTime(std::chrono::milliseconds(1'700'000'000'000));
    }
    EXPECT_EQ(save(*store, writes).status, StoreStatus::ok);
    EXPECT_EQ(save(*store, tombstone("k1", 2)).status, StoreStatus::ok);
    EXPECT_EQ(store->erase_matching("p", {"d", "k2*", version(3)}, patience()).status,
              StoreStatus::ok);
    cursor_ = store->changes("p", "", 1'000, patience()).next;
    owner_.run("update tiercache.schema_version set version = 1");
  }

  LoadReply load_all(Store& store) {
    std::vector<EntryId> ids;
    for (int i = 0; i < 500; ++i) ids.push_back({"d", "k" + std::to_string(i)});
    return store.load("p", ids, patience());
  }

  ScratchDatabase database_;
  Outsider owner_{database_.url()};
  std::string cursor_;
};

TEST_F(SchemaOfVersion1, is_not_served_and_nothing_is_changed_until_somebody_asks_for_it) {
  const LoadReply reply = load(*open(database_.url()), "k0");
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_NE(reply.message.find("is of version 1"), std::string::npos) << reply.message;
  EXPECT_NE(reply.message.find("apply_migrations"), std::string::npos) << reply.message;
  EXPECT_EQ(owner_.ask("select version from tiercache.schema_version"), "1");
}

TEST_F(SchemaOfVersion1, keeps_every_entry_and_its_incarnation_when_it_is_brought_up_I1) {
  const std::string incarnation = owner_.ask("select incarnation from tiercache.schema_version");
  const auto store = open({.url = database_.url(), .apply_migrations = true});
  const LoadReply reply = load_all(*store);
  ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
  for (std::size_t i = 0; i < 500; ++i) {
    SCOPED_TRACE(i);
    ASSERT_TRUE(reply.entries[i]);
    const bool erased = i == 1 || std::to_string(i).front() == '2';
    ASSERT_EQ(reply.entries[i]->kind, erased ? EntryKind::tombstone : EntryKind::document);
    if (erased) continue;
    EXPECT_EQ(reply.entries[i]->version, version(1));
    EXPECT_EQ(reply.entries[i]->checksum, Checksum::of("{\"i\": " + std::to_string(i) + "}"));
    EXPECT_EQ(reply.entries[i]->metadata, R"({"etag": "a"})");
    EXPECT_TRUE(reply.entries[i]->clocks.last_fetch);
  }
  EXPECT_EQ(owner_.ask("select incarnation from tiercache.schema_version"), incarnation);
}

TEST_F(SchemaOfVersion1, change_feed_goes_on_where_it_was_I10) {
  const auto store = open({.url = database_.url(), .apply_migrations = true});
  EXPECT_EQ(save(*store, write("k0", 7)).status, StoreStatus::ok);
  const ChangesReply reply = store->changes("p", cursor_, 1'000, patience());
  ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
  EXPECT_FALSE(reply.gap);
  ASSERT_EQ(reply.changes.size(), 1u);
  EXPECT_EQ(reply.changes[0].id.key, "k0");
}

TEST_F(SchemaOfVersion1, tombstones_from_before_are_purged_and_guard_afterwards_I4) {
  const auto store = open({.url = database_.url(), .apply_migrations = true});
  PurgeRequest request;
  request.tombstones_below = version(4);
  const PurgeReply purged = store->purge("p", request, patience());
  ASSERT_EQ(purged.status, StoreStatus::ok) << purged.message;
  EXPECT_EQ(purged.tombstones, 112u) << "k1, k2, k20 to k29, k200 to k299";
  const SaveReply late = save(*store, write("k1", 1));
  ASSERT_EQ(late.status, StoreStatus::ok) << late.message;
  EXPECT_EQ(late.results[0].outcome, SaveOutcome::refused);
}

// As the Supabase CLI or psql apply it: the file itself, by the owner, while programs run.
TEST_F(SchemaOfVersion1, is_brought_up_by_hand_under_a_program_that_waits_for_it) {
  const auto store = open(database_.url());
  EXPECT_EQ(load(*store, "k0").status, StoreStatus::unavailable);
  owner_.run(migration("20260103000000_tiercache_purge.sql"));
  EXPECT_EQ(loaded_version(*store, "k0"), version(1));
}

}  // namespace
}  // namespace tiercache::postgres
