// One seed's run: processes on one directory and one store, to which everything happens that the
// seed decides. What was promised is compared after every read and at the end.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "simulation/machine.h"
#include "simulation/oracle.h"
#include "simulation/totals.h"

namespace tiercache::testing {

// Keys: a:0 to a:5 are also written by another machine and erased by pattern; a:6 to a:8 by the
// other machine alone; b:0 to b:5 belong to this machine, and compare-and-set is tried on them; the
// store loses the rows of c:0 and c:1.
class Simulation {
 public:
  Simulation(std::uint64_t seed, Totals& totals, std::string traced);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  // Nullopt, or the promise that broke.
  std::optional<std::string> run(int steps);

 private:
  // What may happen to this seed's machine, so that some seeds are about few things.
  struct Traits {
    bool siblings = false;       // a second process on the directory
    bool elsewhere = false;      // another machine with the same store
    bool clock_jumps = false;    // the time of day jumps ahead and comes back
    bool small_journal = false;  // large documents and a journal for few of them
    bool few_files = false;      // entries are evicted
  };
  enum class StoreMode : std::uint8_t { up, down, random, flaky };
  enum class DiskMode : std::uint8_t { works, flaky, no_changes, no_writes, no_syncs, no_names };

  // --- simulation.cc ---
  void trace_everything();
  void one_step();
  void end_what_is_over();
  void something_special(Process& process);
  RefreshAnswer<std::string> fetch(RefreshContext& context);
  std::string new_document(const std::string& key);
  std::string key() { return (pick(2) == 0 ? "a:" : "b:") + std::to_string(pick(6)); }
  std::uint64_t pick(std::uint64_t bound) { return random_() % bound; }
  Process& someone();
  // Tells what happened to the key named by --trace, or to all.
  void trace(const std::string& k, const std::string& what) const;
  void fail(const std::string& what);

  // --- reads.cc ---
  void read(Process& process, const std::string& k, Reach reach);
  void read_async(Process& process);
  void read_many(Process& process);
  void refresh(Process& process, const std::string& k);
  void judge_read(Process& process, const std::string& k, const Snapshot<JsonText>& snapshot,
                  Version floor);
  void note_adoption(Process& process);
  Version floor_of(Process& process, const std::string& k);

  // --- writes.cc ---
  // What became of a put: nothing where it was refused or is in doubt.
  std::optional<PutReceipt> put(Process& process, const std::string& k,
                                const PutOptions& options = {});
  void put_async(Process& process);
  void put_many(Process& process);
  void put_in_store(Process& process);
  void compare_and_set(Process& process);
  void erase(Process& process);
  // Its version; none where it was not acknowledged.
  std::optional<Version> erase_matching(Process& process);
  void invalidate(Process& process, const std::string& k);
  void not_durable(const std::string& k, const std::string& document, const NotDurable& error);
  void acknowledged(const Process& process, const std::string& k, const Begun& begun,
                    const PutReceipt& receipt, const PutOptions& options);
  void check_clocks(Process& process, const std::string& k, const std::optional<EntryInfo>& before,
                    const PutReceipt& receipt);
  std::string new_metadata(const std::string& k);

  // --- processes.cc ---
  void open(Process& process);
  void crash(Process& process);
  void restart(Process& process);
  void another_process();
  void ended(Process& process);
  void learns_by(Process& process, std::chrono::nanoseconds time);
  void flush(Process& process);
  bool beside_others(const Process& process) const;

  // --- surroundings.cc ---
  StoreFault store_fault(const std::string& operation);
  int disk_fault(const std::string& operation);
  void change_store();
  void begin_disk_spell();
  void end_disk_spell();
  void expect_recovery();
  void jump_clock();
  void set_clock_right();
  void write_elsewhere(const std::string& k);

  // --- scenarios.cc ---
  void hold_back_erase(Process& process);
  void put_row_between(const std::string& k, Version done, Version erased);
  void fill_journal(Process& process);
  void invalidate_what_a_clock_ahead_fetched(Process& process);
  void lose_row(Process& process);

  // --- settling.cc ---
  void settle();
  void drain();
  void expect_nothing_left(Process& process);
  void compare_with_store(Process& process);
  void compare_key(Process& process, const std::string& k);
  void expect_all_works(Process& process);
  void open_again();

  Totals& totals_;
  const std::string traced_;
  std::mt19937_64 random_;
  Machine machine_;
  Traits traits_;
  Oracle oracle_;
  std::vector<Process> processes_;
  std::optional<std::string> broken_;
  std::uint64_t counter_ = 0;
  int step_ = 0;

  StoreMode store_mode_ = StoreMode::up;
  bool erases_held_ = false;  // the store takes everything but matching erases
  int erases_held_until_ = 0;
  DiskMode disk_mode_ = DiskMode::works;
  int disk_error_ = 0;
  int disk_fails_until_ = 0;
  int clock_ahead_until_ = 0;
  bool clock_ahead_ = false;
  bool nothing_new_ = false;  // the source has nothing newer, whoever asks
  std::map<std::string, Version> last_seen_;
};

}  // namespace tiercache::testing
