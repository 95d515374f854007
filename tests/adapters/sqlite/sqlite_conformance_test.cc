#include <atomic>
#include <memory>
#include <string>

#include "adapters/sqlite/scratch.h"
#include "tiercache/testing/store_conformance.h"

namespace tiercache::testing {
namespace {

// Each case has a file of its own in the program's directory.
std::string next_file(bool same_again = false) {
  static const sqlite::ScratchDirectory directory;
  static std::atomic<int> number{0};
  return directory / ("store" + std::to_string(same_again ? number.load() : ++number) + ".db");
}

StoreUnderTest sqlite_store(std::string name, sqlite::Synchronous synchronous,
                            std::size_t max_document_bytes) {
  const auto options = [=](const std::string& path) {
    return sqlite::Options{
        .path = path, .synchronous = synchronous, .max_document_bytes = max_document_bytes};
  };
  return {.name = std::move(name),
          .open = [=] { return sqlite::open(options(next_file())); },
          .reopen = [=] { return sqlite::open(options(next_file(true))); },
          .large_document_bytes = std::size_t{32} << 20};
}

INSTANTIATE_TEST_SUITE_P(
    Sqlite, StoreConformance,
    ::testing::Values(sqlite_store("full", sqlite::Synchronous::full, std::size_t{64} << 20),
                      sqlite_store("normal", sqlite::Synchronous::normal, std::size_t{1} << 20)),
    store_name);

}  // namespace
}  // namespace tiercache::testing
