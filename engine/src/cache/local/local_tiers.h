// What memory, the files, the index and the journal of this cache know of a key, and the one way to
// change that.
//
// The four never agree for long. A write stands in the journal and in memory before it is in its
// file; another process may have put something newer there meanwhile; a matching erase hides files
// that nobody has removed yet; a disk that refuses leaves memory ahead of the files. Which of them
// is right is decided here, but for three parts that have memory's entry and the file in hand and
// compare them themselves: `ReadOp` (`take_file`), a scrub, and `DirectoryKeeper`, which fills a
// directory that was made anew. What others may do with a single tier stands above `memory()`.
//
//     takes in              called for                           files       index       memory
//     show, move_clocks     writes of this cache, once journaled soon        at once     pinned
//     keep_in_files         what a read got from the store       written     written     as it is
//     hold_in_files         a confirmed write that lost its file written     written     as it is
//     take                  something newer, of store or file    written     written     takes it
//     take_rows             many rows of the store               written     written     if older
//     keep_unwritten        what no file took                    not yet     not yet     later
//     remember_not_found    the source has no such key           as it is    as it is    a while
//
//     removes               called for                           files       index       memory
//     drop, evict           retention; bounds of the files       gone        gone        gone
//     drop_deleted          the store has deleted the key        gone        gone        gone
//     forget_missing        the file went away under us          (gone)      gone        gone
//     forget_in_memory      the file is right, memory is not     as it is    as it is    gone
//     withdraw...           the store refused the write          row, none   row, none   gone
//     erase_matching        a matching erase                     tombstones  tombstones  gone
//     erase_files_matching  one of a dead cache, or once more    tombstones  tombstones  as it is
//
// The journal keeps what it has, and is only told which records need no file any more: those that
// the files have by now, and those whose older file had to go because the disk took no new one.
// `drop`, `evict` and `drop_deleted` do nothing while the journal holds the key.
//
// The room: `LocalTiers`, in five files, of which unwritten.cc has the entries whose file cannot be
// written; `FileWriter`, which brings what memory has into the files;
// `RecoveredWrites`, which does so with the journals of caches that stopped; `SharedCounters`, by
// which processes hear of each other; `CorruptRows`. `LocalEvents` tell what happens here.
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

// How many files are written with one sync at most.
inline constexpr std::size_t kFilesAtOnce = 256;

// What is known here of a key, without its document, as of the moment it was asked.
struct Known {
  MemoryTier::Found in_memory;
  std::optional<IndexItem> in_files;  // as the index has it, which may lag behind other processes
  // The newest of both, including tombstones and what was remembered as not found; zero if there is
  // nothing.
  Version version;
  // A matching erase of this version hides whatever is older; zero if none does.
  Version erased;
  // A row of this version came from the store and is in no tier, because the disk did not take it;
  // zero if there is none.
  Version given_up;
  // The last version that was withdrawn here, whether ours or a row's; none is given again.
  Version withdrawn;

  // The newest version that counts, whether it is an entry's, the erase's or the row's.
  Version visible() const { return std::max({version, erased, given_up}); }
  // What stands in one of the two, and its clocks; nullopt if nothing does. Memory is asked unless
  // the index is ahead of it: its clocks were judged when they came in, while the index, like the
  // files, keeps one that was once wrong, because it merges by maximum.
  struct Standing {
    EntryKind kind;
    Clocks clocks;
  };
  std::optional<Standing> standing() const;
  // The latest that either of the two has.
  Clocks latest_clocks() const;
};

// Thread-safe.
//
// Blocks: what takes in, removes or withdraws writes and mostly syncs files; `read_file`, `find`,
// `newest`, `move_clocks` and `is_outdated` may read one. Call these on a thread that may wait for
// the disk. The rest does no I/O unless it says so.
class LocalTiers {
 public:
  // Opens all tiers but the journal, in a directory that is the cache's. Throws BadDirectory if the
  // files cannot be read. `events` may be filled in later, and must outlive it.
  LocalTiers(Runtime& runtime, const LocalEvents& events);
  ~LocalTiers() = default;
  LocalTiers(const LocalTiers&) = delete;
  LocalTiers& operator=(const LocalTiers&) = delete;

  // How this class reaches `FileWriter`, which knows it. To be set before anything else is called.
  struct WriterCalls {
    std::function<void(const EntryId&)> unfiled;  // memory holds, pinned, what the file lacks
    std::function<void()> touched;                // files were changed and need a sync
  };
  void tell_writer(WriterCalls calls) { writer_ = std::move(calls); }

  // Opens the journal and takes over what stopped caches have left. Throws BadDirectory. `*unread`
  // says why some of that could not be taken. Reads and writes files.
  void open_journal(const Journal::Recovered& recovered, const Journal::AllRecovered& all_recovered,
                    IoStatus* unread);

  // --- What is known ---
  // `dataset` is null if it is not open; memory is not looked at then.
  Known known(const DatasetState* dataset, const EntryId& id) const;
  // True if a matching erase hides the key's entry of this version.
  bool hides(const EntryId& id, Version version) const;
  // The key's file, of which the index takes note; a tombstone if a matching erase hides it.
  FileReadResult read_file(const EntryId& id);
  // What a read of the local tiers would find of the key, whatever its age, including tombstones;
  // null if there is nothing. If the file is read, the index takes note of it.
  EntryPtr find(DatasetState& dataset, const EntryId& id);
  // The newest entry of the key in memory or in its file, whole, whether or not an erase hides it.
  // Does not look into the journal.
  std::optional<Entry> newest(const EntryId& id);
  // A page of the dataset's keys in byte order, of documents that no matching erase hides.
  std::vector<std::string> keys(const std::string& dataset, std::optional<std::string_view> after,
                                std::size_t limit) const;
  // True if memory holds something of the key. `dataset` is null if it is not open.
  bool is_in_memory(const DatasetState* dataset, std::string_view key) const;
  // The entry's clocks as far as they are believable, with those that the journal has yet to bring
  // to files and store.
  Clocks believable_clocks(const EntryId& id, const Entry& entry) const;
  // The `last_fetch` of what is fetched or put from now on: after the key's invalidation, even
  // within the same millisecond.
  WallTime fetch_time(const EntryId& id) const;

  // --- Showing what this cache writes, once that is durable ---
  // Memory and index have the entry from here on, and its file is to be written; nothing happens if
  // a matching erase hides it. `generation` is what others had changed of its file when it was
  // stamped.
  void show(DatasetState& dataset, const EntryId& id, ResidentPtr resident,
            std::uint32_t generation);
  // The source has no such key. Memory remembers that for a while, unless it holds something that
  // is on its way to its file. `as_of` is the version that was known when the source was asked.
  void remember_not_found(DatasetState& dataset, const EntryId& id, Version as_of,
                          std::chrono::milliseconds remember_for, MemoryTier::Seen seen);
  // Merges the clocks and metadata of `moved` into the key's document, in memory or from its file.
  void move_clocks(DatasetState& dataset, const EntryId& id, const Entry& moved);
  // Erases every key of the dataset that matches and is older than `version`.
  void erase_matching(const DatasetState& dataset, const std::string& glob, Version version);

  // --- Taking in what the store or other processes have ---
  // Brings what a lower tier gave into the files, unless a matching erase came meanwhile (I4). If
  // the disk does not take it, the older file goes. Returns false if the older file stays, because
  // the disk refuses even that or another process is writing the key.
  bool keep_in_files(const EntryId& id, const Entry& entry);
  // Takes an entry that is newer than ours, from the store or from a file. While the disk keeps
  // something older, memory holds the entry and does not evict it.
  void take(const EntryId& id, const EntryPtr& entry);
  // Does the same for many rows of the store, and passes over what the local tiers have or know
  // better. Returns false if something older than a row is still served, because neither disk nor
  // memory had room; then it is to be tried again.
  bool take_rows(const std::vector<ScannedEntry>& rows);
  // Puts a confirmed write back into its file, if another process's write that the store then
  // refused has replaced it there. Does nothing if a later write of the key is on its way.
  void hold_in_files(const EntryId& id, const Entry& entry);

  // --- Letting go ---
  // Removes the key of this version from the files and memory. Returns false, and does nothing, if
  // the journal has yet to bring the key to the store or to its file, or if the file is newer.
  bool drop(const EntryId& id, Version version) { return let_go(id, version, nullptr); }
  // Removes the key of this version, which the store has as `row`. Returns false as `drop` does,
  // and if the key's clocks moved meanwhile; then it is there again.
  bool evict(const EntryId& id, Version version, const Entry& row) {
    return let_go(id, version, &row);
  }
  // The key's file went away under us. Memory and index forget the key up to this version.
  void forget_missing(const EntryId& id, Version up_to);
  // The key's file was written behind memory's back. Memory forgets the key up to this version, so
  // that the file is read again.
  void forget_in_memory(const EntryId& id, Version up_to);
  // The store has no row of the key, and whatever it lacks up to this version was deleted there, so
  // the key is dropped here as well. Returns false if it is not here, is newer, or is not dropped.
  bool drop_deleted(const EntryId& id, Version deleted_up_to);

  // --- Giving way to the store (decision 14) ---
  // Gives up this version for the store's row (null if it has none). If the disk will not give up a
  // file that has it, that stays and is served as before, and the disk's error is returned.
  [[nodiscard]] IoStatus withdraw(const EntryId& id, Version ours, const EntryPtr& row);
  // The same, but if the disk does not take the row, the file is removed without one. For a write
  // that the journal holds no more, so that its file must not stay.
  void withdraw_or_remove(const EntryId& id, Version ours, const EntryPtr& row);
  // If the store has refused this version lately, takes it out of memory, files and index again and
  // returns true. For whoever shows or files a write that the store has answered first.
  bool withdraw_late(const EntryId& id, Version version);
  // True if this write must not come into a file any more, although the journal may hold it for a
  // while yet: the store has refused it, so that the files are to have what stands there, even if
  // that is of a lower version (I5); or memory has something newer that the disk would not take so
  // far (I3, I4); or it was in its file once, where another process may have evicted something
  // newer since (I3).
  bool is_outdated(const Record& record);
  // To be called once a refused write is gone. An older write of another process that it hid, and
  // that still waits for the store, is served again.
  void serve_what_was_below(const EntryId& id);

  // --- Matching erases ---
  // Puts a tombstone in the place of every file of the dataset that matches and is older than
  // `version`, because another process's journal may still hold what they hide, and later writes
  // must be stamped above them. Returns false if the disk refused some: readers do not see those,
  // and `erase_files_again` tries them again.
  bool erase_files_matching(const std::string& dataset, const std::string& glob, Version version);
  void erase_files_again();

  // --- Entries whose file cannot be written ---
  // Keeps an entry of the journal or the store, whose dataset may not be open yet. Memory serves it
  // after the next `serve_unwritten` that finds the dataset open.
  void keep_unwritten(const EntryId& id, EntryPtr entry);
  // The entry of the key that is kept so; null if there is none.
  EntryPtr unwritten(const EntryId& id) const;
  bool has_unwritten() const;
  // Visits each that is kept so. `visit` must not call this class.
  void for_each_unwritten(const std::function<void(const EntryId&, Version)>& visit) const;
  // Hands to memory what belongs to datasets that are open, and writes the files of what does not,
  // if the disk takes them by now.
  void serve_unwritten();

  // --- The directory ---
  // False if the marker, the folder of the journal, the lock of the file tier or the counters that
  // processes share are gone, or are others than they were. Asks the disk.
  bool stands() const;
  // The disk's error, if it would not take what the tiers need when they were opened and still does
  // not.
  IoStatus away() const;
  bool shares_counters() const { return counters_.are_shared(); }
  bool counters_stand() const { return counters_.stand(); }
  // To be called after the directory was made anew, or if this cache got another slot in it.
  void share_counters_again();
  // Keeps a note in the directory, while that is ours (kept_text.h). Writes and syncs a file.
  bool keep_note(const std::string& path, std::string_view head, const std::string& text);

  // Syncs what is queued in the journal. If others keep its queue filled, a task goes on with it.
  void commit();

  // --- What writers find out, for `LocalEvents` to tell ---
  void directory_is_gone() const { events_.gone(); }
  void files_came_in() const { events_.grew(); }
  // False: call it again soon.
  bool writes_are_filed() const { return events_.filed(); }

  // --- The tiers themselves ---
  //
  // Everybody may look: at memory's entry, at a file, at what the journal holds, at figures. What
  // stands of a key is asked above. This room alone changes the tiers, except that `reading` may
  // promote and renew in memory what a read has looked at, `writing` may append to the journal and
  // tell it of files, and `upkeep` may replace files and have the journal adopt and be restored.
  // tests/structure holds that (`check_calls`).
  MemoryTier& memory() { return memory_; }
  const MemoryTier& memory() const { return memory_; }
  EntryFiles& files() { return files_; }
  const EntryFiles& files() const { return files_; }
  const Index& index() const { return files_.index(); }
  Journal& journal() { return *journal_; }
  const Journal& journal() const { return *journal_; }
  // For the drain, which may outlive this.
  const std::shared_ptr<Journal>& shared_journal() const { return journal_; }
  WriteOrder& write_order() { return write_order_; }
  const Generations& generations() const { return *generations_; }
  Quarantine& quarantine() const { return *quarantine_; }

 private:
  std::uint64_t open_files();
  std::uint64_t slot_in_order() const;
  // What the files have of an entry that was to be kept there.
  enum class Kept : std::uint8_t {
    in_its_file,  // it, or something newer
    by_no_file,   // the disk did not take it, but gave up the older file
    not_at_all,   // the older file stands
  };
  EntryPtr with_pending_clocks(const EntryId& id, const EntryPtr& entry) const;
  Kept keep(const EntryId& id, const Entry& entry);
  Kept kept(const EntryId& id, const Entry& entry, const FileWriteResult& result);
  static bool belongs_in_memory(const Entry& entry, Kept kept);
  bool give_up_older_file(const EntryId& id, const Entry& entry,
                          const FileWriteResult& not_written);
  void serve_unwritten(DatasetState& dataset, const EntryId& id, const Entry& entry);
  // False if the disk still refuses the file.
  bool file_unwritten(const EntryId& id, const Entry& entry);
  // Puts into the index what memory alone has, since keys are listed and matched by the index. For
  // when an older file of the key went or was read.
  void index_pinned(const EntryId& id);
  void remove_from_memory(const EntryId& id, Version up_to);
  void tell_moved(const EntryId& id) const;
  ResidentPtr with_clocks(DatasetState& dataset, const EntryId& id, const Entry& moved,
                          std::uint32_t* generation);
  void promote(DatasetState& dataset, const EntryId& id, ResidentPtr resident,
               std::uint32_t generation, MemoryTier::Pin pin);
  bool show_row(const EntryId& id, const EntryPtr& row, Kept kept);
  // `row` is what the store has of it, null if that is not known.
  bool let_go(const EntryId& id, Version version, const Entry* row);
  IoStatus withdraw_file(const EntryId& id, Version ours, const EntryPtr& row);
  // What must not come into files any more, for whoever is still writing it there: what the store
  // refused lately, and what went for a newer row that the disk did not take.
  struct Withdrawn {
    enum class What : std::uint8_t { one_version, all_older_ones } what;
    Version version;
    EntryPtr row;  // what the store has instead; null if the file is just to go

    bool has(Version which) const {
      return what == What::one_version ? which == version : which < version;
    }
  };
  void remember_withdrawn(const EntryId& id, Withdrawn withdrawn);

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
  // Bounded.
  std::map<EntryId, Withdrawn> withdrawn_ TIERCACHE_GUARDED_BY(mutex_);
  std::deque<EntryId> withdrawn_order_ TIERCACHE_GUARDED_BY(mutex_);
};

}  // namespace tiercache::detail
