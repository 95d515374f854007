// One run of `Cache::scrub`: walks the index page by page, compares what each tier has of a key,
// and with `repair` brings the tiers together again.
//
//     for each page of the index
//       look_here      compares index, file and memory of each key; a damaged file counts at once,
//                      what is lost or differs only after a second look
//       compare        loads the rows of the page by one call; `difference` says how each stands to
//                      its file, except for keys that the journal holds or an erase hides
//       confirm        looks at file and row once more, because a difference may be a write that is
//                      just on its way, and counts what is still so
//       mend           with `repair`: takes the row, sends the file's entry again, or drops it
//
// It runs on the thread that calls it, under no lock, while readers and writers go on. `difference`
// decides which side wins, by version, then content, then clocks; metadata is not compared.
// Decision 27 (docs/decisions/0027-scrub.md) says why.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cache/upkeep/upkeep_parts.h"
#include "files/index/index.h"
#include "tiercache/entry.h"
#include "tiercache/scrub.h"
#include "tiercache/store.h"
#include "tiercache/time.h"

namespace tiercache::detail {

// Used by one thread. Blocks: `run`, until all is compared or `ScrubOptions::deadline` has passed.
class Scrub {
 public:
  Scrub(const UpkeepParts& parts, ScrubOptions options);
  ScrubReport run();

 private:
  using Item = std::pair<std::string, IndexItem>;
  // How the store's row of a key stands to its file, and what a repair does about it.
  enum class Difference : std::uint8_t {
    // They agree, or the row's absence is in order: neither side has anything, or the store has
    // purged the tombstone that is still in the file. Nothing is to be done.
    none,
    // The row is newer, or of the same version with clocks that are later than the file's; or there
    // is no sound file. The local tiers take the row.
    store_ahead,
    // The row is older, although the store had confirmed the file's version: it was restored from a
    // backup, or changed by hand. The file's entry is sent again.
    store_behind,
    // There is no row, and no purge explains that. The entry is sent again, unless the store's
    // horizon shows that it was deleted there: then it is dropped here.
    store_missing,
    // The row does not hold its checksum. The file's entry is sent again.
    store_corrupt,
    // Two contents of one version. The row takes the file's place, since other machines have read
    // it.
    store_differs,
  };
  // A key that the store is asked about.
  struct Subject {
    EntryId id;
    EntryPtr file;         // what the directory has of it; null if nothing
    Version known = {};    // the version that the index has
    bool lost = false;     // the index knows a file, and none can be read
    bool corrupt = false;  // it was there and is damaged, which `file_corrupt` counts already
  };

  void run_dataset(const std::string& dataset);
  bool may_go_on();
  void stop(const std::string& why);
  void look_at_page(const std::string& dataset, std::span<const Item> items);
  // Looks at the index, the file and memory. False if the store need not be asked about the key.
  bool look_here(const EntryId& id, const IndexItem& item, Subject* subject);
  // The key's file at a second look; nullopt while a write is on its way to it.
  std::optional<EntryPtr> file_again(const EntryId& id);
  // Writes memory's entry in the place of a file that was corrupt or lost. False if memory has none
  // that is new enough.
  bool write_from_memory(const EntryId& id, Version at_least);
  void look_into_memory(const EntryId& id, const Entry& file);
  bool memory_differs(const EntryId& id, const Entry& file) const;
  void compare(const std::vector<Subject>& subjects);
  Difference difference(const Subject& subject, const EntryPtr& row, bool corrupt) const;
  bool brings_clocks(const Entry& row, const Subject& subject) const;
  // Looks again, and counts and mends what is still so.
  void confirm(Subject subject);
  void mend(const Subject& subject, Difference difference, const EntryPtr& row);
  void mended(bool done, const std::string& why);
  void take_row(Subject subject, const EntryPtr& row);
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
