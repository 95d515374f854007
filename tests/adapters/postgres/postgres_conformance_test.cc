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
  return all;
}

INSTANTIATE_TEST_SUITE_P(Postgres, StoreConformance, ::testing::ValuesIn(stores()), store_name);

}  // namespace
}  // namespace tiercache::testing
