// A process of the crash test: writes and reads until it is killed, or asked to end by SIGTERM.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <thread>

#include "crash/events.h"
#include "crash/setup.h"
#include "lib/failing_syncs.h"
#include "oracle/dice.h"
#include "oracle/document.h"
#include "tiercache/sqlite.h"

namespace tiercache::testing {
namespace {

constexpr std::uint64_t kFailingSyncs = 2;  // of a hundred, in a soak

// Set by a signal handler, read by all threads.
std::atomic<bool> asked_to_end{false};
static_assert(std::atomic<bool>::is_always_lock_free);

struct Arguments {
  std::string directory;
  std::string store;
  int worker = 0;
  std::uint64_t life = 0;
  std::uint64_t seed = 0;
  int pipe = -1;
  bool soak = false;  // a cache for each thread, on a disk whose syncs fail now and then
};

// Events of one call go out by one write, which is atomic up to PIPE_BUF.
class Reporter {
 public:
  explicit Reporter(int pipe) : pipe_(pipe) {}

  void tell(const std::vector<Event>& events) const {
    std::string lines;
    for (const Event& event : events) lines += to_line(event);
    while (!lines.empty()) {
      const ssize_t done = ::write(pipe_, lines.data(), lines.size());
      if (done < 0 && errno != EINTR) std::_Exit(3);  // nobody listens any more
      if (done > 0) lines.erase(0, static_cast<std::size_t>(done));
    }
  }

 private:
  const int pipe_;
};

// Numbers grow from life to life.
class Numbers {
 public:
  explicit Numbers(std::uint64_t life) : next_((life << 24) + 1) {}
  std::uint64_t next() { return next_++; }

 private:
  std::atomic<std::uint64_t> next_;
};

class Thread {
 public:
  Thread(const Arguments& arguments, int thread, Cache& cache, Reporter& reporter, Numbers& numbers)
      : thread_(thread),
        reporter_(reporter),
        numbers_(numbers),
        dice_(arguments.seed * 31 + static_cast<std::uint64_t>(thread)),
        range_(range_of(arguments.worker, thread)),
        own_(keys_of(range_)),
        shared_(shared_keys()),
        data_(cache.dataset(kDataset, options())) {}

  void run() {
    for (const std::string& key : own_) read(key);  // what this worker's earlier lives left
    while (!asked_to_end) step();
  }

 private:
  DatasetOptions<JsonText> options() {
    DatasetOptions<JsonText> options = dataset_options();
    options.refresh = [&reporter = reporter_, &numbers = numbers_](RefreshContext& context) {
      return answer(context, reporter, numbers);
    };
    return options;
  }
  static RefreshAnswer<std::string> answer(RefreshContext& context, Reporter& reporter,
                                           Numbers& numbers) {
    const std::uint64_t number = numbers.next();
    const Version base = context.previous() ? context.previous()->version : Version{};
    if (context.previous() && number % 4 == 0) {
      reporter.tell({{Event::Kind::confirmed, context.key(), number, base}});
      return NotModified{};
    }
    if (number % 5 == 0) throw std::runtime_error("the source is away");
    reporter.tell({{Event::Kind::refreshed, context.key(), number, base}});
    return make_document(context.key(), number);
  }

  void tell(std::vector<Event> events) const {
    for (Event& event : events) event.thread = thread_;
    reporter_.tell(events);
  }

  void step() {
    const std::string key = dice_.percent(20) ? any(shared_) : any(own_);
    const std::uint64_t kind = dice_.below(100);
    if (kind < 40) return put(key);
    if (kind < 48) return put_many();
    if (kind < 60) return erase(key);
    if (kind < 62) return erase_matching();
    if (kind < 66) return invalidate(key);
    if (kind < 72) return refresh(key);
    read(key);
  }
  const std::string& any(const std::vector<std::string>& keys) {
    return keys[dice_.below(keys.size())];
  }

  // Tells of an attempt, makes it, tells what came of it.
  void attempt(const std::vector<Event>& begun,
               const std::function<std::vector<PutReceipt>()>& write) {
    tell(begun);
    std::vector<Event> ended = begun;
    try {
      const std::vector<PutReceipt> receipts = write();
      for (std::size_t i = 0; i < ended.size(); ++i) {
        const PutReceipt& receipt = receipts[receipts.size() == 1 ? 0 : i];
        ended[i].kind = receipt.journaled ? Event::Kind::acknowledged : Event::Kind::astray;
        ended[i].version = receipt.version;
      }
    } catch (const NotDurable& error) {
      const bool nowhere = error.state() == NotDurable::State::not_applied && ended.size() == 1;
      for (Event& event : ended) {
        event.kind = nowhere ? Event::Kind::refused : Event::Kind::astray;
      }
    }
    tell(std::move(ended));
  }

  void put(const std::string& key) {
    const std::uint64_t number = numbers_.next();
    attempt({{Event::Kind::put, key, number, {}}},
            [&] { return std::vector{data_.put(key, make_document(key, number))}; });
  }

  void put_many() {
    std::vector<Event> begun;
    std::vector<std::pair<std::string, std::string>> values;
    for (std::uint64_t left = 2 + dice_.below(4); left > 0; --left) {
      const std::string& key = any(own_);
      const std::uint64_t number = numbers_.next();
      begun.push_back({Event::Kind::put, key, number, {}});
      values.emplace_back(key, make_document(key, number));
    }
    attempt(begun, [&] { return data_.put_many(values); });
  }

  void erase(const std::string& key) {
    attempt({{Event::Kind::erase, key, numbers_.next(), {}}},
            [&] { return std::vector{data_.erase(key)}; });
  }

  void erase_matching() {
    std::vector<Event> begun;
    const std::uint64_t number = numbers_.next();
    for (const std::string& key : own_) begun.push_back({Event::Kind::erase_many, key, number, {}});
    attempt(begun, [&] { return std::vector{data_.erase_matching(range_ + ":*")}; });
  }

  void invalidate(const std::string& key) {
    try {
      const PutReceipt receipt = data_.invalidate(key);
      if (receipt.journaled) {
        tell({{Event::Kind::invalidated, key, 0, receipt.version}});
      }
    } catch (const NotDurable&) {
    }
  }

  void refresh(const std::string& key) {
    const auto snapshot = data_.refresh(key, std::chrono::seconds(5));
    tell_read(key, snapshot);
  }

  void read(const std::string& key) {
    static constexpr Reach kReaches[] = {Reach::local, Reach::store, Reach::source};
    const Reach reach = kReaches[dice_.below(3)];
    tell_read(key, data_.get(key, {.deadline = std::chrono::milliseconds(500), .reach = reach}));
  }

  void tell_read(const std::string& key, const Snapshot<JsonText>& snapshot) {
    Event event{Event::Kind::read_nothing, key, 0, snapshot.version()};
    if (snapshot) {
      const auto number = read_document(key, *snapshot);
      event.kind = number ? Event::Kind::read : Event::Kind::wrong;
      event.number = number.value_or(0);
      event.fresh = snapshot.freshness() == Freshness::fresh;
    }
    tell({event});
  }

  const int thread_;
  Reporter& reporter_;
  Numbers& numbers_;
  Dice dice_;
  const std::string range_;
  const std::vector<std::string> own_;
  const std::vector<std::string> shared_;
  Dataset<JsonText> data_;
};

int run(const Arguments& arguments) {
  Reporter reporter(arguments.pipe);
  Numbers numbers(arguments.life);
  const auto disk = std::make_shared<FailingSyncs>(kFailingSyncs, arguments.seed);
  std::vector<std::unique_ptr<Cache>> caches;
  for (int i = 0; i < (arguments.soak ? kThreads : 1); ++i) {
    CacheOptions options = cache_options(arguments.directory, sqlite::open(arguments.store));
    if (arguments.soak) options.ports.file_system = disk;
    caches.push_back(std::make_unique<Cache>(std::move(options)));
  }
  disk->start();
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    Cache& cache = *caches[static_cast<std::size_t>(i) % caches.size()];
    threads.emplace_back([&, i] { Thread(arguments, i, cache, reporter, numbers).run(); });
  }
  for (std::thread& thread : threads) thread.join();
  std::uint64_t dropped = 0;
  for (const auto& cache : caches) dropped += cache->close(std::chrono::seconds(2)).dropped;
  return dropped == 0 ? 0 : 4;
}

bool parse(int count, char** values, Arguments* out) {
  if (count != 8) return false;
  *out = {.directory = values[1],
          .store = values[2],
          .worker = std::atoi(values[3]),
          .life = std::strtoull(values[4], nullptr, 10),
          .seed = std::strtoull(values[5], nullptr, 10),
          .pipe = std::atoi(values[6]),
          .soak = std::atoi(values[7]) != 0};
  return true;
}

}  // namespace
}  // namespace tiercache::testing

int main(int count, char** values) {
  tiercache::testing::Arguments arguments;
  if (!tiercache::testing::parse(count, values, &arguments)) return 2;
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGTERM, [](int) { tiercache::testing::asked_to_end = true; });
  try {
    return tiercache::testing::run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "crash worker %d: %s\n", arguments.worker, error.what());
    return 1;
  }
}
