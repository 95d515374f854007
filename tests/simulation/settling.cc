// The end: everything works again, and then all that was ever promised must be so.
#include <map>
#include <optional>

#include "simulation/simulation.h"

namespace tiercache::testing {

void Simulation::settle() {
  end_disk_spell();
  if (clock_ahead_) set_clock_right();
  store_mode_ = StoreMode::up;
  erases_held_ = false;
  machine_.executor->run_for(10min);
  for (Process& process : processes_) {
    if (process.lives() && !put(process, key())) fail("all works again, and a put is refused");
  }
  drain();
  for (Process& process : processes_) {
    if (!process.lives() || broken_) continue;
    note_adoption(process);
    expect_nothing_left(process);
    compare_with_store(process);
  }
  for (Process& process : processes_) {
    if (process.lives() && !broken_) expect_all_works(process);
  }
  if (!broken_) open_again();
}

void Simulation::drain() {
  for (Process& process : processes_) {
    if (process.lives() && !process.cache->flush(10min)) {
      return fail("the outbox does not drain");
    }
  }
  // Longer than memory is trusted, so that each process knows what the other one has written.
  machine_.executor->run_for(6min);
}

void Simulation::expect_nothing_left(Process& process) {
  const Stats stats = process.cache->stats();
  const auto none = [&](const char* what, std::uint64_t count) {
    if (count != 0) fail("in the end there are " + std::to_string(count) + " " + what);
  };
  none("writes parked, though no store refused any", stats.outbox_parked);
  none("writes in the outbox", stats.outbox_depth);
  // Where a later content does not carry an invalidation, as of a process that had not heard of it
  // or that did not believe its time, no file covers it, and it stays until the next open.
  const bool carried = !traits_.clock_jumps && !traits_.siblings;
  if (carried) none("live records in the journal", stats.journal_live_records);
  none("bytes pinned in memory", stats.memory_bytes_pinned);
  none("keys that wait for their files", stats.files_waiting);
  constexpr std::uint64_t kMostSegments = 3;
  if (stats.journal_segments > kMostSegments) none("segments", stats.journal_segments);
  const Health health = process.cache->health();
  for (const TierHealth* tier :
       {&health.files, &health.journal, &health.store, &health.store_feed}) {
    if (!tier->working) fail("in the end not all works: " + tier->why);
  }
}

void Simulation::compare_with_store(Process& process) {
  for (const auto& [k, known] : oracle_.keys()) {
    if (!broken_) compare_key(process, k);
  }
}

// The store must hold exactly what readers are shown.
void Simulation::compare_key(Process& process, const std::string& k) {
  const Oracle::Key& known = oracle_.of(k);
  const auto snapshot = process.data->get(k, {.reach = Reach::store});
  judge_read(process, k, snapshot, oracle_.floor(process.number, k));
  const EntryPtr row = machine_.store->row("test", {"d", k});
  const std::string stored = row ? row->version.to_string() : "no row";
  if (known.dropped) return;
  if (row ? row->version < known.in_store : !known.in_store.is_zero()) {
    return fail("key " + k + ": the store has " + stored + ", had " + known.in_store.to_string());
  }
  const bool in_store = row && row->kind == EntryKind::document;
  // What the disk refused and the store took is not known here after a crash, until it is asked.
  if (known.store_only && row && row->version > snapshot.version()) return;
  // An erase by a clock that was ahead is in the journal until all is synced, and a power loss
  // brings it back; what was written below it since is of keys that nothing here told of.
  if (traits_.clock_jumps && row && row->version < known.matching_erase) return;
  if (snapshot.has_value() != in_store) {
    return fail("key " + k + ": " + (in_store ? "only" : "not") + " in the store, which has " +
                stored + ", not " + snapshot.version().to_string() + "; " +
                snapshot.passage().to_string());
  }
  if (in_store && (*row->document != *snapshot || row->version != snapshot.version() ||
                   row->metadata != snapshot.metadata())) {
    fail("key " + k + ": the store has another document, of " + stored + ", not " +
         snapshot.version().to_string() + "; " + snapshot.passage().to_string());
  }
}

// Nothing is refused for ever: each key takes a write that knows what it replaces, and the store is
// asked for what only it has.
void Simulation::expect_all_works(Process& process) {
  for (int i = 0; i < 6 && !broken_; ++i) {
    const std::string k = "b:" + std::to_string(i);
    bool taken = false;
    for (int tries = 0; tries < 3 && !taken; ++tries) {
      const auto snapshot = process.data->get(k, {.reach = Reach::local});
      taken = put(process, k, {.if_version = snapshot.version()}).has_value();
      if (!taken) machine_.executor->run_for(1s);  // another process may have written just before
    }
    if (!taken)
      fail("key " + k + ": a compare-and-set with the right version is refused in the end");
  }
  const std::string k = "e:" + std::to_string(process.number);
  const std::string document = new_document(k);
  Clocks clocks;
  clocks.last_fetch = machine_.store_clock->wall_now();
  oracle_.wrote_elsewhere(k, machine_.write_elsewhere({"d", k}, document, 0s, clocks), document);
  const auto snapshot = process.data->get(k, {.reach = Reach::store});
  if (!snapshot.has_value()) fail("the store is not asked: " + snapshot.passage().to_string());
}

// A fresh open of the directory, without the store, shows what was shown before.
void Simulation::open_again() {
  drain();
  std::map<std::string, std::optional<std::string>> shown;
  for (Process& process : processes_) {
    if (!process.lives()) continue;
    for (const auto& [k, known] : oracle_.keys()) {
      const auto snapshot = process.data->get(k, {.reach = Reach::local});
      shown[k] = snapshot.has_value() ? std::optional(*snapshot) : std::nullopt;
    }
    const CloseReceipt receipt = process.cache->close(1min);
    if (receipt.left_in_outbox != 0 || receipt.parked != 0 || !receipt.files_complete) {
      return fail("the last close left something: " + receipt.to_string());
    }
    machine_.forget(process);
    ended(process);
  }
  store_mode_ = StoreMode::down;
  ++totals_.opened_again;
  Process& process = processes_[0];
  open(process);
  for (const auto& [k, before] : shown) {
    const auto snapshot = process.data->get(k, {.reach = Reach::local});
    if (snapshot.has_value() != before.has_value() || (before && *before != *snapshot)) {
      return fail("key " + k + ": opened again, the directory shows something else: " +
                  snapshot.passage().to_string());
    }
  }
}

}  // namespace tiercache::testing
