#include "history/worker.h"

#include <cstdio>
#include <thread>
#include <vector>

#include "history/heartbeat.h"
#include "history/record.h"
#include "history/setup.h"
#include "lib/skewed_clock.h"
#include "oracle/dice.h"
#include "oracle/document.h"
#include "tiercache/sqlite.h"

namespace tiercache::testing {
namespace {

std::int64_t now() {
  return system_clock()->steady_now().time_since_epoch().count();
}

class Thread {
 public:
  Thread(const WorkerStart& start, int thread, Cache& cache)
      : log_(log_of(start.root, start.process, thread)),
        dice_(start.seed * 1'000'003 + start.process * 101 + static_cast<std::uint64_t>(thread)),
        who_(start.process * kThreads + static_cast<std::uint64_t>(thread) + 1),
        operations_(start.operations / kThreads),
        data_(cache.dataset(kDataset, dataset_options())) {
    call_.process = static_cast<std::uint8_t>(start.process);
    call_.thread = static_cast<std::uint8_t>(thread);
  }

  void run() {
    for (std::uint64_t i = 0; i < operations_; ++i) step();
  }

 private:
  void step() {
    call_.key = static_cast<std::uint8_t>(dice_.below(kKeys));
    const std::uint64_t kind = dice_.below(100);
    if (kind < 50) return read();
    if (is_counter(call_.key)) return increment();
    if (is_erasable(call_.key) && kind < 53) return erase_all();
    if (is_erasable(call_.key) && kind < 70) {
      return write(Call::Kind::erase, 0,
                   [this] { return data_.erase(name(), {.deadline = kPutDeadline}); });
    }
    const std::uint64_t number = (++puts_ << kWhoBits) + who_;
    write(Call::Kind::put, number, [&] {
      return data_.put(name(), make_document(name(), number), {.deadline = kPutDeadline});
    });
  }

  void read() {
    static constexpr Reach kReaches[] = {Reach::local, Reach::local, Reach::local, Reach::store};
    look(kReaches[dice_.below(4)]);
  }

  // The count as far as this process can see it, plus one, unless another one came first.
  void increment() {
    look(Reach::local);
    if (call_.kind == Call::Kind::wrong) return;
    const Version seen = call_.version();
    const std::uint64_t count = call_.kind == Call::Kind::read ? count_of(call_.number) : 0;
    const std::uint64_t number = ((count + 1) << kWhoBits) + who_;
    write(Call::Kind::increment, number, [&] {
      return data_.put(name(), make_document(name(), number),
                       {.deadline = kPutDeadline, .if_version = seen});
    });
  }

  void look(Reach reach) {
    call_.began = now();
    const auto snapshot = data_.get(name(), {.deadline = std::chrono::seconds(10), .reach = reach});
    call_.ended = now();
    call_.kind = Call::Kind::read_nothing;
    call_.number = 0;
    call_.set_version(snapshot.version());
    if (snapshot) {
      const auto number = read_document(name(), *snapshot);
      call_.kind = number ? Call::Kind::read : Call::Kind::wrong;
      call_.number = number.value_or(0);
    }
    log_.add(call_);
  }

  // One call, which is a write of each key that it is for.
  void erase_all() {
    write(Call::Kind::erase, 0,
          [this] { return data_.erase_matching(kErasablesGlob, {.deadline = kPutDeadline}); });
    const Call erased = call_;
    for (call_.key = 0; call_.key < kKeys; ++call_.key) {
      if (is_erasable(call_.key) && call_.key != erased.key) log_.add(call_);
    }
    call_.key = erased.key;
  }

  template <class Write>
  void write(Call::Kind kind, std::uint64_t number, const Write& write) {
    call_.number = number;
    call_.wanted = kind;
    call_.set_version({});
    call_.began = now();
    try {
      const PutReceipt receipt = write();
      call_.kind = receipt.superseded ? Call::Kind::conflict : kind;
      call_.set_version(receipt.version);
    } catch (const VersionConflict&) {
      call_.kind = Call::Kind::conflict;
    } catch (const NotDurable& error) {
      const bool in_doubt = error.state() == NotDurable::State::unknown;
      call_.kind = in_doubt ? Call::Kind::in_doubt : Call::Kind::refused;
    } catch (const Error& error) {
      std::printf("a write failed: %s\n", error.what());
      call_.kind = Call::Kind::failed;
    }
    call_.ended = now();
    log_.add(call_);
  }

  std::string name() const { return name_of(call_.key); }

  CallLog log_;
  Dice dice_;
  const std::uint64_t who_;
  const std::uint64_t operations_;
  std::uint64_t puts_ = 0;
  Call call_;
  Dataset<JsonText> data_;
};

}  // namespace

std::filesystem::path log_of(const std::filesystem::path& root, std::uint64_t process, int thread) {
  return root / ("calls-" + std::to_string(process) + "-" + std::to_string(thread));
}

std::filesystem::path beats_of(const std::filesystem::path& root, std::uint64_t process) {
  return root / ("beats-" + std::to_string(process));
}

std::filesystem::path directory_of(const std::filesystem::path& root) {
  return root / "cache";
}

std::filesystem::path store_of(const std::filesystem::path& root) {
  return root / "store.db";
}

namespace {

// Beside a heartbeat, whose times are written down for the checker.
void make_calls(const WorkerStart& start, Cache& cache) {
  const std::string path = beats_of(start.root, start.process).string();
  std::vector<std::int64_t> beats;
  {
    const Heartbeat heartbeat(beat_on(start.disk, path + "-file"), &beats);
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] { Thread(start, i, cache).run(); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  write_beats(path, beats);
}

}  // namespace

int work(const WorkerStart& start) {
  Cache cache(cache_options(directory_of(start.root).string(),
                            sqlite::open(store_of(start.root).string()),
                            std::make_shared<SkewedClock>(start.skew), start.disk));
  make_calls(start, cache);
  const bool flushed = cache.flush(std::chrono::minutes(2));
  const CloseReceipt receipt = cache.close(std::chrono::minutes(1));
  if (flushed && receipt.left_in_outbox == 0 && receipt.dropped == 0) return 0;
  std::printf("process %llu could not send all: %s\n",
              static_cast<unsigned long long>(start.process), receipt.to_string().c_str());
  return 1;
}

}  // namespace tiercache::testing
