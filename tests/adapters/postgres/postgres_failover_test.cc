// A primary and the standby that follows it, by streaming replication. The last test promotes the
// standby, after which there is no primary any more.
#include <cstdlib>

#include "adapters/postgres/server.h"

namespace tiercache::postgres {
namespace {

void control(const char* server, const std::string& verb) {
  const std::string command = from_server_script(server) + " " + verb;
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

class PostgresFailover : public ::testing::Test {
 protected:
  PostgresFailover() : primary_(open_at(server_url())), standby_(open_at(standby_url())) {
    EXPECT_EQ(save(*primary_, write("k", 1)).status, StoreStatus::ok);
    wait_for_standby();
  }

  static std::string standby_url() { return from_server_script("TIERCACHE_TEST_STANDBY"); }
  static std::shared_ptr<Store> open_at(const std::string& url) {
    return open({.url = url,
                 .apply_migrations = url == server_url(),
                 .keep_changes = {},
                 .hint_check_every = {}});
  }
  static ChangesReply read(Store& store, const std::string& cursor) {
    ChangesReply reply = store.changes("p", cursor, 100, patience());
    EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
    return reply;
  }
  // Until the standby has what is on the primary now.
  void wait_for_standby() {
    const std::string written = Outsider(server_url()).ask("select pg_current_wal_insert_lsn()");
    Outsider standby(standby_url());
    for (const SteadyTime deadline = patience(); system_clock()->steady_now() < deadline;) {
      if (standby.ask("select pg_last_wal_replay_lsn() >= '" + written + "'") == "t") return;
    }
    FAIL() << "the standby does not follow";
  }
  // What a site does besides: each statement takes a number of a transaction.
  static void use_up_transactions(const std::string& url, int count) {
    Outsider outsider(url);
    for (int i = 0; i < count; ++i) outsider.run("select pg_current_xact_id()");
  }

  std::shared_ptr<Store> primary_;
  std::shared_ptr<Store> standby_;
};

TEST_F(PostgresFailover,
       standby_tells_changes_and_says_so_while_an_open_transaction_holds_them_up_I10) {
  std::string cursor = read(*standby_, "").next;
  EXPECT_FALSE(read(*standby_, cursor).gap);
  Outsider outsider(server_url());
  pqxx::work open(outsider.raw());
  open.exec("create table written (a int)");
  save(*primary_, write("held up", 1));
  wait_for_standby();
  const ChangesReply meanwhile = read(*standby_, cursor);
  EXPECT_FALSE(meanwhile.gap);
  EXPECT_TRUE(meanwhile.changes.empty());
  EXPECT_NE(meanwhile.held_up.find("standby"), std::string::npos) << meanwhile.held_up;
  EXPECT_EQ(read(*primary_, read(*primary_, "").next).held_up, "");
  open.abort();
  save(*primary_, write("after", 1));
  wait_for_standby();
  const ChangesReply then = read(*standby_, meanwhile.next);
  ASSERT_EQ(then.changes.size(), 2u);
  EXPECT_EQ(then.changes[0].id.key, "held up");
  EXPECT_EQ(then.changes[1].id.key, "after");
  EXPECT_EQ(then.held_up, "");
  EXPECT_TRUE(read(*standby_, then.next).changes.empty());
}

// The promoted standby gives out the numbers of transactions that the lost end of the log had, too.
TEST_F(PostgresFailover, promoted_standby_is_a_gap_for_cursors_of_the_lost_primary_I4_I10) {
  control("TIERCACHE_TEST_STANDBY_CTL", "stop");
  use_up_transactions(server_url(), 300);
  const std::string cursor = read(*primary_, read(*primary_, "").next).next;
  control("TIERCACHE_TEST_POSTGRES_CTL", "kill");
  control("TIERCACHE_TEST_STANDBY_CTL", "start");
  const std::string from_standby = read(*standby_, "").next;
  control("TIERCACHE_TEST_STANDBY_CTL", "promote");
  EXPECT_EQ(save(*standby_, tombstone("k", 2)).status, StoreStatus::ok);
  use_up_transactions(standby_url(), 600);
  const ChangesReply after = read(*standby_, cursor);
  EXPECT_TRUE(after.gap);
  EXPECT_TRUE(after.changes.empty());
  EXPECT_TRUE(read(*standby_, from_standby).gap);
  // A program that knew nothing of it would have missed the erase; its cursors are a gap here, too.
  const std::string incarnation = cursor.substr(0, cursor.find('/'));
  const std::string end =
      Outsider(standby_url()).ask("select pg_snapshot_xmax(pg_current_snapshot())");
  EXPECT_TRUE(read(*standby_, incarnation + '/' + end + "/0").gap);
  EXPECT_EQ(save(*standby_, write("k", 3)).status, StoreStatus::ok);
  const ChangesReply next = read(*standby_, after.next);
  EXPECT_FALSE(next.gap);
  ASSERT_EQ(next.changes.size(), 1u);
  EXPECT_EQ(next.changes[0].version, version(3));
}

}  // namespace
}  // namespace tiercache::postgres
