// A cache at work on a disk in memory, decided by a seed, with an oracle beside it that knows what
// was acknowledged.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/cache/world.h"
#include "oracle/dice.h"
#include "oracle/key_history.h"
#include "tiercache/tiercache.h"

namespace tiercache::testing {

inline constexpr const char* kProject = "test";
inline constexpr const char* kDirectory = "/cache";

// What the oracle knows: a plain value, copied with every disk state that is taken.
using Histories = std::map<EntryId, KeyHistory>;

// The name under which the oracle's documents know their key.
std::string document_key(const EntryId& id);

// What does not hold, and where.
struct Violation {
  Verdict verdict;
  std::string where;
};

// How a seed's machine misbehaves.
enum class Disk : std::uint8_t {
  sound,
  lies,   // a sync fails, has dropped what it should have written, and the next one succeeds
  fails,  // any operation may fail
};

class Workload {
 public:
  explicit Workload(std::uint64_t seed);
  ~Workload();

  // One operation of the user, or of the world around.
  void step();

  World& world() { return world_; }
  const Histories& histories() const { return histories_; }
  const std::vector<EntryId>& ids() const { return ids_; }
  Disk disk() const { return disk_; }
  // What the running cache itself served or did against its promises.
  const std::vector<Violation>& violations() const { return violations_; }
  // Told of every step, for a person who replays.
  void on_step(std::function<void(const std::string&)> told) { told_ = std::move(told); }

 private:
  using Data = Dataset<JsonText>;

  void open();
  void open_once();
  CacheOptions adjusted(CacheOptions options) const;
  void break_disk();
  void repair_disk();

  void put();
  void put_many();
  void erase();
  void erase_matching();
  void invalidate();
  void refresh();
  void read();
  void pass_time();
  void move_store();
  void write_elsewhere();
  void flush();
  void reopen();
  void move_disk();

  // Runs a write; `done` tells the oracle. False when it was not acknowledged.
  bool attempt(const std::vector<EntryId>& ids, std::uint64_t number,
               const std::function<void()>& write);
  RefreshAnswer<std::string> answer(RefreshContext& context);
  void judge(const EntryId& id, const Snapshot<JsonText>& snapshot);
  KeyHistory& history(const EntryId& id) { return histories_.at(id); }
  EntryId any();
  Data& data(const EntryId& id) { return id.dataset == "live" ? *live_ : *plain_; }
  void tell(const std::string& text);

  World world_;
  Dice dice_;
  Dice fault_dice_;
  Disk disk_ = Disk::sound;
  bool broken_now_ = false;
  std::vector<EntryId> ids_;
  Histories histories_;
  std::unique_ptr<Cache> cache_;
  std::optional<Data> plain_;
  std::optional<Data> live_;
  std::uint64_t last_number_ = 0;
  std::uint64_t first_of_this_life_ = 0;
  std::set<std::uint64_t> refreshed_;  // numbers of documents that came from the source
  std::uint64_t segment_bytes_;
  std::uint64_t journal_bytes_;
  std::size_t memory_bytes_;
  std::chrono::milliseconds memory_ttl_;
  std::chrono::milliseconds sync_every_;
  std::vector<Violation> violations_;
  std::function<void(const std::string&)> told_;
};

}  // namespace tiercache::testing
