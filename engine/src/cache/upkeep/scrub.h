// One run of `Cache::scrub`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cache/local/file_bounds.h"
#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "cache/store/purge_horizon.h"
#include "cache/store/store_calls.h"
#include "cache/store/store_identity.h"
#include "cache/writing/store_writer.h"
#include "files/entry_files.h"
#include "memory/memory_tier.h"
#include "tiercache/entry.h"
#include "tiercache/scrub.h"
#include "tiercache/store.h"
#include "tiercache/time.h"

namespace tiercache::detail {

// What a scrub compares, and mends with.
struct ScrubParts {
  Runtime& runtime;
  LocalTiers& local;
  FileWriter& file_writer;
  const FileBounds& bounds;
  StoreCalls& calls;
  StoreIdentity& identity;
  PurgeHorizon& horizon;
  StoreWriter& store_writer;
};

// Used by one thread.
class Scrub {
 public:
  Scrub(const ScrubParts& parts, ScrubOptions options);
  ScrubReport run();

 private:
  using Item = std::pair<std::string, IndexItem>;
  enum class Difference : std::uint8_t {
    none,
    store_ahead,
    store_behind,
    store_missing,
    store_corrupt,
    store_differs,
  };
  // A key that the store is asked about. `file`: what the directory has of it, null: nothing.
  struct Subject {
    EntryId id;
    EntryPtr file;
    Version known = {};    // by the index
    bool lost = false;     // there was a file
    bool corrupt = false;  // and it is counted
  };

  void run_dataset(const std::string& dataset);
  bool may_go_on();
  void stop(const std::string& why);
  void look_at_page(const std::string& dataset, std::span<const Item> items);
  // False: nothing to compare with the store.
  bool look_here(const EntryId& id, const IndexItem& item, Subject* subject);
  // The file may be missing because it was evicted, by whichever process: the store has the row.
  bool is_evicted(const Subject& subject, const EntryPtr& row) const;
  // Writes memory's entry in the place of a file that was corrupt. False: memory has none that is
  // new enough, or this scrub does not repair.
  bool write_from_memory(const EntryId& id, Version at_least);
  void look_into_memory(const EntryId& id, const Entry& file);
  bool memory_differs(const EntryId& id, const Entry& file) const;
  void compare(const std::vector<Subject>& subjects);
  Difference difference(const Subject& subject, const EntryPtr& row, bool corrupt) const;
  // Looks again, and counts and mends what is still so.
  void confirm(Subject subject);
  void mend(const Subject& subject, Difference difference, const EntryPtr& row);
  // What the store lacks was erased and purged there while this directory was away.
  bool drop_if_deleted(const EntryId& id);
  void mended(bool done, const std::string& why);
  void take_row(Subject subject, const EntryPtr& row);
  bool may_take() const;
  bool send_again(const EntryId& id, const Entry& entry);
  std::uint64_t& count_of(Difference difference);

  Runtime& runtime_;
  LocalTiers& local_;
  FileWriter& file_writer_;
  const FileBounds& bounds_;
  StoreCalls& calls_;
  StoreIdentity& identity_;
  PurgeHorizon& horizon_;
  StoreWriter& store_writer_;
  const ScrubOptions options_;
  const SteadyTime deadline_;
  ScrubReport report_;
  bool horizon_known_ = true;
  bool stopped_ = false;
};

}  // namespace tiercache::detail
