// How this simulation reads, and what it makes of the answers.
#include <utility>

#include "simulation/simulation.h"

namespace tiercache::testing {

// What a dead process left has come to this one, if it had the time.
void Simulation::note_adoption(Process& process) {
  if (process.adopts_by && machine_.clock->steady_now() >= *process.adopts_by &&
      disk_mode_ == DiskMode::works) {
    process.adopts_by.reset();
    totals_.adopted += oracle_.adopted(process.number);
    trace({}, "adopted by " + std::to_string(process.number));
  }
}

Version Simulation::floor_of(Process& process, const std::string& k) {
  note_adoption(process);
  return oracle_.floor(process.number, k);
}

void Simulation::read(Process& process, const std::string& k, Reach reach) {
  const Version floor = floor_of(process, k);
  judge_read(process, k, process.data->get(k, {.reach = reach}), floor);
}

void Simulation::read_async(Process& process) {
  const std::string k = key();
  const Version floor = floor_of(process, k);
  process.data->get_async(
      k, {}, [this, &process, k, life = process.life, floor](Snapshot<JsonText> snapshot) {
        if (life == process.life) judge_read(process, k, snapshot, floor);
      });
}

void Simulation::read_many(Process& process) {
  std::vector<std::string> keys;
  std::vector<Version> floors;
  for (int i = 0; i < 9; ++i) {
    keys.push_back("a:" + std::to_string(i));
    floors.push_back(floor_of(process, keys.back()));
  }
  const auto snapshots =
      process.data->get_many(keys, {.reach = pick(2) == 0 ? Reach::local : Reach::source});
  ++totals_.batches;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    judge_read(process, keys[i], snapshots[i], floors[i]);
  }
}

void Simulation::refresh(Process& process, const std::string& k) {
  const Version floor = floor_of(process, k);
  judge_read(process, k, process.data->refresh(k, 3s), floor);
}

void Simulation::judge_read(Process& process, const std::string& k,
                            const Snapshot<JsonText>& snapshot, Version floor) {
  ++totals_.reads;
  trace(k, std::to_string(process.number) +
               (snapshot.has_value() ? " read " + snapshot.version().to_string() + " from " +
                                           std::string(to_string(snapshot.tier()))
                                     : " missed; " + snapshot.passage().to_string()));
  if (snapshot.has_value()) last_seen_[k] = snapshot.version();
  // A miss says nothing when the floor rose while the read was on its way.
  if (!snapshot.has_value() && oracle_.floor(process.number, k) != floor) return;
  if (const auto wrong = oracle_.check(process.number, k, snapshot, floor)) {
    fail("key " + k + ", process " + std::to_string(process.number) + ": " + *wrong);
  }
}

}  // namespace tiercache::testing
