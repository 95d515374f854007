// One run of `Cache::scrub`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "files/entry_files.h"
#include "memory/memory_tier.h"
#include "tiercache/entry.h"
#include "tiercache/scrub.h"
#include "tiercache/store.h"
#include "tiercache/time.h"

namespace tiercache::detail {

class Core;

// Used by one thread.
class Scrub {
 public:
  Scrub(Core& core, ScrubOptions options);
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
  void mended(bool done, const std::string& why);
  void take_row(Subject subject, const EntryPtr& row);
  bool may_take() const;
  bool send_again(const EntryId& id, const Entry& entry);
  std::uint64_t& count_of(Difference difference);

  Core& core_;
  const ScrubOptions options_;
  const SteadyTime deadline_;
  ScrubReport report_;
  bool horizon_known_ = true;
  bool stopped_ = false;
};

}  // namespace tiercache::detail
