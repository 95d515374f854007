// Measures what each call of the Postgres store costs on a server of yours:
//
//     bench_postgres postgres://user:password@host:port/database [prepared]
//
// Makes the schema if it is missing, and rows of a project named "bench". Prints the microseconds
// per row that one thread takes, as the median of the rounds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "tiercache/postgres.h"

namespace {

using namespace tiercache;

constexpr int kRounds = 15;
constexpr std::size_t kBatch = 100;

SteadyTime soon() {
  return system_clock()->steady_now() + std::chrono::seconds(30);
}

void must(const StoreReply& reply) {
  if (reply.status == StoreStatus::ok) return;
  std::fprintf(stderr, "%s\n", reply.message.c_str());
  std::exit(1);
}

std::string document(std::size_t bytes, std::uint64_t number) {
  std::string text = "{\"number\": " + std::to_string(number) + ", \"items\": [";
  while (text.size() + 40 < bytes) {
    text += "{\"id\": " + std::to_string(number * 7919 + text.size()) + ", \"ok\": true}, ";
  }
  return text + "null]}";
}

class Bench {
 public:
  explicit Bench(std::shared_ptr<Store> store) : store_(std::move(store)) {
    const auto ms = system_clock()->wall_now().time_since_epoch().count();
    next_version_ = static_cast<std::uint64_t>(ms) << Version::kCounterBits;
  }

  void run(std::size_t bytes) {
    const std::string size = std::to_string(bytes >> 10) + " KiB";
    for (const std::size_t rows : {std::size_t{1}, kBatch}) {
      const std::string name = size + ", " + std::to_string(rows) + " rows: ";
      measure(name + "save of content", rows, [&] { save(writes(bytes, rows)); });
      measure(name + "save of clocks", rows, [&] { save(clocks(rows)); });
      measure(name + "load", rows, [&] { must(store_->load("bench", ids(rows), soon())); });
    }
    measure(size + ": scan of 100", kBatch,
            [&] { must(store_->scan("bench", "d", "", kBatch, soon())); });
    std::string cursor;
    measure(size + ": poll of the change feed, nothing new", 1, [&] {
      const ChangesReply reply = store_->changes("bench", cursor, 1'000, soon());
      must(reply);
      cursor = reply.next;
    });
    measure(size + ": save of 100 and their matching erase", kBatch, [&] {
      save(writes(bytes, kBatch));
      must(store_->erase_matching("bench", {"d", "key*", {++next_version_, 1}}, soon()));
    });
  }

 private:
  static EntryId id(std::size_t number) { return {"d", "key" + std::to_string(number)}; }
  static std::vector<EntryId> ids(std::size_t rows) {
    std::vector<EntryId> out;
    for (std::size_t i = 0; i < rows; ++i) out.push_back(id(i));
    return out;
  }

  std::vector<StoreWrite> writes(std::size_t bytes, std::size_t rows) {
    std::vector<StoreWrite> out(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      std::string text = document(bytes, i);
      out[i].id = id(i);
      out[i].entry.version = {++next_version_, 1};
      out[i].entry.checksum = Checksum::of(text);
      out[i].entry.document = std::make_shared<const std::string>(std::move(text));
    }
    return out;
  }
  std::vector<StoreWrite> clocks(std::size_t rows) {
    std::vector<StoreWrite> out(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      out[i].kind = StoreWrite::Kind::clocks;
      out[i].id = id(i);
      out[i].entry.version = {next_version_, 1};
      out[i].entry.clocks.last_fetch =
          WallTime(std::chrono::milliseconds(1'700'000'000'000 + ++fetches_));
    }
    return out;
  }
  void save(const std::vector<StoreWrite>& batch) { must(store_->save("bench", batch, soon())); }

  static void measure(const std::string& name, std::size_t rows,
                      const std::function<void()>& work) {
    work();
    std::vector<double> micros;
    for (int round = 0; round < kRounds; ++round) {
      const SteadyTime start = system_clock()->steady_now();
      work();
      const std::chrono::duration<double, std::micro> took = system_clock()->steady_now() - start;
      micros.push_back(took.count() / static_cast<double>(rows));
    }
    std::nth_element(micros.begin(), micros.begin() + kRounds / 2, micros.end());
    std::printf("%-52s %9.1f us per row\n", name.c_str(), micros[kRounds / 2]);
  }

  const std::shared_ptr<Store> store_;
  std::uint64_t next_version_;
  std::int64_t fetches_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: bench_postgres URL [prepared]\n");
    return 2;
  }
  postgres::Options options{.url = argv[1], .apply_migrations = true};
  options.prepared = argc > 2 && std::string(argv[2]) == "prepared";
  Bench bench(postgres::open(options));
  for (const std::size_t bytes : {std::size_t{1} << 10, std::size_t{64} << 10}) bench.run(bytes);
  return 0;
}
