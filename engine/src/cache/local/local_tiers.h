// What memory, the files, the index and the journal of this cache know of a key, and the one way to
// change that.
//
// The four never agree for long. A write stands in the journal and in memory before it is in its
// file; another process may have put something newer there meanwhile; a matching erase hides files
// that nobody has removed yet; a disk that refuses leaves memory ahead of the files. Which of them
// is right is decided here and nowhere else:
//
//     known(key)     the newest version, and up to which one an erase hides it     no I/O
//     find(key)      the entry that a read of the local tiers gives      may read the file
//     newest(key)    the newest entry there is, whoever may see it                 reads the file
//     take(entry)    what the store or another process has, if it is newer          writes the file
//     withdraw(...)  what the store has refused makes way for the store's row
//     erase_matching what a pattern erases
//
// The room: `LocalTiers`; `FileWriter`, which brings what memory has into the files;
// `RecoveredWrites`, which does so with the journals of caches that stopped; `SharedCounters`, by
// which processes hear of each other; `FileBounds`; `CorruptRows`. What happens here is told by
// `LocalEvents`.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/annotations.h"
#include "base/generations.h"
#include "base/mutex.h"
#include "base/quarantine.h"
#include "base/write_order.h"
#include "cache/local/local_events.h"
#include "cache/local/shared_counters.h"
#include "cache/runtime/runtime.h"
#include "files/entry_files.h"
#include "journal/journal.h"
#include "memory/memory_tier.h"
#include "tiercache/entry.h"
#include "tiercache/store.h"

namespace tiercache::detail {

// How many files are written with one sync, at most.
inline constexpr std::size_t kFilesAtOnce = 256;

// What is known here of a key, without its document: as of the moment it was asked.
struct Known {
  MemoryTier::Found in_memory;
  std::optional<IndexItem> in_files;  // as the index has it, which may lag behind other processes
  // The newest of both, tombstones and what was remembered as not found too; zero: nothing.
  Version version;
  // What is older was erased by a pattern, and is only hidden so far; zero: by none.
  Version erased;

  // The newest that stands, be it the erase.
  Version visible() const { return std::max(version, erased); }
  // There is something of it in one of the two: what, and its clocks. Of memory where that is ahead
  // of the index, or level with it: its clocks were judged when they came in, while the index, like
  // the files, keeps one that was once wrong, because it merges by maximum.
  struct Standing {
    EntryKind kind;
    Clocks clocks;
  };
  std::optional<Standing> standing() const;
  // The latest that either of the two has.
  Clocks latest_clocks() const;
};

// Thread-safe.
class LocalTiers {
 public:
  // Opens the tiers in a directory that is the cache's, but for the journal. Throws BadDirectory
  // where the files cannot be read. `events` may be filled in later, and must outlive it.
  LocalTiers(Runtime& runtime, const LocalEvents& events);
  ~LocalTiers();
  LocalTiers(const LocalTiers&) = delete;
  LocalTiers& operator=(const LocalTiers&) = delete;

  // How this class reaches `FileWriter`, which knows it. Set before anything else is called.
  struct WriterCalls {
    std::function<void(const EntryId&)> unfiled;  // memory holds, pinned, what the file lacks
    std::function<void()> touched;                // files were changed, and want a sync
  };
  void tell_writer(WriterCalls calls) { writer_ = std::move(calls); }

  // Opens the journal, and takes what stopped caches had left in it. Throws BadDirectory. `*unread`
  // is why some of that could not be taken.
  void open_journal(const Journal::Recovered& recovered, const Journal::AllRecovered& all_recovered,
                    IoStatus* unread);

  // --- What is known ---
  // `dataset` null: it is not open.
  Known known(const DatasetState* dataset, const EntryId& id) const;
  // A matching erase hides the key's entry of this version.
  bool hides(const EntryId& id, Version version) const;
  // The key's file; a tombstone where a matching erase hides it.
  FileReadResult read_file(const EntryId& id);
  // What a read of the local tiers would find of the key, whatever its age, tombstones too; null:
  // nothing.
  EntryPtr find(DatasetState& dataset, const EntryId& id);
  // The newest of the key in memory or its file, whole.
  std::optional<Entry> newest(const EntryId& id);
  // A page of the dataset's keys in byte order: of documents that no matching erase hides.
  std::vector<std::string> keys(const std::string& dataset, std::optional<std::string_view> after,
                                std::size_t limit) const;
  // Memory holds something of the key. `dataset` null: it is not open.
  bool is_in_memory(const DatasetState* dataset, std::string_view key) const;
  // Its clocks as far as believable, and what the journal has yet to tell files and store of them.
  Clocks clocks_with_pending(const EntryId& id, const Entry& entry) const;
  // `last_fetch` of what is fetched or put from now on: after the key's invalidation, also within
  // one millisecond.
  WallTime fetch_time(const EntryId& id) const;

  // --- Showing what this cache writes, once that is durable ---
  // Memory and index have the entry from here on, and its file is to be written. Not where a
  // matching erase hides it. `generation`: what others had changed of its file when it was stamped.
  void show(DatasetState& dataset, const EntryId& id, ResidentPtr resident,
            std::uint32_t generation);
  // The source has no such key: memory remembers that for a while, unless something stands there
  // that is on its way to its file. `as_of` is the version that was known when the source was
  // asked.
  void remember_not_found(DatasetState& dataset, const EntryId& id, Version as_of,
                          std::chrono::milliseconds remember_for, MemoryTier::Seen seen);
  // The clocks and metadata of `moved` go into the key's document, in memory or from its file.
  void move_clocks(DatasetState& dataset, const EntryId& id, const Entry& moved);
  // Every key of the dataset that matches is gone, where it is older than `version`.
  void erase_matching(const DatasetState& dataset, const std::string& glob, Version version);

  // --- Taking in what the store or other processes have ---
  // Brings what a lower tier gave into the files, unless a matching erase came meanwhile (I4).
  // Where the disk will not take it, the older file goes. False when the disk refuses even that.
  bool keep_in_files(const EntryId& id, const Entry& entry);
  // A newer entry than ours was met in the store or in a file: the local tiers take it. Memory
  // alone does, and holds it, while the disk keeps something older.
  void take(const EntryId& id, const EntryPtr& entry);
  // The same for many rows of the store; what the local tiers have or know better is passed over.
  // False when some could not be taken, and something older is served, because neither disk nor
  // memory had room: to be tried again.
  bool take_rows(const std::vector<ScannedEntry>& rows);
  // Puts a confirmed write back into its file, where another process's write took its place and is
  // newer here but not in the store.
  void hold_in_files(const EntryId& id, const Entry& entry);

  // --- Letting go ---
  // Removes the key of this version from the files and memory. False where the journal has yet to
  // bring it to the store or to its file, or the file is not of that version.
  bool drop(const EntryId& id, Version version);
  // Removes the key of this version, which the store has as `row`. False as for `drop`, and where
  // its clocks moved meanwhile: then it is there again.
  bool evict(const EntryId& id, Version version, const Entry& row);
  // The key's file went away under us: what memory and index know of it, up to this version, goes.
  void forget_missing(const EntryId& id, Version up_to);
  // The store has no row of the key, and whatever it lacks up to this version was deleted there: so
  // it is dropped here. False: it is not here, or is newer.
  bool drop_deleted(const EntryId& id, Version deleted_up_to);

  // --- Giving way to the store (decision 14) ---
  // The local tiers give up this version, or what is older, for the store's row (null: for none).
  // Not where the disk will not give up a file that has it: then that stays, and is served as
  // before.
  [[nodiscard]] IoStatus withdraw(const EntryId& id, Version ours, const EntryPtr& row);
  // True where the store has refused this version of the key: where somebody has just shown it, or
  // written it to its file, it has given way to the store's row again.
  bool withdraw_late(const EntryId& id, Version version);
  // True where the store has refused this write and what it has instead, which may be of a lower
  // version, is what the files are to have (I5). The journal may hold the write for a while yet.
  bool gave_way(const Record& record);
  // A refused write is gone, and may have hidden another process's older one that still waits for
  // the store: that is served again.
  void serve_what_was_below(const EntryId& id);

  // --- Matching erases ---
  // Puts tombstones in the place of every file of the dataset that matches and is older than
  // `version`: another process's journal may still hold what they hide, and later writes must be
  // stamped above them. False when the disk refused some: `erase_files_again` goes on, and readers
  // do not see them.
  bool erase_files_matching(const std::string& dataset, const std::string& glob, Version version);
  void erase_files_again();

  // --- Entries whose file cannot be written ---
  // From the journal or the store, of a dataset that may not be open yet: served from memory once
  // it is.
  void keep_unwritten(const EntryId& id, EntryPtr entry);
  // The entry of the key that is kept so; null: none.
  EntryPtr unwritten(const EntryId& id) const;
  bool has_unwritten() const;
  // Has memory serve what belongs to datasets that are open.
  void serve_unwritten();

  // --- The directory ---
  // False when the marker, the folder of the journal, the lock of the file tier or the counters
  // that processes share are gone, or are others than they were.
  bool stands() const;
  // What the disk would not take when the tiers were opened, and still does not.
  IoStatus away() const;
  bool shares_counters() const { return counters_.are_shared(); }
  bool counters_stand() const { return counters_.stand(); }
  // After the directory was made anew, or this cache got another slot in it.
  void share_counters_again();
  // Keeps a note in the directory, while that is ours; see kept_text.h.
  bool keep_note(const std::string& path, std::string_view head, const std::string& text);

  // Syncs what is queued in the journal. Others may keep its queue filled: then a task goes on.
  void commit();

  // --- The tiers themselves ---
  MemoryTier& memory() { return memory_; }
  const MemoryTier& memory() const { return memory_; }
  EntryFiles& files() { return files_; }
  const EntryFiles& files() const { return files_; }
  const Index& index() const { return files_.index(); }
  Journal& journal() { return *journal_; }
  const Journal& journal() const { return *journal_; }
  const std::shared_ptr<Journal>& shared_journal() const { return journal_; }
  WriteOrder& write_order() { return write_order_; }
  const Generations& generations() const { return *generations_; }
  Quarantine& quarantine() const { return *quarantine_; }
  const LocalEvents& events() const { return events_; }

 private:
  std::uint64_t open_files();
  std::uint64_t slot_in_order() const;
  // What the files have of an entry that was to be kept there.
  enum class Kept : std::uint8_t {
    in_its_file,  // it, or something newer
    by_no_file,   // the disk did not take it, but gave up the older file
    not_at_all,   // the older file stands
  };
  Kept keep(const EntryId& id, const Entry& entry);
  Kept kept(const EntryId& id, const Entry& entry, const FileWriteResult& result);
  static bool belongs_in_memory(const Entry& entry, Kept kept);
  bool give_up_older_file(const EntryId& id, const Entry& entry,
                          const FileWriteResult& not_written);
  // What memory alone has is in the index all the same: keys are listed and matched by that. Called
  // where an older file of the key went, or was found to be gone.
  void index_pinned(const EntryId& id);
  ResidentPtr with_clocks(DatasetState& dataset, const EntryId& id, const Entry& moved,
                          std::uint32_t* generation);
  void promote(DatasetState& dataset, const EntryId& id, ResidentPtr resident,
               std::uint32_t generation, MemoryTier::Pin pin);
  bool show_row(const EntryId& id, const EntryPtr& row, Kept kept);
  // `row`: what the store has of it, where that is known.
  bool let_go(const EntryId& id, Version version, const Entry* row);
  IoStatus withdraw_file(const EntryId& id, Version ours, const EntryPtr& row);
  void remember_withdrawn(const EntryId& id, Version ours, const EntryPtr& row);

  Runtime& runtime_;
  const LocalEvents& events_;
  WriterCalls writer_;
  SharedCounters counters_;
  const std::shared_ptr<std::uint32_t> first_counters_;  // as mapped when the cache was opened
  const std::shared_ptr<Generations> generations_;
  MemoryTier memory_;
  const std::shared_ptr<Quarantine> quarantine_;
  EntryFiles files_;
  WriteOrder write_order_;
  std::shared_ptr<Journal> journal_;

  mutable Mutex mutex_;
  struct Erasure {
    std::string dataset;
    std::string glob;
    Version version;
  };
  std::vector<Erasure> unfinished_erasures_ TIERCACHE_GUARDED_BY(mutex_);
  std::map<EntryId, EntryPtr> unwritten_ TIERCACHE_GUARDED_BY(mutex_);
  // What the store refused lately and has instead, for whoever is still writing it to its file.
  // Bounded.
  struct Withdrawn {
    Version version;
    EntryPtr row;
  };
  std::map<EntryId, Withdrawn> withdrawn_ TIERCACHE_GUARDED_BY(mutex_);
  std::deque<EntryId> withdrawn_order_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache::detail
