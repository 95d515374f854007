// What the calls of a whole cache cost a service: hits, reads from files, and writes. The time of a
// hit includes hashing the key, reading the clock, the counters and the snapshot.
//
//   bench_cache [--benchmark_filter=REGEX] [--benchmark_repetitions=N]
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tiercache/sqlite.h"
#include "tiercache/tiercache.h"

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr int kKeys = 1'000;

std::string key_of(int i) {
  std::string number = std::to_string(i);
  return "session:" + std::string(10 - number.size(), '0') + number + ":state";
}

std::string document() {
  return "{\"pad\":\"" + std::string(1'010, 'x') + "\"}";
}

// A cache in a temporary directory with kKeys entries of 1 KiB.
class Filled {
 public:
  explicit Filled(std::chrono::milliseconds ttl, bool with_store = false) {
    std::string name = (fs::temp_directory_path() / "tiercache-bench-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    tiercache::CacheOptions options;
    options.project = "bench";
    options.directory = directory_ / "cache";
    options.memory.ttl = ttl;
    if (with_store) options.store = tiercache::sqlite::open((directory_ / "store.db").string());
    cache_ = std::make_unique<tiercache::Cache>(std::move(options));
    data_.emplace(cache_->dataset("d", {.keyed = true, .fresh_for = 24h}));
    std::vector<std::pair<std::string, std::string>> values;
    for (int i = 0; i < kKeys; ++i) {
      keys_.push_back(key_of(i));
      values.emplace_back(keys_.back(), document());
    }
    data_->put_many(values);
    cache_->flush();
  }
  ~Filled() {
    cache_.reset();
    fs::remove_all(directory_);
  }

  const tiercache::Dataset<tiercache::JsonText>& data() const { return *data_; }
  const std::string& key(std::size_t i) const { return keys_[i % kKeys]; }

 private:
  fs::path directory_;
  std::unique_ptr<tiercache::Cache> cache_;
  std::optional<tiercache::Dataset<tiercache::JsonText>> data_;
  std::vector<std::string> keys_;
};

void get_from_memory(benchmark::State& state) {
  static const Filled filled(1h);
  std::size_t i = static_cast<std::size_t>(state.thread_index()) * 500;
  for (auto _ : state) benchmark::DoNotOptimize(filled.data().get(filled.key(i++)));
}
BENCHMARK(get_from_memory)->ThreadRange(1, 2)->UseRealTime();

void get_miss_in_memory_only(benchmark::State& state) {
  static const Filled filled(1h);
  for (auto _ : state) benchmark::DoNotOptimize(filled.data().peek("absent"));
}
BENCHMARK(get_miss_in_memory_only);

void get_from_file(benchmark::State& state) {
  static const Filled filled(0ms);  // memory is never trusted without a look at the file
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(filled.data().get(filled.key(i++)));
}
BENCHMARK(get_from_file);

void put_journaled(benchmark::State& state) {
  static const Filled filled(1h);
  const std::string text = document();
  std::size_t i = static_cast<std::size_t>(state.thread_index()) * 500;
  for (auto _ : state) filled.data().put(filled.key(i++), text);
}
BENCHMARK(put_journaled)->ThreadRange(1, 4)->UseRealTime();

void put_many_100(benchmark::State& state) {
  static const Filled filled(1h);
  std::vector<std::pair<std::string, std::string>> values;
  for (int i = 0; i < 100; ++i) values.emplace_back(key_of(i), document());
  for (auto _ : state) filled.data().put_many(values);
  state.SetItemsProcessed(state.iterations() * 100);
}
BENCHMARK(put_many_100)->UseRealTime();

void put_confirmed_by_sqlite(benchmark::State& state) {
  static const Filled filled(1h, true);
  const std::string text = document();
  std::size_t i = 0;
  for (auto _ : state) {
    filled.data().put(filled.key(i++), text, {.durability = tiercache::Durability::store});
  }
}
BENCHMARK(put_confirmed_by_sqlite)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
