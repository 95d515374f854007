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

std::string repeated(const std::string& element, int count) {
  std::string array = "{";
  for (int i = 0; i < count; ++i) array += (i == 0 ? "" : ",") + element;
  return array + '}';
}

std::string document(int i) {
  return "{\"i\": " + std::to_string(i) + "}";
}

// Schema 1 with what its program wrote, by that program's statements.
class SchemaOfVersion1 : public ::testing::Test {
 protected:
  static constexpr int kRows = 500;

  SchemaOfVersion1() {
    owner_.run(migration("20260101000000_tiercache.sql"));
    std::string keys, checksums, documents;
    for (int i = 0; i < kRows; ++i) {
      const char* comma = i == 0 ? "" : ",";
      keys += comma + ("k" + std::to_string(i));
      checksums += comma + Checksum::of(document(i)).to_string();
      documents += comma + ("\"{\\\"i\\\": " + std::to_string(i) + "}\"");
    }
    save_as_it_did(kRows, '{' + keys + '}', version(1), false, '{' + checksums + '}',
                   '{' + documents + '}');
    save_as_it_did(1, "{k1}", version(2), true, '{' + std::string(32, '0') + '}', "{NULL}");
    erase_as_it_did("k2%", version(3));
    cursor_ = owner_.ask("select incarnation from tiercache.schema_version") + '/' +
              owner_.ask("select pg_snapshot_xmin(pg_current_snapshot())") + "/0";
  }

  void save_as_it_did(int rows, const std::string& keys, Version of, bool deleted,
                      const std::string& checksums, const std::string& documents) {
    const std::string none = repeated("NULL", rows);
    const std::vector<std::string> columns = {repeated("t", rows),
                                              repeated("d", rows),
                                              keys,
                                              repeated(deleted ? "t" : "f", rows),
                                              repeated(std::to_string(of.time), rows),
                                              repeated(std::to_string(of.writer), rows),
                                              none,
                                              none,
                                              checksums,
                                              repeated("1700000000000", rows),
                                              none,
                                              none,
                                              none,
                                              repeated("1.0", rows),
                                              repeated(R"("{\"etag\": \"a\"}")", rows),
                                              documents};
    std::string sql = "select count(*) from tiercache.save_entries('p', 0";
    for (const std::string& column : columns) sql += ", '" + column + "'";
    EXPECT_EQ(owner_.ask(sql + ") s where s.outcome = 'saved'"), std::to_string(rows));
  }
  void erase_as_it_did(const std::string& pattern, Version of) {
    EXPECT_NE(owner_.ask("select erased from tiercache.erase_matching('p', 0, 'd', '" + pattern +
                         "', " + std::to_string(of.time) + ", " + std::to_string(of.writer) + ")"),
              "0");
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
    EXPECT_EQ(reply.entries[i]->checksum, Checksum::of(document(static_cast<int>(i))));
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

TEST_F(SchemaOfVersion1, serves_its_own_program_after_it_was_brought_up) {
  const auto store = open({.url = database_.url(), .apply_migrations = true});
  EXPECT_EQ(load(*store, "k0").status, StoreStatus::ok);
  EXPECT_EQ(owner_.ask("select compatible_from from tiercache.schema_version"), "1");
  save_as_it_did(1, "{k0}", version(7), true, '{' + std::string(32, '0') + '}', "{NULL}");
  erase_as_it_did("k3%", version(8));
  EXPECT_EQ(loaded_version(*store, "k0"), version(7));
  EXPECT_EQ(loaded_version(*store, "k33"), version(8));
  const ChangesReply told = store->changes("p", cursor_, 1'000, patience());
  EXPECT_FALSE(told.gap);
  EXPECT_EQ(told.changes.size(), 112u) << "k0, k3, k30 to k39, k300 to k399";
}

// As the Supabase CLI or psql apply it: the file itself, by the owner, while programs run.
TEST_F(SchemaOfVersion1, is_brought_up_by_hand_under_a_program_that_waits_for_it) {
  const auto store = open(database_.url());
  EXPECT_EQ(load(*store, "k0").status, StoreStatus::unavailable);
  owner_.run(migration("20260103000000_tiercache_purge.sql"));
  EXPECT_EQ(load(*store, "k0").status, StoreStatus::unavailable);
  owner_.run(migration("20260105000000_tiercache_feed.sql"));
  EXPECT_EQ(loaded_version(*store, "k0"), version(1));
}

}  // namespace
}  // namespace tiercache::postgres
