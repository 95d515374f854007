// Memory and files alone, without a store: what is put survives the program, in files that a person
// can read.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "common/scratch.h"
#include "tiercache/tiercache.h"

namespace {

constexpr const char* kPrice = R"({"currency":"EUR","cents":1299})";

tiercache::Cache open_cache(const std::filesystem::path& directory) {
  return tiercache::Cache({.project = "price-list", .directory = directory, .store = nullptr});
}

tiercache::DatasetOptions<tiercache::JsonText> price_options() {
  return {.keyed = true, .fresh_for = tiercache::ttl::kDay};
}

// The one entry file of the dataset.
nlohmann::json read_entry_file(const std::filesystem::path& directory) {
  for (const auto& item : std::filesystem::recursive_directory_iterator(directory / "data")) {
    if (item.path().extension() == ".json") {
      std::ifstream in(item.path());
      return nlohmann::json::parse(in);
    }
  }
  return nullptr;
}

}  // namespace

int main() {
  const example::Scratch scratch;
  example::Shown shown;
  {
    auto cache = open_cache(scratch.path());
    // Untyped: documents are JSON text, kept byte for byte.
    auto prices = cache.dataset("prices", price_options());
    const auto receipt = prices.put("tea/green", kPrice);
    shown(receipt.journaled, "when put returns, the document survives kill -9 and power loss");
    shown(prices.get("tea/green").tier() == tiercache::Tier::memory,
          "a reader gets it from memory");
    const auto left = cache.close();
    shown(left.files_complete && left.dropped == 0, "close: " + left.to_string());
  }
  shown(read_entry_file(scratch.path()).value("data", nlohmann::json()) ==
            nlohmann::json::parse(kPrice),
        "its file is JSON with the document as \"data\"");

  auto cache = open_cache(scratch.path());
  auto prices = cache.dataset("prices", price_options());
  const auto found = prices.get("tea/green");
  shown(found.tier() == tiercache::Tier::files && *found == kPrice,
        "after a restart it comes from its file, byte for byte");
  shown(prices.get("tea/green").tier() == tiercache::Tier::memory, "and from then on from memory");
  shown(!cache.health().store.enabled, "health says that there is no store");

  const auto missing = prices.get("coffee");
  shown(!missing, "a miss is an outcome, not an exception: " + missing.passage().to_string());
  return shown.exit_code();
}
