#include <string>
#include <vector>

#include "adapters/postgres/server.h"
#include "tiercache/testing/store_conformance.h"

namespace tiercache::testing {
namespace {

StoreUnderTest under_test(std::string name, postgres::Options options) {
  // The cases' projects have names of their own, so one database is empty for each.
  const auto open = [options] { return postgres::open(options); };
  return {.name = std::move(name),
          .open = open,
          .reopen = open,
          .keeps_bytes = false,
          .large_document_bytes = std::size_t{32} << 20};
}

// A database whose settings would change what a statement means, or what its answer looks like.
// Through a pooler, where there is one: it takes no settings of the session.
std::string make_odd_database() {
  const std::string plain =
      postgres::pooler_url().empty() ? postgres::server_url() : postgres::pooler_url();
  postgres::Outsider admin;
  admin.run("create database odd owner " +
            admin.ask("select datdba::regrole from pg_database where datname = 'tiercache'"));
  for (const char* setting :
       {"array_nulls = off", "standard_conforming_strings = off", "backslash_quote = off",
        "datestyle = 'SQL, DMY'", "intervalstyle = sql_standard", "timezone = 'Asia/Kolkata'",
        "bytea_output = escape", "extra_float_digits = -15", "search_path = ''",
        "client_encoding = latin1", "transform_null_equals = on", "quote_all_identifiers = on",
        "synchronous_commit = off", "lock_timeout = '1ms'", "xmlbinary = hex",
        "idle_in_transaction_session_timeout = '1s'", "client_min_messages = debug1"}) {
    admin.run(std::string("alter database odd set ") + setting);
  }
  return postgres::with_database(plain, "odd");
}

std::vector<StoreUnderTest> stores() {
  postgres::Options direct{.url = postgres::server_url(),
                           .apply_migrations = true,
                           .hint_check_every = std::chrono::milliseconds(500)};
  postgres::Options prepared = direct;
  prepared.prepared = true;
  prepared.connections = 2;
  prepared.max_document_bytes = std::size_t{1} << 20;
  std::vector<StoreUnderTest> all{under_test("direct", direct), under_test("prepared", prepared)};
  if (const std::string pooler = postgres::pooler_url(); !pooler.empty()) {
    postgres::Options pooled = direct;
    pooled.url = pooler;
    pooled.max_document_bytes = std::size_t{1} << 20;
    all.push_back(under_test("pooler", pooled));
  }
  postgres::Options odd = direct;
  static const std::string url_of_odd = make_odd_database();
  odd.url = url_of_odd;
  odd.max_document_bytes = std::size_t{1} << 20;
  all.push_back(under_test("odd_settings", odd));
  return all;
}

INSTANTIATE_TEST_SUITE_P(Postgres, StoreConformance, ::testing::ValuesIn(stores()), store_name);

}  // namespace
}  // namespace tiercache::testing
