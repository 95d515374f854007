// Processes that come and go: they open, flush, close, are killed, lose power.
#include <algorithm>

#include "simulation/simulation.h"

namespace tiercache::testing {

void Simulation::open(Process& process) {
  machine_.open(process, [this](CacheOptions& options) {
    options.memory.max_bytes = 24'000;
    options.journal.segment_bytes = traits_.small_journal ? 8'192 : 16'384;
    options.journal.max_bytes = traits_.small_journal ? 24'576 : 1 << 20;
    options.store_calls.batch_items = 7;
    if (traits_.few_files) options.files.max_entries = 4;
  });
  // An entry of a clock that was ahead counts as due, and is served all the same.
  const auto stale_for = std::chrono::hours(traits_.clock_jumps ? 24 * 365 : 0);
  process.data.emplace(process.cache->dataset(
      "d", {.keyed = true,
            .fresh_for = std::chrono::hours(24 * 365),
            .stale_for = stale_for,
            .hydrate = pick(2) == 0 ? Hydrate::none() : Hydrate::all(),
            .refresh = [this](RefreshContext& context) { return fetch(context); }}));
  oracle_.opened(process.number,
                 beside_others(process) ? Oracle::Beside::others : Oracle::Beside::nobody);
  process.adopts_by.reset();
}

bool Simulation::beside_others(const Process& process) const {
  return std::ranges::any_of(processes_, [&](const Process& other) {
    return other.number != process.number && other.lives();
  });
}

// Those that live on find its journal and take what it has.
void Simulation::ended(Process& process) {
  oracle_.died(process.number);
  for (Process& other : processes_) {
    if (other.lives()) learns_by(other, 30s);
  }
}

void Simulation::learns_by(Process& process, std::chrono::nanoseconds time) {
  const SteadyTime by = machine_.clock->steady_now() + time;
  process.adopts_by = std::max(process.adopts_by.value_or(by), by);
}

void Simulation::crash(Process& process) {
  end_disk_spell();
  if (pick(2) == 0) {
    trace({}, "kill of " + std::to_string(process.number));
    ++totals_.kills;
    machine_.kill(process);
    ended(process);
  } else {
    trace({}, "power loss");
    ++totals_.power_losses;
    machine_.lose_power(processes_, random_());
    for (Process& one : processes_) ended(one);
  }
  if (!beside_others(process) || pick(2) == 0) open(process);
}

void Simulation::restart(Process& process) {
  ++totals_.restarts;
  trace({}, "restart of " + std::to_string(process.number));
  end_disk_spell();
  const bool adopted_all = !process.adopts_by.has_value();
  const CloseReceipt receipt = process.cache->close(std::chrono::seconds(pick(3)));
  if (receipt.dropped != 0) fail("close dropped writes");
  machine_.forget(process);
  ended(process);
  // An ephemeral disk may go only when the receipt says that nothing would be lost.
  if (receipt.left_in_outbox == 0 && receipt.parked == 0 && adopted_all &&
      !beside_others(process) && pick(2) == 0) {
    ++totals_.wipes;
    store_mode_ = StoreMode::up;
    machine_.wipe();
    oracle_.wiped();
    trace({}, "wiped");
  }
  open(process);
}

void Simulation::another_process() {
  for (Process& process : processes_) {
    if (process.lives()) continue;
    end_disk_spell();
    ++totals_.siblings;
    open(process);
    return trace({}, "opened " + std::to_string(process.number));
  }
}

// What it has written is in the files by then, so the others serve it once they trust their memory
// no longer (I10).
void Simulation::flush(Process& process) {
  end_disk_spell();
  const std::uint64_t then = oracle_.now();  // more may come while it waits
  if (!process.cache->flush(5s)) return;
  trace({}, "flush of " + std::to_string(process.number));
  oracle_.filed(process.number, then);
  for (Process& other : processes_) {
    if (other.lives() && other.number != process.number) learns_by(other, 6min);
  }
}

}  // namespace tiercache::testing
