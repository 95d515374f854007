// A whole cache on one thread: puts, gets, erases, refreshes, outages, crashes, power losses and
// restarts in an order that a seed decides. Every run replays by its seed.
//
//   simulate [--seeds N] [--seed FIRST] [--steps N] [--trace KEY]
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "engine/cache/world.h"
#include "simulation/oracle.h"

namespace tiercache::testing {
namespace {

struct Totals {
  std::uint64_t operations = 0, reads = 0, crashes = 0, power_losses = 0, restarts = 0, wipes = 0;
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, Totals& totals, std::string traced)
      : world_(seed), random_(seed), totals_(totals), traced_(std::move(traced)) {
    if (!traced_.empty()) {
      const std::string file = "3A" + traced_.substr(traced_.find(':') + 1) + ".json";
      world_.disk.on_operation([this, file](std::uint64_t, const std::string& what) {
        if (what.find(file) != std::string::npos || what.find("sync_all") != std::string::npos)
          trace({}, what);
      });
    }
    world_.store->set_refusal([this](const StoreWrite& write) -> std::optional<std::string> {
      trace(write.id.key,
            std::string(write.kind == StoreWrite::Kind::clocks ? "clocks" : "content") + " sent, " +
                write.entry.version.to_string() +
                (write.not_newer_than ? " over " + write.not_newer_than->to_string() : ""));
      return std::nullopt;
    });
    open();
  }

  // Nullopt, or the promise that broke.
  std::optional<std::string> run(int steps) {
    for (step_ = 0; step_ < steps && !broken_; ++step_) one_step();
    if (!broken_) settle_and_compare();
    if (!broken_) return std::nullopt;
    return "step " + std::to_string(step_) + ": " + *broken_;
  }

 private:
  void open() {
    world_.clock->advance(std::chrono::milliseconds(10));
    cache_ = world_.open([](CacheOptions& options) {
      options.memory.max_bytes = 24'000;
      options.journal.segment_bytes = 16'384;
      options.journal.max_bytes = 1 << 20;
      options.store_calls.batch_items = 7;
    });
    data_.emplace(cache_->dataset(
        "d", {.keyed = true,
              .fresh_for = std::chrono::hours(24 * 365),
              .hydrate = pick(2) == 0 ? Hydrate::none() : Hydrate::all(),
              .refresh = [this](RefreshContext& context) { return fetch(context); }}));
  }

  RefreshAnswer<std::string> fetch(RefreshContext& context) {
    const std::string key = context.key();
    if (pick(4) == 0) world_.executor->sleep_for(std::chrono::milliseconds(pick(2'000)));
    switch (pick(6)) {
      case 0:
        throw std::runtime_error("source is down");
      case 1:
        return NotFound{};
      case 2:
        if (context.previous()) return NotModified{};
        [[fallthrough]];
      default:
        break;
    }
    const std::string document = new_document(key);
    oracle_.attempted(key, document);
    if (disk_fails_) oracle_.in_doubt(key);
    trace(key, "refreshed");
    return document;
  }

  std::string new_document(const std::string& key) {
    return "{\"key\":\"" + key + "\",\"n\":" + std::to_string(++counter_) + ",\"pad\":\"" +
           std::string(pick(400), 'x') + "\"}";
  }
  std::string key() { return (pick(2) == 0 ? "a:" : "b:") + std::to_string(pick(6)); }
  std::uint64_t pick(std::uint64_t bound) { return random_() % bound; }
  // Tells what happened to the key named by --trace, or to all.
  void trace(const std::string& k, const std::string& what) {
    if (traced_.empty() || (!k.empty() && k != traced_)) return;
    std::cout << "  step " << step_ << " " << k << ": " << what << "\n";
  }
  void fail(const std::string& what) {
    if (!broken_) broken_ = what;
  }

  void one_step() {
    ++totals_.operations;
    switch (pick(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return put();
      case 4:
      case 5:
      case 6:
        return read(pick(2) == 0 ? Reach::local : Reach::source);
      case 7:
        return put_async();
      case 8:
        return read_async();
      case 9:
        return erase();
      case 10:
        return pick(4) == 0 ? erase_matching() : invalidate();
      case 11:
        return refresh();
      case 12:
      case 13:
        return world_.executor->run_for(std::chrono::milliseconds(pick(200)));
      case 14:
        return world_.executor->run_for(std::chrono::seconds(pick(100)));
      case 15:
        return change_store();
      case 16:
        return flush();
      case 17:
        return pick(3) == 0 ? crash() : world_.executor->run_ready();
      case 18:
        return pick(4) == 0 ? restart() : world_.executor->run_ready();
      default:
        return fault();
    }
  }

  void put() {
    const std::string k = key();
    const std::string document = new_document(k);
    oracle_.attempted(k, document);
    try {
      const PutReceipt receipt = data_->put(k, document);
      trace(k, "put " + receipt.version.to_string() +
                   (receipt.journaled ? "" : " in the store only") +
                   (receipt.superseded ? " superseded" : ""));
      if (!receipt.superseded) oracle_.acknowledged(k, receipt.version, receipt.journaled);
    } catch (const NotDurable&) {
      oracle_.in_doubt(k);
    }
  }
  void put_async() {
    const std::string k = key();
    const std::string document = new_document(k);
    oracle_.attempted(k, document);
    data_->put_async(
        k, document, {}, [this, k, life = life_](PutReceipt receipt, std::exception_ptr error) {
          trace(k, "put async " + receipt.version.to_string() + (error ? " failed" : "") +
                       (receipt.journaled ? "" : " in the store only"));
          if (error) oracle_.in_doubt(k);
          if (!error && life == life_ && !receipt.superseded)
            oracle_.acknowledged(k, receipt.version, receipt.journaled);
        });
  }
  void read(Reach reach) {
    const std::string k = key();
    const Version floor = oracle_.floor(k);
    judge_read(k, data_->get(k, {.reach = reach}), floor);
  }
  void read_async() {
    const std::string k = key();
    data_->get_async(
        k, {}, [this, k, life = life_, floor = oracle_.floor(k)](Snapshot<JsonText> snapshot) {
          if (life == life_) judge_read(k, snapshot, floor);
        });
  }
  void judge_read(const std::string& k, const Snapshot<JsonText>& snapshot, Version floor) {
    ++totals_.reads;
    trace(k, snapshot.has_value() ? "read " + snapshot.version().to_string() + " from " +
                                        std::string(to_string(snapshot.tier()))
                                  : "missed; " + snapshot.passage().to_string());
    // A miss says nothing when the floor rose while the read was on its way.
    if (!snapshot.has_value() && oracle_.floor(k) != floor) return;
    if (const auto wrong = oracle_.check(k, snapshot, floor)) fail("key " + k + ": " + *wrong);
  }
  void erase() {
    const std::string k = key();
    oracle_.attempted_erase(k);
    try {
      const PutReceipt receipt = data_->erase(k);
      trace(k, "erase " + receipt.version.to_string() +
                   (receipt.journaled ? "" : " in the store only"));
      if (!receipt.superseded) oracle_.erased(k, receipt.version, receipt.journaled);
    } catch (const NotDurable&) {
      oracle_.in_doubt(k);
    }
  }
  void erase_matching() {
    std::vector<std::string> keys;
    for (int i = 0; i < 6; ++i) keys.push_back("a:" + std::to_string(i));
    for (const auto& k : keys) oracle_.attempted_erase(k);
    try {
      const PutReceipt receipt = data_->erase_matching("a:*");
      trace({}, "erase a:* " + receipt.version.to_string());
      for (const auto& k : keys) oracle_.erased(k, receipt.version, receipt.journaled);
    } catch (const NotDurable&) {
    }
  }
  void invalidate() {
    try {
      data_->invalidate(key());
    } catch (const NotDurable&) {
    }
  }
  void refresh() {
    const std::string k = key();
    const Version floor = oracle_.floor(k);
    judge_read(k, data_->refresh(k, std::chrono::seconds(3)), floor);
  }
  void flush() {
    world_.disk.set_fault({});
    (void)cache_->flush(std::chrono::seconds(5));
  }

  void change_store() {
    const auto mode = pick(4);
    if (mode == 0) return world_.store_up();
    world_.store->set_fault([this, mode](const std::string&) {
      switch (mode) {
        case 1:
          return StoreFault::unavailable;
        case 2:
          return static_cast<StoreFault>(pick(4));
        default:
          return pick(3) == 0 ? StoreFault::unavailable : StoreFault::none;
      }
    });
  }
  void fault() {
    disk_fails_ = pick(3) == 0;
    if (!disk_fails_) return world_.disk.set_fault({});
    const auto error = pick(2) == 0 ? ENOSPC : EIO;
    world_.disk.set_fault([this, error](const std::string& operation, const std::string&) {
      const bool mutates = operation != "read_at" && operation != "read_file" &&
                           operation != "list" && operation != "info" && operation != "size";
      return mutates && pick(5) == 0 ? error : 0;
    });
  }

  void crash() {
    ++life_;
    world_.disk.set_fault({});
    oracle_.crashed();
    trace({}, "crash");
    if (pick(2) == 0) {
      ++totals_.crashes;
      world_.kill(cache_);
    } else {
      ++totals_.power_losses;
      world_.lose_power(cache_, random_());
    }
    open();
  }
  void restart() {
    ++totals_.restarts;
    trace({}, "restart");
    world_.disk.set_fault({});
    const CloseReceipt receipt = cache_->close(std::chrono::seconds(pick(3)));
    ++life_;
    if (receipt.dropped != 0) fail("close dropped writes");
    cache_.reset();
    // An ephemeral disk may go only when the receipt says that nothing would be lost.
    if (receipt.left_in_outbox == 0 && receipt.parked == 0 && pick(2) == 0) {
      ++totals_.wipes;
      world_.store_up();
      world_.wipe();
      oracle_.wiped();
      trace({}, "wiped");
    }
    open();
  }

  // In the end everything works again: the store must hold exactly what readers are shown.
  void settle_and_compare() {
    world_.disk.set_fault({});
    world_.store_up();
    world_.executor->run_for(std::chrono::minutes(10));
    if (!cache_->flush(std::chrono::minutes(10))) return fail("the outbox did not drain");
    const Stats stats = cache_->stats();
    if (stats.outbox_parked > 0) return fail("a write is parked, though no store refused any");
    for (const auto& [k, known] : oracle_.keys()) {
      const auto snapshot = data_->get(k, {.reach = Reach::store});
      judge_read(k, snapshot, known.floor);
      const EntryPtr row = world_.store->row("test", {"d", k});
      const bool in_store = row && row->kind == EntryKind::document;
      // What the disk refused and the store took is not known here after a crash, until it is
      // asked.
      if (known.store_only && row && row->version > snapshot.version()) continue;
      if (snapshot.has_value() != in_store) {
        return fail("key " + k + ": " + (in_store ? "only" : "not") + " in the store, which has " +
                    (row ? row->version.to_string() : std::string("no row")) + ", not " +
                    snapshot.version().to_string() + "; " + snapshot.passage().to_string());
      }
      if (in_store && *row->document != *snapshot) {
        fail("key " + k + ": the store has another document, of " + row->version.to_string() +
             ", not " + snapshot.version().to_string() + "; " + snapshot.passage().to_string());
      }
    }
  }

  World world_;
  std::mt19937_64 random_;
  Totals& totals_;
  const std::string traced_;
  Oracle oracle_;
  std::unique_ptr<Cache> cache_;
  std::optional<Dataset<JsonText>> data_;
  std::optional<std::string> broken_;
  std::uint64_t counter_ = 0;
  int step_ = 0;
  int life_ = 0;
  bool disk_fails_ = false;
};

std::string text_argument(int argc, char** argv, const char* name) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], name) == 0) return argv[i + 1];
  }
  return {};
}

std::uint64_t argument(int argc, char** argv, const char* name, std::uint64_t otherwise) {
  const std::string text = text_argument(argc, argv, name);
  return text.empty() ? otherwise : std::strtoull(text.c_str(), nullptr, 10);
}

int run(int argc, char** argv) {
  const std::uint64_t seeds = argument(argc, argv, "--seeds", 50);
  const std::uint64_t first = argument(argc, argv, "--seed", 1);
  const auto steps = static_cast<int>(argument(argc, argv, "--steps", 400));
  Totals totals;
  int broken = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    std::optional<std::string> wrong;
    try {
      wrong = Simulation(seed, totals, text_argument(argc, argv, "--trace")).run(steps);
    } catch (const std::exception& error) {
      wrong = std::string("threw: ") + error.what();
    }
    if (!wrong) continue;
    ++broken;
    std::cout << "seed " << seed << ", " << *wrong << "\n  replay: simulate --seeds 1 --seed "
              << seed << " --steps " << steps << std::endl;
    if (broken == 10) break;
  }
  std::cout << "simulation: " << seeds << " seeds from " << first << ", " << totals.operations
            << " operations, " << totals.reads << " reads, " << totals.crashes << " kills, "
            << totals.power_losses << " power losses, " << totals.restarts << " restarts, "
            << totals.wipes << " wiped directories, " << broken << " seeds with a broken promise\n";
  return broken == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tiercache::testing

int main(int argc, char** argv) {
  return tiercache::testing::run(argc, argv);
}
