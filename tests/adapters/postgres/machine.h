// A whole cache with a directory of its own, as a machine beside others on one server.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "adapters/postgres/server.h"
#include "lib/scratch.h"
#include "tiercache/tiercache.h"

namespace tiercache::postgres {

class Machine {
 public:
  explicit Machine(std::shared_ptr<Store> store,
                   const std::function<void(CacheOptions&)>& adjust = {}) {
    CacheOptions options;
    options.project = "p";
    options.directory = scratch_.path();
    options.store = std::move(store);
    options.store_calls.retry_cap = std::chrono::milliseconds(200);
    if (adjust) adjust(options);
    cache_ = std::make_unique<Cache>(std::move(options));
    data_ = std::make_unique<Dataset<JsonText>>(cache_->dataset(
        "d", DatasetOptions<JsonText>{.keyed = true, .fresh_for = std::chrono::hours(24)}));
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  Cache& cache() { return *cache_; }
  Dataset<JsonText>& data() { return *data_; }
  const std::filesystem::path& directory() const { return scratch_.path(); }

  // What this machine has without asking the store; "" for nothing.
  std::string local(const std::string& key) {
    const auto found = data_->get(key, {.reach = Reach::local});
    return found ? std::string(*found) : "";
  }
  bool comes(const std::string& key, const std::string& text) {
    return comes_true([&] { return local(key) == text; });
  }
  bool comes_true(const std::function<bool()>& condition) {
    for (const SteadyTime deadline = patience(); system_clock()->steady_now() < deadline;) {
      if (condition()) return true;
    }
    return false;
  }

 private:
  const testing::ScratchDirectory scratch_{"machine"};
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Dataset<JsonText>> data_;
};

}  // namespace tiercache::postgres
