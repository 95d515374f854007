// Directories that are wiped between lives, and a store that is switched off and on: see run.sh.
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "lib/arguments.h"
#include "lib/scratch.h"
#include "oracle/dice.h"
#include "oracle/document.h"
#include "tiercache/sqlite.h"
#include "tiercache/tiercache.h"

namespace tiercache::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kDataset = "documents";
constexpr std::uint64_t kShown = 20;
constexpr int kKeys = 12;
constexpr std::uint64_t kSegmentBytes = 32 << 10;
// Of one key's newest write, its frame and the rounding included: what the outbox may hold of it.
constexpr std::uint64_t kKeyBytes = 32 << 10;

struct Figures {
  std::uint64_t wiped = 0;
  std::uint64_t written = 0;
  std::uint64_t foretold = 0;  // writes that a receipt said would be lost, and were
  std::uint64_t flips = 0;
  std::uint64_t violations = 0;
  std::uint64_t most_journal_bytes = 0;
};

enum class StoreIs : std::uint8_t { there, away, off };

class Rounds {
 public:
  Rounds(const fs::path& root, std::uint64_t seed) : root_(root), dice_(seed) {
    fs::create_directories(root / "store");
  }

  // Writes, closes in order, loses the directory, opens: nothing is lost, or what the receipt said.
  void wipe_once(StoreIs store) {
    expected_ = stored_;
    open(StoreIs::there);
    if (store == StoreIs::away) move_store_away();
    const std::uint64_t unsaved = write(1 + static_cast<int>(dice_.below(kKeys)));
    const CloseReceipt receipt = cache_->close(store == StoreIs::there ? seconds(60) : seconds(0));
    cache_.reset();
    if (store == StoreIs::away) bring_store_back();
    fs::remove_all(root_ / "cache");
    ++figures_.wiped;
    if (receipt.dropped != 0 || receipt.parked != 0) fail("closed with " + receipt.to_string());
    if (store == StoreIs::there) {
      if (receipt.left_in_outbox != 0) fail("the store was there: " + receipt.to_string());
      take_as_stored();
    } else {
      if (receipt.left_in_outbox != unsaved) {
        fail(std::to_string(unsaved) +
             " keys were written without the store: " + receipt.to_string());
      }
      figures_.foretold += unsaved;
    }
    open(StoreIs::there);
    compare("after the directory was wiped", stored_);
    cache_->close(seconds(60));
    cache_.reset();
  }

  // Off with writes, on, off again, on: every document in the store once.
  void flip_once() {
    expected_ = stored_;
    open(StoreIs::there);
    compare("before the store is switched off", stored_);
    cache_->close(seconds(60));
    open(StoreIs::off);
    // What was only read since the directory was wiped may have been on its way to its file.
    std::erase_if(expected_, [this](const auto& item) { return !data_->get(item.first); });
    cache_->close(seconds(60));
    for (const StoreIs store : {StoreIs::off, StoreIs::there, StoreIs::off, StoreIs::there}) {
      open(store);
      write(3 * kKeys);
      watch_journal();
      compare("with the store switched", expected_);
      if (store == StoreIs::there && !cache_->flush(seconds(60))) fail("the outbox does not drain");
      watch_journal();
      const CloseReceipt receipt = cache_->close(seconds(60));
      if (receipt.dropped != 0 || receipt.parked != 0) fail("closed with " + receipt.to_string());
      if (store == StoreIs::there) {
        if (receipt.left_in_outbox != 0) fail("the store was there: " + receipt.to_string());
        take_as_stored();
        compare_store();
      }
      cache_.reset();
      ++figures_.flips;
    }
  }

  const Figures& figures() const { return figures_; }

 private:
  // By key; nullopt: erased.
  using Documents = std::map<std::string, std::optional<std::uint64_t>>;

  void open(StoreIs store) {
    CacheOptions options;
    options.project = "ephemeral";
    options.directory = root_ / "cache";
    options.store =
        sqlite::open({.path = store_path(), .synchronous = sqlite::Synchronous::normal});
    options.flags.store_enabled = store != StoreIs::off;
    options.journal.segment_bytes = kSegmentBytes;
    options.store_calls.retry_first = milliseconds(5);
    options.store_calls.retry_cap = milliseconds(50);
    cache_ = std::make_unique<Cache>(std::move(options));
    data_.emplace(cache_->dataset(kDataset, {.keyed = true, .fresh_for = ttl::kDay}));
  }
  std::string store_path() const { return (root_ / "store" / "store.db").string(); }
  void move_store_away() { fs::rename(root_ / "store", root_ / "away"); }
  void bring_store_back() { fs::rename(root_ / "away", root_ / "store"); }

  // Returns how many keys were written.
  std::uint64_t write(int writes) {
    std::map<std::string, bool> keys;
    for (; writes > 0; --writes) {
      const std::string key = "key:" + std::to_string(dice_.below(kKeys));
      keys[key] = true;
      ++figures_.written;
      if (dice_.percent(15)) {
        data_->erase(key);
        expected_[key] = std::nullopt;
      } else {
        data_->put(key, make_document(key, ++last_number_));
        expected_[key] = last_number_;
      }
    }
    return keys.size();
  }

  void compare(const std::string& when, const Documents& documents) {
    for (const auto& [key, number] : documents) {
      const auto snapshot = data_->get(key, {.deadline = seconds(30), .reach = Reach::store});
      const bool right = number ? snapshot && *snapshot == make_document(key, *number) : !snapshot;
      if (!right) {
        fail(when + ": " + key + " is not write " +
             (number ? std::to_string(*number) : "of an erase") + ": " +
             snapshot.passage().to_string());
      }
    }
  }

  void take_as_stored() {
    for (const auto& [key, number] : expected_) stored_[key] = number;
  }

  void compare_store() {
    const auto store = sqlite::open(store_path());
    const SteadyTime deadline = system_clock()->steady_now() + seconds(30);
    Documents found;
    std::string cursor;
    do {
      const ScanReply page = store->scan("ephemeral", kDataset, cursor, 100, deadline);
      if (page.status != StoreStatus::ok) return fail("the store cannot be read: " + page.message);
      for (const ScannedEntry& scanned : page.entries) {
        const auto number = read_document(scanned.id.key, *scanned.entry->document);
        if (!found.emplace(scanned.id.key, number).second) fail(scanned.id.key + " is there twice");
      }
      cursor = page.next;
    } while (!cursor.empty());
    Documents wanted = stored_;
    std::erase_if(wanted, [](const auto& item) { return !item.second; });
    if (found != wanted) fail("the store holds something else than what was put");
  }

  void watch_journal() {
    const Stats stats = cache_->stats();
    figures_.most_journal_bytes = std::max(figures_.most_journal_bytes, stats.journal_disk_bytes);
    if (stats.journal_disk_bytes > 2 * kKeys * kKeyBytes + 4 * kSegmentBytes) {
      fail("the journal takes " + std::to_string(stats.journal_disk_bytes) + " bytes");
    }
  }

  void fail(const std::string& what) {
    if (++figures_.violations <= kShown) std::printf("VIOLATION %s\n", what.c_str());
  }

  const fs::path root_;
  Dice dice_;
  Documents stored_;    // what the store was told and the receipt promised
  Documents expected_;  // what this life shows
  std::uint64_t last_number_ = 0;
  std::unique_ptr<Cache> cache_;
  std::optional<Dataset<JsonText>> data_;
  Figures figures_;
};

int run(const Arguments& arguments) {
  const ScratchDirectory scratch("ephemeral");
  Rounds rounds(scratch.path(), arguments["--seed"]);
  for (std::uint64_t i = 0; i < arguments["--rounds"]; ++i) {
    rounds.wipe_once(i % 4 == 3 ? StoreIs::away : StoreIs::there);
    if (i % 10 == 9) rounds.flip_once();
  }
  const Figures& figures = rounds.figures();
  const auto shown = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
  std::printf(
      "ephemeral: %llu violations, seed %llu; %llu directories wiped after close, %llu writes, "
      "lost "
      "but for the %llu that a receipt had told: 0; the store switched off or on %llu times, every "
      "document in it once, the journal at most %llu bytes\n",
      shown(figures.violations), shown(arguments["--seed"]), shown(figures.wiped),
      shown(figures.written), shown(figures.foretold), shown(figures.flips),
      shown(figures.most_journal_bytes));
  return figures.violations == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tiercache::testing

int main(int count, char** words) {
  using namespace tiercache::testing;
  Arguments arguments({{"--rounds", 20}, {"--seed", 1}});
  if (!arguments.parse(count, words)) return 2;
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ephemeral: %s\n", error.what());
    return 2;
  }
}
