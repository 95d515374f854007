#include "machines/machine.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <thread>

#include "lib/skewed_clock.h"
#include "machines/caller.h"
#include "machines/setup.h"
#include "oracle/document.h"
#include "tiercache/postgres.h"

namespace tiercache::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// Set by a signal handler, read by all threads.
std::atomic<bool> asked_to_end{false};
static_assert(std::atomic<bool>::is_always_lock_free);

constexpr seconds kMachinePatience{120};  // until all is sent, and until all machines hold the same
constexpr seconds kLessPatience{10};      // where what is parked keeps them apart anyway
constexpr int kMachinePauseMs = 20;

std::filesystem::path directory_of(const Life& life) {
  return life.root / ("machine-" + std::to_string(life.machine));
}

class Machine {
 public:
  explicit Machine(const Life& life)
      : life_(life),
        desk_(std::make_shared<Desk>(life)),
        store_(postgres::open({.url = life.url, .connections = 4, .apply_migrations = true})),
        cache_(cache_options(directory_of(life).string(), store_,
                             std::make_shared<SkewedClock>(life.skew))),
        data_(cache_.dataset(kDataset, dataset_options(desk_))) {}

  int found() {
    for (std::uint8_t key = 0; key < kKeys; ++key) {
      if (kind_of(key) != KeyKind::erasable) continue;
      Call call{.op = Op::put, .key = key, .number = desk_->next_write()};
      desk_->write_down(call);
      const std::string metadata = metadata_of(call.number);
      const PutReceipt receipt = data_.put(
          name_of(key), make_document(name_of(key), call.number),
          {.durability = Durability::store, .deadline = minutes(1), .metadata = metadata});
      call.told = Told::stored;
      call.set_version(receipt.version);
      desk_->write_down(call);
    }
    return end(minutes(1)) ? kAtRest : 1;
  }

  int live() {
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < kThreads; ++i) threads.emplace_back([this, i] { work(i); });
    for (std::thread& thread : threads) thread.join();
    if (asked_to_end) return end(milliseconds(life_.seed % 3 * 500)) ? kAskedToEnd : 1;
    if (!send_all()) return 1;
    come_to_rest();
    return end(kMachinePatience) ? kAtRest : 1;
  }

 private:
  void work(std::uint64_t thread) {
    Caller caller(life_, thread, desk_, cache_);
    while (!asked_to_end && life_.progress->calls.fetch_add(1) < life_.calls) caller.call();
  }

  template <class Condition>
  static bool comes(const Condition& condition, seconds patience = kMachinePatience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      ::poll(nullptr, 0, kMachinePauseMs);
    }
    return true;
  }

  bool send_all() {
    const bool sent = comes(
        [this] { return (is_parked() || cache_.flush(seconds(5))) && desk_->unanswered == 0; });
    if (!sent) tell("could not send all");
    return sent;
  }

  // Until what is here is what the store has, or patience ends; the checker judges what is written
  // down.
  void come_to_rest() {
    const char byte = static_cast<char>(life_.machine);
    if (::write(life_.ready, &byte, 1) != 1) tell("nobody waits for it");
    char nothing = 0;
    while (::read(life_.quiet, &nothing, 1) < 0 && errno == EINTR) {
    }
    comes([this] { return cache_.flush(seconds(5)) && is_as_in_store(); },
          is_parked() ? kLessPatience : kMachinePatience);
    const Stats stats = cache_.stats();
    const Health health = cache_.health();
    if (stats.outbox_depth != 0 || stats.outbox_parked != 0 || health.outbox_depth != 0 ||
        health.parked != 0) {
      tell("holds back writes at rest: " + std::to_string(health.outbox_depth) + " wait, " +
           std::to_string(health.parked) + " are parked");
      for (const OutboxWrite& write : cache_.outbox().list().writes) {
        std::printf("  parked: %s of %s as %s: %s\n", std::string(to_string(write.kind)).c_str(),
                    write.id.key.c_str(), write.version.to_string().c_str(), write.why.c_str());
      }
    }
    std::ofstream out(holding_of(life_.root, life_.machine), std::ios::binary);
    for (std::uint8_t key = 0; key < kKeys; ++key) {
      const Standing standing = held(key);
      out.write(reinterpret_cast<const char*>(&standing), sizeof standing);
    }
  }

  bool is_parked() const {
    const Health health = cache_.health();
    return health.parked != 0 && health.outbox_depth == 0;
  }

  Standing held(std::uint8_t key) const {
    const auto snapshot = data_.get(name_of(key), {.reach = Reach::local});
    if (!snapshot) return {};
    const Call call = judged(key, snapshot);
    return {.document = true,
            .fresh = snapshot.freshness() == Freshness::fresh,
            .right = call.told == Told::served,
            .number = call.number,
            .version = snapshot.version()};
  }

  bool is_as_in_store() const {
    std::vector<EntryId> ids;
    for (std::uint8_t key = 0; key < kKeys; ++key) ids.push_back({kDataset, name_of(key)});
    const LoadReply reply = store_->load(kProject, ids, system_clock()->steady_now() + seconds(5));
    if (reply.status != StoreStatus::ok) return false;
    for (std::uint8_t key = 0; key < kKeys; ++key) {
      const EntryPtr& row = reply.entries[key];
      const Standing here = held(key);
      const bool document = row && row->document;
      if (here.document != document || (document && here.version != row->version)) return false;
      const bool invalidated = document && row->clocks.invalidated_at >= row->clocks.last_fetch;
      if (kind_of(key) == KeyKind::stale && invalidated && here.fresh) return false;
    }
    return true;
  }

  bool end(std::chrono::milliseconds deadline) {
    const CloseReceipt receipt = cache_.close(deadline);
    if (receipt.dropped != 0) tell("dropped writes: " + receipt.to_string());
    const bool answered = comes([this] { return desk_->unanswered == 0; });
    if (!answered) tell("never answered " + std::to_string(desk_->unanswered) + " calls");
    return receipt.dropped == 0 && answered;
  }

  void tell(const std::string& what) const {
    std::printf("VIOLATION stuck: machine %llu %s\n",
                static_cast<unsigned long long>(life_.machine), what.c_str());
    Call call{.told = Told::broken};
    desk_->write_down(call);
  }

  const Life life_;
  const std::shared_ptr<Desk> desk_;
  const std::shared_ptr<Store> store_;
  Cache cache_;
  Dataset<JsonText> data_;
};

}  // namespace

int live(const Life& life) {
  ::signal(SIGTERM, [](int) { asked_to_end = true; });
  return Machine(life).live();
}

int found(const Life& life) {
  return Machine(life).found();
}

std::filesystem::path record_of(const std::filesystem::path& root, std::uint64_t machine) {
  return root / ("calls-" + std::to_string(machine));
}

std::filesystem::path holding_of(const std::filesystem::path& root, std::uint64_t machine) {
  return root / ("holding-" + std::to_string(machine));
}

std::vector<Standing> read_holding(const std::filesystem::path& path) {
  std::vector<Standing> holding(kKeys);
  std::ifstream in(path, std::ios::binary);
  in.read(reinterpret_cast<char*>(holding.data()),
          static_cast<std::streamsize>(holding.size() * sizeof(Standing)));
  return holding;
}

}  // namespace tiercache::testing
