// The real server in trouble: stopped, hung, out of connections, read-only, killed in the middle;
// and networks and resolvers that answer nothing.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "adapters/postgres/server.h"

namespace tiercache::postgres {
namespace {

using std::chrono::milliseconds;

// Waits for what the server is about to show.
bool comes(Outsider& outsider, const std::string& query, const std::string& answer) {
  const SteadyTime deadline = patience();
  while (system_clock()->steady_now() < deadline) {
    if (outsider.ask(query) == answer) return true;
  }
  return false;
}

void control(const std::string& verb) {
  const std::string command = from_server_script("TIERCACHE_TEST_POSTGRES_CTL") + " " + verb;
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

// The server's processes, stopped while the object lives: connections stand, nothing is answered.
class StoppedServer {
 public:
  explicit StoppedServer(Outsider& outsider) {
    std::ifstream file(from_server_script("TIERCACHE_TEST_POSTGRES_PID"));
    pid_t postmaster = 0;
    file >> postmaster;
    EXPECT_GT(postmaster, 1);
    if (postmaster <= 1) return;
    const std::string list = outsider.ask(
        "select string_agg(pid::text, ' ') from pg_stat_activity where pid <> pg_backend_pid()");
    std::istringstream pids(list);
    processes_ = {postmaster, std::stoi(outsider.ask("select pg_backend_pid()"))};
    for (pid_t pid = 0; pids >> pid;) processes_.push_back(pid);
    for (const pid_t pid : processes_) ::kill(pid, SIGSTOP);
  }
  ~StoppedServer() {
    for (const pid_t pid : processes_) ::kill(pid, SIGCONT);
  }
  StoppedServer(const StoppedServer&) = delete;
  StoppedServer& operator=(const StoppedServer&) = delete;

 private:
  std::vector<pid_t> processes_;
};

class PostgresFault : public ::testing::Test {
 protected:
  PostgresFault() : store_(open({.url = database_.url(), .apply_migrations = true})) {
    EXPECT_EQ(save(*store_, write("k", 1)).status, StoreStatus::ok);
  }

  ScratchDatabase database_;
  std::shared_ptr<Store> store_;
};

TEST_F(PostgresFault, stopped_server_is_left_at_the_deadline_and_used_again_once_it_goes_on_I7) {
  const auto fresh = open(database_.url());  // has no connection yet
  Outsider outsider;
  {
    StoppedServer stopped(outsider);
    const LoadReply loaded = load(*store_, "k", in(kShort));
    EXPECT_EQ(loaded.status, StoreStatus::unavailable);
    EXPECT_NE(loaded.message.find("deadline"), std::string::npos) << loaded.message;
    EXPECT_EQ(load(*fresh, "k", in(kShort)).status, StoreStatus::unavailable);
    // More calls than there are threads: all of them end, also those that found none.
    std::vector<std::thread> callers;
    for (int i = 0; i < 12; ++i) {
      callers.emplace_back([this] {
        EXPECT_EQ(load(*store_, "k", in(kShort)).status, StoreStatus::unavailable);
        EXPECT_NE(save(*store_, write("k", 2), in(kShort)).status, StoreStatus::ok);
        EXPECT_EQ(store_->scan("p", "d", "", 5, in(kShort)).status, StoreStatus::unavailable);
        EXPECT_EQ(store_->changes("p", "", 5, in(kShort)).status, StoreStatus::unavailable);
        EXPECT_NE(store_->erase_matching("q", {"d", "*", version(2)}, in(kShort)).status,
                  StoreStatus::ok);
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
  EXPECT_EQ(save(*store_, write("k", 3)).status, StoreStatus::ok);
  EXPECT_EQ(loaded_version(*store_, "k"), version(3));
  EXPECT_EQ(loaded_version(*fresh, "k"), version(3));
}

TEST_F(PostgresFault, write_that_was_sent_to_a_stopped_server_is_unknown) {
  Outsider outsider;
  StoppedServer stopped(outsider);
  EXPECT_EQ(save(*store_, write("k", 2), in(kShort)).status, StoreStatus::unknown);
}

TEST_F(PostgresFault, write_that_waits_for_a_lock_is_given_up_by_the_server_too_I7) {
  Outsider other(database_.admin());
  pqxx::work holding(other.raw());
  holding.exec("update tiercache.cache_storage set metadata = '{}'");
  const SaveReply reply = save(*store_, write("k", 2), in(kShort));
  EXPECT_NE(reply.status, StoreStatus::ok);
  EXPECT_NE(reply.message, "");
  // Nobody waits for the row any more, so nothing is written when it is let go.
  Outsider outsider(database_.admin());
  EXPECT_TRUE(
      comes(outsider, "select count(*) from pg_stat_activity where wait_event_type = 'Lock'", "0"));
  holding.commit();
  EXPECT_EQ(loaded_version(*store_, "k"), version(1));
}

TEST_F(PostgresFault, statement_timeout_of_the_server_is_unavailable_and_says_so) {
  const auto impatient = open({.url = database_.url(), .statement_timeout = milliseconds(100)});
  EXPECT_EQ(loaded_version(*impatient, "k"), version(1));
  Outsider other(database_.admin());
  pqxx::work holding(other.raw());
  holding.exec("lock table tiercache.cache_storage");
  const LoadReply reply = load(*impatient, "k");
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_NE(reply.message.find("statement_timeout"), std::string::npos) << reply.message;
  EXPECT_EQ(save(*impatient, write("k", 2)).status, StoreStatus::unavailable);
  holding.commit();
  EXPECT_EQ(loaded_version(*impatient, "k"), version(1));
}

TEST_F(PostgresFault, server_notices_that_a_caller_has_left) {
  Outsider other(database_.admin());
  pqxx::work holding(other.raw());
  holding.exec("lock table tiercache.cache_storage");
  EXPECT_EQ(load(*store_, "k", in(kShort)).status, StoreStatus::unavailable);
  Outsider outsider(database_.admin());
  EXPECT_TRUE(
      comes(outsider, "select count(*) from pg_stat_activity where wait_event_type = 'Lock'", "0"));
}

TEST_F(PostgresFault, connection_terminated_in_a_write_leaves_it_unknown) {
  Outsider other(database_.admin());
  pqxx::work holding(other.raw());
  holding.exec("update tiercache.cache_storage set metadata = '{}'");
  std::thread writer(
      [this] { EXPECT_EQ(save(*store_, write("k", 2)).status, StoreStatus::unknown); });
  Outsider outsider(database_.admin());
  EXPECT_TRUE(comes(outsider,
                    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
                    "application_name = 'tiercache'",
                    "1"));
  outsider.run(
      "select pg_terminate_backend(pid) from pg_stat_activity where "
      "application_name = 'tiercache'");
  writer.join();
  holding.commit();
  EXPECT_EQ(save(*store_, write("k", 2)).results.at(0).outcome, SaveOutcome::saved);
}

TEST_F(PostgresFault, idle_connections_that_were_terminated_cost_no_call) {
  Outsider outsider(database_.admin());
  for (int i = 0; i < 3; ++i) {
    outsider.run(
        "select pg_terminate_backend(pid, 60000) from pg_stat_activity where "
        "application_name = 'tiercache'");
    const SaveReply reply = save(*store_, write("k", static_cast<std::uint64_t>(i) + 2));
    EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
    EXPECT_EQ(load(*store_, "k").status, StoreStatus::ok);
  }
}

TEST_F(PostgresFault, restarted_server_is_used_again) {
  control("stop");
  const LoadReply away = load(*store_, "k");
  EXPECT_EQ(away.status, StoreStatus::unavailable);
  EXPECT_NE(away.message.find("cannot connect"), std::string::npos) << away.message;
  EXPECT_EQ(save(*store_, write("k", 2)).status, StoreStatus::unavailable);
  control("start");
  EXPECT_EQ(save(*store_, write("k", 2)).status, StoreStatus::ok);
  control("restart");
  EXPECT_EQ(loaded_version(*store_, "k"), version(2));
  EXPECT_EQ(save(*store_, write("k", 3)).status, StoreStatus::ok);
}

TEST_F(PostgresFault, too_many_connections_are_unavailable_and_pass) {
  Outsider admin;
  Outsider(database_.admin())
      .run("create role crowded login password 'crowded' connection limit 1");
  Outsider(database_.admin())
      .run("grant " +
           admin.ask("select datdba::regrole from pg_database "
                     "where datname = 'tiercache'") +
           " to crowded");
  const std::string url = with_user(database_.url(), "crowded", "crowded");
  {
    const auto store = open(url);
    Outsider first(url);
    const LoadReply reply = load(*store, "k");
    EXPECT_EQ(reply.status, StoreStatus::unavailable);
    EXPECT_NE(reply.message.find("too many connections"), std::string::npos) << reply.message;
    EXPECT_EQ(save(*store, write("k", 2)).status, StoreStatus::unavailable);
    admin.run("alter role crowded connection limit 5");
    EXPECT_EQ(loaded_version(*store, "k"), version(1));
  }
  Outsider(database_.admin()).run("drop owned by crowded; drop role crowded");
}

TEST_F(PostgresFault, read_only_server_serves_reads_and_is_unavailable_for_writes) {
  Outsider admin(database_.admin());
  const std::string name = admin.ask("select current_database()");
  admin.run("alter database " + name + " set default_transaction_read_only = on");
  const auto store = open(database_.url());
  EXPECT_EQ(loaded_version(*store, "k"), version(1));
  EXPECT_EQ(store->changes("p", "", 1, patience()).status, StoreStatus::ok);
  const SaveReply reply = save(*store, write("k", 2));
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_NE(reply.message.find("read-only"), std::string::npos) << reply.message;
  // As after a switch to the primary: the next call connects anew.
  admin.run("set default_transaction_read_only = off");
  admin.run("alter database " + name + " reset default_transaction_read_only");
  EXPECT_EQ(save(*store, write("k", 2)).status, StoreStatus::ok);
}

// Takes connections, and never says a word.
class SilentListener {
 public:
  SilentListener() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 16), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentListener() { ::close(socket_); }
  SilentListener(const SilentListener&) = delete;
  SilentListener& operator=(const SilentListener&) = delete;
  std::string url() const { return "postgres://a:b@127.0.0.1:" + std::to_string(port_) + "/c"; }

 private:
  int socket_;
  int port_ = 0;
};

TEST(PostgresNetwork, server_that_takes_connections_and_says_nothing_is_left_at_the_deadline_I7) {
  SilentListener listener;
  const auto store = open({.url = listener.url(), .connections = 2});
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&store] {
      const LoadReply reply = load(*store, "k", in(kShort));
      EXPECT_EQ(reply.status, StoreStatus::unavailable);
      EXPECT_NE(reply.message.find("deadline"), std::string::npos) << reply.message;
      // It was never sent, and never will be.
      EXPECT_EQ(save(*store, write("k", 1), in(kShort)).status, StoreStatus::unavailable);
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(PostgresNetwork, startup_settings_that_a_pooler_refuses_are_left_out) {
  const std::string url = pooler_url();
  if (url.empty()) GTEST_SKIP() << "no pgbouncer here";
  const auto store = open({.url = url, .apply_migrations = true});
  const SaveReply reply = store->save("through a pooler", std::vector{write("k", 1)}, patience());
  EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
}

}  // namespace
}  // namespace tiercache::postgres
