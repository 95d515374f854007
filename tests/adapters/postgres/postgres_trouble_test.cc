// Each kind of trouble, through a whole cache: what it writes meanwhile arrives when the trouble
// ends.
#include <cstdlib>

#include "adapters/postgres/trouble.h"
#include "tiercache/testing/faulty_proxy.h"

namespace tiercache::postgres {
namespace {

using std::chrono::milliseconds;
using testing::FaultyProxy;
using testing::Network;

struct World {
  ScratchDatabase database;
  FaultyProxy proxy{"127.0.0.1", port_of(database.url())};
  std::unique_ptr<Outsider> admin = std::make_unique<Outsider>(database.admin());
  std::unique_ptr<pqxx::work> holding;

  std::string name() { return admin->ask("select current_database()"); }
  std::string role() {
    return admin->ask(
        "select nspowner::regrole from pg_namespace "
        "where nspname = 'tiercache'");
  }
  // So that the next call connects anew.
  void end_connections() {
    admin->run(
        "select pg_terminate_backend(pid, 60000) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()");
  }
  // Of any table of the schema, as the server does at the states that cannot be had otherwise.
  void raise(const std::string& state) {
    admin->run(
        "create function public.raise() returns trigger language plpgsql as $$ begin "
        "raise exception 'in trouble' using errcode = '" +
        state + "'; end $$");
    admin->run(
        "create trigger trouble before insert or update on tiercache.cache_storage "
        "for each statement execute function public.raise()");
  }
  void raise_no_more() { admin->run("drop function public.raise() cascade"); }
};

void control(const std::string& verb) {
  const std::string command = from_server_script("TIERCACHE_TEST_POSTGRES_CTL") + " " + verb;
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

struct Trouble {
  std::string name;
  std::function<void(World&)> begin;
  std::function<void(World&)> end;

  friend void PrintTo(const Trouble& trouble, std::ostream* out) { *out << trouble.name; }
};

Trouble raised(const std::string& name, const std::string& state) {
  return {name, [state](World& world) { world.raise(state); },
          [](World& world) { world.raise_no_more(); }};
}

Trouble network(const std::string& name, Network network) {
  return {name, [network](World& world) { world.proxy.set(network); },
          [](World& world) { world.proxy.set(Network::works); }};
}

std::vector<Trouble> troubles() {
  return {
      network("packets_dropped", Network::swallows),
      network("answers_dropped", Network::swallows_answers),
      network("connections_refused", Network::refuses),
      {"standing_connections_dead",
       [](World& world) {
         world.proxy.hang_standing();
         world.raise("53100");  // so that it is noticed that new ones are used
       },
       [](World& world) { world.raise_no_more(); }},
      {"half_an_answer", [](World& world) { world.proxy.reset_after_answers(40); },
       [](World& world) { world.proxy.reset_after_answers(0); }},
      {"half_a_request", [](World& world) { world.proxy.reset_after_requests(700); },
       [](World& world) { world.proxy.reset_after_requests(0); }},
      {"server_down",
       [](World& world) {
         world.admin.reset();
         control("stop");
       },
       [](World& world) {
         control("start");
         world.admin = std::make_unique<Outsider>(world.database.admin());
       }},
      {"too_many_connections",
       [](World& world) {
         world.admin->run("alter role " + world.role() + " connection limit 0");
         world.end_connections();
       },
       [](World& world) {
         world.admin->run("alter role " + world.role() + " connection limit -1");
       }},
      {"read_only",
       [](World& world) {
         world.admin->run("alter database " + world.name() +
                          " set default_transaction_read_only = on");
         world.end_connections();
       },
       [](World& world) {
         world.admin->run("set default_transaction_read_only = off");
         world.admin->run("alter database " + world.name() +
                          " reset default_transaction_read_only");
       }},
      {"table_locked",
       [](World& world) {
         world.holding = std::make_unique<pqxx::work>(world.admin->raw());
         world.holding->exec("lock table tiercache.cache_storage");
       },
       [](World& world) { world.holding.reset(); }},
      {"schema_gone",
       [](World& world) { world.admin->run("alter schema tiercache rename to elsewhere"); },
       [](World& world) { world.admin->run("alter schema elsewhere rename to tiercache"); }},
      raised("disk_full", "53100"),
      raised("out_of_memory", "53200"),
      raised("statement_cancelled", "57014"),
      raised("serialization_failure", "40001"),
      raised("deadlock", "40P01"),
      raised("shutting_down", "57P01"),
      raised("internal_error", "XX000"),
  };
}

class PostgresTrouble : public ::testing::TestWithParam<Trouble> {};

TEST_P(PostgresTrouble, cache_serves_meanwhile_and_all_writes_arrive_afterwards_I1_I4_I6_I7) {
  World world;
  const auto direct = open({.url = world.database.url(), .apply_migrations = true});
  ASSERT_EQ(load(*direct, "makes the schema").status, StoreStatus::ok);
  Machine machine(open({.url = with_port(world.database.url(), world.proxy.port()),
                        .connections = 2,
                        .hint_check_every = milliseconds(300)}),
                  [](CacheOptions& options) {
                    options.store_calls.call_timeout = milliseconds(500);
                    options.store_calls.poll_every = milliseconds(100);
                  });
  expect_survived(
      machine, [&] { GetParam().begin(world); }, [&] { GetParam().end(world); }, "\"after\"",
      direct);
}

INSTANTIATE_TEST_SUITE_P(Of, PostgresTrouble, ::testing::ValuesIn(troubles()),
                         [](const auto& trouble) { return trouble.param.name; });

}  // namespace
}  // namespace tiercache::postgres
