// A machine on which several processes share one directory and one store, all in one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tiercache/testing/manual_clock.h"
#include "tiercache/testing/memory_file_system.h"
#include "tiercache/testing/memory_store.h"
#include "tiercache/testing/seeded_executor.h"
#include "tiercache/tiercache.h"

namespace tiercache::testing {

using namespace std::chrono_literals;

// One process's share of the executor that all run on, so that one can wait for what another does,
// and what a dead one had queued is never run.
class ProcessExecutor final : public Executor {
 public:
  explicit ProcessExecutor(std::shared_ptr<Executor> shared) : shared_(std::move(shared)) {}

  void post(Lane lane, Task task) override;
  TimerId schedule(SteadyTime when, Lane lane, Task task) override;
  bool cancel(TimerId timer) override { return shared_->cancel(timer); }
  std::shared_ptr<Event> make_event() override { return shared_->make_event(); }
  int shutdown(SteadyTime deadline) override;

 private:
  Task boxed(Task task);

  const std::shared_ptr<Executor> shared_;
  std::vector<std::weak_ptr<Task>> boxes_;  // what is queued; some have run
  bool ended_ = false;
};

// The store's own clock: it goes as fast as the machine's, and nobody sets it.
class StoreClock final : public Clock {
 public:
  explicit StoreClock(std::shared_ptr<ManualClock> machine)
      : machine_(std::move(machine)),
        offset_(machine_->wall_now().time_since_epoch() -
                machine_->steady_now().time_since_epoch()) {}

  WallTime wall_now() const override {
    return WallTime(std::chrono::floor<std::chrono::milliseconds>(
        machine_->steady_now().time_since_epoch() + offset_));
  }
  SteadyTime steady_now() const override { return machine_->steady_now(); }
  SteadyTime coarse_now() const override { return machine_->coarse_now(); }

 private:
  const std::shared_ptr<ManualClock> machine_;
  const std::chrono::nanoseconds offset_;
};

// A process with its cache; `life` counts its starts.
struct Process {
  std::size_t number = 0;
  int life = 0;
  std::shared_ptr<ProcessExecutor> executor = nullptr;
  std::shared_ptr<FileSystem> files = nullptr;
  std::unique_ptr<Cache> cache = nullptr;
  std::optional<Dataset<JsonText>> data = {};
  // Another one has died or flushed: by then this one has adopted its journal or looked at the
  // files again.
  std::optional<SteadyTime> adopts_by = {};

  bool lives() const { return cache != nullptr; }
};

class Machine {
 public:
  explicit Machine(std::uint64_t seed);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void open(Process& process, const std::function<void(CacheOptions&)>& adjust);
  // It dies at once: nothing is flushed, nothing more of it is run.
  void kill(Process& process);
  // The machine goes off, and all processes with it.
  void lose_power(std::vector<Process>& processes, std::uint64_t seed);
  // After a close.
  void forget(Process& process);
  // An ephemeral disk after a deploy: the directory is gone.
  void wipe() { disk.boot()->remove_tree("/cache"); }
  // Another machine's write, or its erase where there is no text, by a clock that is off by `skew`:
  // straight into the store, above whatever is there. Its version.
  Version write_elsewhere(const EntryId& id, const std::optional<std::string>& text,
                          std::chrono::milliseconds skew, const Clocks& clocks);

  const std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  const std::shared_ptr<StoreClock> store_clock = std::make_shared<StoreClock>(clock);
  const std::shared_ptr<SeededExecutor> executor;
  MemoryDisk disk;
  const std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>(store_clock);

 private:
  std::uint64_t seed_;
};

}  // namespace tiercache::testing
