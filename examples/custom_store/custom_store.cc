// A cache over a store of one's own: implement the port `Store`, hand it over, and the rest of the
// cache is as with any other. What a store must do is checked by the conformance suite, which
// tests/examples runs against this one.
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "common/scratch.h"
#include "custom_store/line_store.h"
#include "tiercache/tiercache.h"

using namespace std::chrono_literals;

namespace {

constexpr const char* kDonation = R"({"donor":"A. Lovelace","euros":25})";

tiercache::CacheOptions options_in(const std::filesystem::path& scratch,
                                   const std::string& machine) {
  return {.project = "donations",
          .directory = scratch / machine,
          .store = std::make_shared<example::LineStore>(scratch / "store.jsonl")};
}

}  // namespace

int main() {
  const example::Scratch scratch;
  example::Shown shown;
  {
    tiercache::Cache cache(options_in(scratch.path(), "one"));
    auto donations = cache.dataset("donations", {.keyed = true, .fresh_for = 24h});
    const auto receipt =
        donations.put("2024-05-01", kDonation, {.durability = tiercache::Durability::store});
    shown(receipt.stored, "Durability::store: when put returns, the store has confirmed it");
    donations.put("2024-05-02", kDonation);
    shown(cache.flush(), "flush waits until the store has confirmed every write");
    donations.put("2024-05-03", kDonation);
    const auto left = cache.close();
    shown(left.left_in_outbox == 0 && left.dropped == 0, "close: " + left.to_string());
  }
  // Another machine: a directory of its own, the same store.
  tiercache::Cache cache(options_in(scratch.path(), "two"));
  auto donations = cache.dataset(
      "donations", {.keyed = true, .fresh_for = 24h, .hydrate = tiercache::Hydrate::none()});
  const auto found = donations.get("2024-05-03");
  shown(found.tier() == tiercache::Tier::store && *found == kDonation,
        "a cache with an empty directory finds the document in the store");
  shown(donations.get("2024-05-03").tier() == tiercache::Tier::memory,
        "and serves it from memory from then on");
  return shown.exit_code();
}
