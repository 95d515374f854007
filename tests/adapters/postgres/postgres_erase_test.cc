// Erases by pattern, piece by piece.
#include "adapters/postgres/server.h"

namespace tiercache::postgres {
namespace {

class PostgresErase : public ::testing::Test {
 protected:
  PostgresErase()
      : store_(open({.url = database_.url(), .apply_migrations = true})),
        owner_((load(*store_, "none"), database_.url())) {}

  // Rows `key1` and so on, as the library would have saved them.
  void fill(int rows, const std::string& key) {
    save(*store_, write(key + "0", 1));
    owner_.run(
        "insert into tiercache.cache_storage (project_id, cache_type, cache_key, data, version, "
        "writer, checksum, stored_checksum) select p.id, 'd', '" +
        key + "' || n, '1', " + std::to_string(version(1).time) +
        ", 7, repeat('0', 32), tiercache.checksum_of('1') from tiercache.projects p, "
        "generate_series(1, " +
        std::to_string(rows) + ") n where p.project_name = 'p'");
  }
  std::uint64_t left() {
    return std::stoull(
        owner_.ask("select count(*) from tiercache.cache_storage where not deleted"));
  }
  EraseMatchingReply piece(const MatchingErase& erase) {
    EraseMatchingReply reply = store_->erase_matching("p", erase, patience());
    EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
    return reply;
  }

  ScratchDatabase database_;
  std::shared_ptr<Store> store_;
  Outsider owner_;
};

TEST_F(PostgresErase, piece_looks_at_no_more_rows_than_its_limit_and_the_next_goes_on_I4) {
  fill(100, "key");
  MatchingErase erase{.dataset = "d", .glob = "*5", .version = version(5), .limit = 7};
  std::uint64_t erased = 0;
  int pieces = 0;
  do {
    const EraseMatchingReply reply = piece(erase);
    EXPECT_LE(reply.erased, 7u);
    erased += reply.erased;
    erase.after = reply.next;
    ++pieces;
  } while (erase.after && pieces < 100);
  EXPECT_EQ(pieces, 101 / 7 + 1);
  EXPECT_EQ(erased, 10u);
  EXPECT_EQ(left(), 91u);
}

TEST_F(PostgresErase, only_keys_with_the_beginning_of_the_glob_are_looked_at) {
  fill(50, "b:");
  save(*store_, {write("a", 1), write("b", 1), write("b:\xc3\xa9", 1), write("b;", 1),
                 write("c", 1), write("b*1", 1)});
  for (const auto& [glob, erased] : std::vector<std::pair<std::string, std::uint64_t>>{
           {"b:\xc3*", 1}, {"b\\*1", 1}, {"b:*", 51}, {"b:?*", 0}, {"~nobody", 0}}) {
    SCOPED_TRACE(glob);
    const EraseMatchingReply reply =
        piece({.dataset = "d", .glob = glob, .version = version(5), .limit = 55});
    EXPECT_EQ(reply.erased, erased);
    EXPECT_FALSE(reply.next) << "it would have looked at more than 55 rows";
  }
  EXPECT_EQ(left(), 4u);
}

TEST_F(PostgresErase, key_to_go_on_after_is_data_whatever_it_holds_I12) {
  const std::vector<std::string> keys{"", "'", "\"", "\\", ">", "%", "NULL", "{}", "\xc3\xa9"};
  std::vector<StoreWrite> writes;
  for (const std::string& key : keys) writes.push_back(write(key, 1));
  save(*store_, writes);
  MatchingErase erase{.dataset = "d", .glob = "*", .version = version(5), .limit = 1};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const EraseMatchingReply reply = piece(erase);
    EXPECT_EQ(reply.erased, 1u);
    ASSERT_TRUE(reply.next);
    erase.after = reply.next;
  }
  EXPECT_FALSE(piece(erase).next);
  EXPECT_EQ(left(), 0u);
}

TEST_F(PostgresErase, large_one_gets_through_in_pieces_each_within_its_time_I7) {
  fill(30'000, "key");
  MatchingErase erase{.dataset = "d", .glob = "key*", .version = version(5)};
  std::uint64_t erased = 0;
  do {
    const EraseMatchingReply reply = piece(erase);
    erased += reply.erased;
    erase.after = reply.next;
  } while (erase.after);
  EXPECT_EQ(erased, 30'001u);
  EXPECT_EQ(left(), 0u);
}

}  // namespace
}  // namespace tiercache::postgres
