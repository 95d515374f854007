#include "simulation/machine.h"

#include <algorithm>
#include <utility>

namespace tiercache::testing {

// --- One process's tasks ---

Executor::Task ProcessExecutor::boxed(Task task) {
  auto box = std::make_shared<Task>(std::move(task));
  if (boxes_.size() == boxes_.capacity()) {
    std::erase_if(boxes_, [](const std::weak_ptr<Task>& one) { return one.expired(); });
  }
  boxes_.push_back(box);
  return [box] {
    if (*box) std::exchange(*box, nullptr)();
  };
}

void ProcessExecutor::post(Lane lane, Task task) {
  if (!ended_) shared_->post(lane, boxed(std::move(task)));
}

Executor::TimerId ProcessExecutor::schedule(SteadyTime when, Lane lane, Task task) {
  return ended_ ? 0 : shared_->schedule(when, lane, boxed(std::move(task)));
}

// Destroying a task may run code that posts or cancels.
int ProcessExecutor::shutdown(SteadyTime) {
  ended_ = true;
  for (const std::weak_ptr<Task>& one : std::exchange(boxes_, {})) {
    if (const auto box = one.lock()) std::exchange(*box, nullptr);
  }
  return 0;
}

// --- The machine ---

Machine::Machine(std::uint64_t seed)
    : executor(std::make_shared<SeededExecutor>(clock, seed)), seed_(seed << 20) {
  store->set_limits({});
}

Machine::~Machine() {
  executor->shutdown(clock->steady_now());
}

void Machine::open(Process& process, const std::function<void(CacheOptions&)>& adjust) {
  clock->advance(10ms);
  ++process.life;
  process.executor = std::make_shared<ProcessExecutor>(executor);
  process.files = disk.boot();
  CacheOptions options;
  options.project = "test";
  options.directory = "/cache";
  options.store = store;
  options.ports = {.clock = clock, .executor = process.executor, .file_system = process.files};
  options.seed = ++seed_;
  adjust(options);
  process.cache = std::make_unique<Cache>(std::move(options));
}

void Machine::kill(Process& process) {
  disk.kill(*process.files);
  forget(process);
}

void Machine::lose_power(std::vector<Process>& processes, std::uint64_t seed) {
  disk.power_loss(seed);
  for (Process& process : processes) {
    if (process.lives()) forget(process);
  }
}

void Machine::forget(Process& process) {
  ++process.life;
  process.executor->shutdown(clock->steady_now());
  process.data.reset();
  process.cache.reset();
}

Version Machine::write_elsewhere(const EntryId& id, const std::optional<std::string>& text,
                                 std::chrono::milliseconds skew, const Clocks& clocks) {
  Entry entry;
  const EntryPtr row = store->row("test", id);
  const auto stamp = (store_clock->wall_now() + skew).time_since_epoch().count();
  entry.version.time = std::max(static_cast<std::uint64_t>(stamp) << Version::kCounterBits,
                                row ? row->version.time + 1 : 0);
  entry.version.writer = 7;
  entry.clocks = clocks;
  if (row) entry.clocks.merge(row->clocks);
  if (text) {
    entry.document = std::make_shared<const std::string>(*text);
    entry.checksum = Checksum::of(*text);
  } else {
    entry.kind = EntryKind::tombstone;
  }
  const Version version = entry.version;
  store->put_row("test", id, std::move(entry));
  return version;
}

}  // namespace tiercache::testing
