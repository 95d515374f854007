// What a machine depends on and cannot choose: store, disk, time of day, other machines.
#include <algorithm>
#include <cerrno>

#include "simulation/simulation.h"

namespace tiercache::testing {

// --- Store ---

void Simulation::change_store() {
  store_mode_ = static_cast<StoreMode>(pick(4));
}

StoreFault Simulation::store_fault(const std::string& operation) {
  if (erases_held_ && operation == "erase_matching") return StoreFault::unavailable;
  switch (store_mode_) {
    case StoreMode::up:
      return StoreFault::none;
    case StoreMode::down:
      return StoreFault::unavailable;
    case StoreMode::random:
      return static_cast<StoreFault>(pick(4));
    case StoreMode::flaky:
      break;
  }
  return pick(3) == 0 ? StoreFault::unavailable : StoreFault::none;
}

// --- Disk ---

void Simulation::begin_disk_spell() {
  disk_mode_ = static_cast<DiskMode>(1 + pick(5));
  disk_error_ = pick(2) == 0 ? EIO : ENOSPC;
  disk_fails_until_ = step_ + 1 + static_cast<int>(pick(20));
  ++totals_.disk_spells;
  oracle_.disk_failed();
  trace({}, "disk fails");
  machine_.disk.set_fault(
      [this](const std::string& operation, const std::string&) { return disk_fault(operation); });
}

int Simulation::disk_fault(const std::string& operation) {
  const bool reads = operation == "read_at" || operation == "read_file" || operation == "list" ||
                     operation == "info" || operation == "size";
  const bool syncs = operation.starts_with("sync_");
  const bool names = operation == "rename" || operation == "exchange";
  const bool writes =
      operation == "write_at" || operation == "write_file" || operation == "truncate";
  bool fails = false;
  switch (disk_mode_) {
    case DiskMode::works:
      break;
    case DiskMode::flaky:
      fails = !reads && pick(5) == 0;
      break;
    case DiskMode::no_changes:
      fails = !reads;
      break;
    case DiskMode::no_writes:
      fails = writes;
      break;
    case DiskMode::no_syncs:
      fails = syncs;
      break;
    case DiskMode::no_names:
      fails = names;
      break;
  }
  return fails ? disk_error_ : 0;
}

void Simulation::end_disk_spell() {
  if (disk_mode_ == DiskMode::works) return;
  disk_mode_ = DiskMode::works;
  machine_.disk.set_fault({});
  oracle_.disk_failed();
  trace({}, "disk works");
  for (Process& process : processes_) {
    if (process.adopts_by) learns_by(process, 30s);
  }
}

// All works by itself once the disk does.
void Simulation::expect_recovery() {
  ++totals_.recoveries;
  for (Process& process : processes_) {
    if (!process.lives()) continue;
    machine_.executor->run_for(1min);
    if (!put(process, key()) && !traits_.small_journal) fail("the disk works, and takes no write");
    if (traits_.small_journal) continue;
    const bool works = machine_.executor->run_until([&] {
      const Health health = process.cache->health();
      return health.journal.working && health.files.working;
    });
    const Health health = process.cache->health();
    if (!works) return fail("the disk works again: " + health.journal.why + health.files.why);
  }
}

// --- Time of day ---

void Simulation::jump_clock() {
  if (clock_ahead_) return set_clock_right();
  constexpr std::chrono::milliseconds kJumps[] = {30s, 20min, 24h};
  // What a process stamps more than an hour ahead another one takes for damage.
  const auto ahead = kJumps[pick(traits_.siblings ? 2 : 3)];
  machine_.clock->set_wall(machine_.store_clock->wall_now() + ahead);
  clock_ahead_ = true;
  clock_ahead_until_ = step_ + 1 + static_cast<int>(pick(30));
  ++totals_.clock_jumps;
  trace({}, "clock ahead");
}

void Simulation::set_clock_right() {
  machine_.clock->set_wall(machine_.store_clock->wall_now());
  clock_ahead_ = false;
  trace({}, "clock right");
}

// --- Another machine ---

void Simulation::write_elsewhere(const std::string& k) {
  ++totals_.elsewhere;
  const WallTime now = machine_.store_clock->wall_now();
  Clocks clocks;
  clocks.last_fetch = now - std::chrono::seconds(pick(3'600));
  if (pick(2) == 0) clocks.last_rich_fetch = now - std::chrono::seconds(pick(3'600));
  // A matching erase leaves nothing in the store by which a write that is older and comes later
  // could be told where there was no row; so none is.
  const auto erased = oracle_.newest_matching_erase(k).stamped_at() + 1ms - now.time_since_epoch();
  const auto skew =
      std::max<std::chrono::milliseconds>(std::chrono::milliseconds(pick(100'000)) - 50s, erased);
  std::optional<std::string> document;
  if (pick(5) != 0) document = new_document(k);
  const Version version = machine_.write_elsewhere({"d", k}, document, skew, clocks);
  oracle_.wrote_elsewhere(k, version, document);
  trace(k, (document ? "put elsewhere " : "erased elsewhere ") + version.to_string());
}

}  // namespace tiercache::testing
