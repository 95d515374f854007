// What happened in all runs, so that a reader of the closing line sees that it did.
#pragma once

#include <cstdint>
#include <ostream>

namespace tiercache::testing {

struct Totals {
  std::uint64_t operations = 0, reads = 0;
  std::uint64_t kills = 0, power_losses = 0, restarts = 0, wipes = 0;
  std::uint64_t siblings = 0;   // processes that were opened beside another one
  std::uint64_t adopted = 0;    // keys whose newest write a living process had from a dead one
  std::uint64_t elsewhere = 0;  // writes and erases by another machine
  std::uint64_t held_erases = 0, below_erases = 0, above_erases = 0;
  std::uint64_t disk_spells = 0, recoveries = 0;
  std::uint64_t full_journals = 0;
  std::uint64_t clock_jumps = 0, invalidated_ahead = 0;
  std::uint64_t compared = 0, conflicts = 0, confirmed = 0, batches = 0, clocks_carried = 0;
  std::uint64_t lost_rows = 0;
  std::uint64_t opened_again = 0;  // directories whose entries were compared after a fresh open

  friend std::ostream& operator<<(std::ostream& out, const Totals& totals);
};

inline std::ostream& operator<<(std::ostream& out, const Totals& totals) {
  return out << totals.operations << " operations, " << totals.reads << " reads, " << totals.kills
             << " kills, " << totals.power_losses << " power losses, " << totals.restarts
             << " restarts, " << totals.wipes << " wiped directories, " << totals.siblings
             << " processes opened beside another, " << totals.adopted
             << " writes adopted from the dead, " << totals.elsewhere
             << " writes of another machine, " << totals.held_erases
             << " matching erases held back with " << totals.below_erases << " rows below and "
             << totals.above_erases << " above, " << totals.disk_spells
             << " spells of a failing disk, " << totals.recoveries << " recoveries watched, "
             << totals.full_journals << " writes refused by a full journal, " << totals.clock_jumps
             << " jumps of the clock, " << totals.invalidated_ahead
             << " fetches of a clock ahead invalidated, " << totals.compared
             << " compare-and-sets, " << totals.conflicts << " conflicts, " << totals.confirmed
             << " puts confirmed by the store, " << totals.batches << " batches, "
             << totals.clocks_carried << " rich clocks carried, " << totals.lost_rows
             << " rows lost by the store, " << totals.opened_again << " directories opened again";
}

}  // namespace tiercache::testing
