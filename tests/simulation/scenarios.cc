// Turns of events that chance alone would bring too seldom.
#include "simulation/simulation.h"

namespace tiercache::testing {

// The store takes everything but matching erases, for a while. Rows that no file here is of, older
// than the erase, must not be served; later ones must not be lost.
void Simulation::hold_back_erase(Process& process) {
  store_mode_ = StoreMode::up;
  erases_held_ = true;
  erases_held_until_ = step_ + 1 + static_cast<int>(pick(25));
  // What came to the store below an erase that it has already done would stay there.
  const Version done = oracle_.newest_matching_erase("a:0");
  const std::optional<Version> erased = erase_matching(process);
  if (!erased) return;
  ++totals_.held_erases;
  for (int i = 0; i < 9; ++i) {
    const std::string k = "a:" + std::to_string(i);
    if (pick(2) == 0) put_row_between(k, done, *erased);
    if (pick(6) == 0) {
      write_elsewhere(k);
      ++totals_.above_erases;
    }
  }
  for (int i = 0; i < 4; ++i) {
    read(process, "a:" + std::to_string(3 + pick(6)), pick(2) == 0 ? Reach::store : Reach::source);
    machine_.executor->run_for(std::chrono::milliseconds(pick(2'000)));
  }
}

// As another machine had written it before the erase. The erase has not come to the store, so a row
// that is there and older gives way.
void Simulation::put_row_between(const std::string& k, Version done, Version erased) {
  const EntryPtr row = machine_.store->row("test", {"d", k});
  if (row && row->version.time + 1 >= erased.time) return;
  const auto below = erased.stamped_at() - std::chrono::milliseconds(1 + pick(60'000));
  const auto stamped_at = std::max(below, done.stamped_at() + 1ms);
  if (stamped_at >= erased.stamped_at()) return;
  const auto skew = stamped_at - machine_.store_clock->wall_now().time_since_epoch();
  const std::string document = new_document(k);
  Clocks clocks;
  clocks.last_fetch = clocks.last_rich_fetch = machine_.store_clock->wall_now() - 1min;
  const Version version = machine_.write_elsewhere({"d", k}, document, skew, clocks);
  oracle_.wrote_elsewhere(k, version, document);
  ++totals_.below_erases;
  trace(k, "put elsewhere " + version.to_string() + ", below the erase");
}

// The store is away until nothing more can be acknowledged; then all works again.
void Simulation::fill_journal(Process& process) {
  end_disk_spell();
  store_mode_ = StoreMode::down;
  std::string refused;
  for (int i = 0; i < 60 && refused.empty() && !broken_; ++i) {
    const std::string k = "b:" + std::to_string(pick(6));
    const std::uint64_t before = totals_.full_journals;
    put(process, pick(2) == 0 ? k : key());
    if (totals_.full_journals != before) refused = k;
  }
  if (refused.empty() || pick(2) == 0) return;
  store_mode_ = StoreMode::up;
  erases_held_ = false;
  if (!process.cache->flush(5min)) {
    return fail("the store is back, and the journal does not empty: " +
                std::to_string(process.cache->stats().outbox_depth) + " writes wait, " +
                std::to_string(process.cache->stats().files_waiting) + " files");
  }
  const Version floor = floor_of(process, refused);
  const auto snapshot = process.data->get(refused, {.reach = Reach::local});
  judge_read(process, refused, snapshot, floor);
  if (!put(process, refused, {.if_version = snapshot.version()}) && !beside_others(process)) {
    fail("key " + refused +
         ": the store is back, and a compare-and-set with the right version fails");
  }
}

// The source has nothing newer, so a clock moves that is ahead, and no version with it.
void Simulation::invalidate_what_a_clock_ahead_fetched(Process& process) {
  if (clock_ahead_) set_clock_right();
  const std::string k = key();
  machine_.clock->set_wall(machine_.store_clock->wall_now() + 30s);
  nothing_new_ = true;
  refresh(process, k);
  nothing_new_ = false;
  set_clock_right();
  const auto before = process.data->info(k);
  if (before && before->last_fetch > machine_.clock->wall_now()) ++totals_.invalidated_ahead;
  invalidate(process, k);
}

// The store has lost what it had confirmed. The source brings the same document, and it goes there
// again.
void Simulation::lose_row(Process& process) {
  const std::string k = "c:" + std::to_string(pick(2));
  if (!process.data->get(k, {.reach = Reach::local}).has_value()) put(process, k);
  if (pick(2) == 0) flush(process);
  if (!machine_.store->row("test", {"d", k})) return;
  oracle_.lost_in_store(k);
  machine_.store->drop_row("test", {"d", k});
  ++totals_.lost_rows;
  trace(k, "lost by the store");
  refresh(process, k);
}

}  // namespace tiercache::testing
