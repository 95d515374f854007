// The write-ahead log of one open cache. What `append` acknowledges survives kill -9 and power loss
// (I1) until its file is synced and the store has settled it.
//
// On disk: `<directory>/journal/<name>/` with an `owner` file that carries the lock, and segments
// `<number>.seg`, preallocated with zeros, of checksummed records. In memory: per key the place of
// its live record, never the document, so a day without the store costs disk and not memory.
//
// A record is live while it is the newest of its key and its file is not synced or the store has
// not settled it. A segment without live records is deleted; when dead bytes outweigh live ones the
// oldest segment's live records are copied forward. So the journal's size is bounded by the
// unconfirmed keys' bytes, never by time or the number of writes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "journal/journal_types.h"
#include "journal/record.h"
#include "journal/unsettled_write.h"
#include "tiercache/file_system.h"
#include "tiercache/outbox.h"
#include "tiercache/store.h"

namespace tiercache {

// Thread-safe.
class Journal {
 public:
  // Called once per content, clocks and erase_matching record met in the folders of dead owners
  // that was live when its owner stopped, oldest version first; what is parked too. A key's clocks
  // records come merged into one. May call the journal.
  using Recovered = std::function<void(const Record&)>;
  // Called after the last of them, while no other process can adopt yet: whoever finds nothing left
  // to adopt relies on the files. Must not call the journal.
  using AllRecovered = std::function<void()>;

  // Makes the journal's folder, takes its lock, then adopts. Where the disk takes nothing new just
  // now the journal is `away`. `*out` is null only when this journal cannot be used; an error
  // beside a journal says why some dead folder was not adopted (unreadable, or ENOTSUP: of a later
  // format) and was left as it is.
  static IoStatus open(std::shared_ptr<FileSystem> file_system, const JournalOptions& options,
                       const Recovered& recovered, const AllRecovered& all_recovered,
                       std::unique_ptr<Journal>* out);
  static IoStatus open(std::shared_ptr<FileSystem> file_system, const JournalOptions& options,
                       const Recovered& recovered, std::unique_ptr<Journal>* out) {
    return open(std::move(file_system), options, recovered, {}, out);
  }
  // `close()`.
  ~Journal();

  // Takes over the folders of dead owners beside this journal's own. Their segments are kept as
  // they are, so that nothing needs room or can be lost here; small leftovers are copied forward at
  // once, larger ones by `compact`, and an emptied folder is deleted. Folders whose lock is held
  // belong to a living cache and are left alone. A bad tail is cut; a bad record before a good one
  // is copied to
  // `<directory>/../quarantine`, counted and skipped. The owner calls this every few seconds; only
  // one process adopts at a time: EAGAIN, with nothing done, while another one does. What that one
  // adopts is in the files only once it has ended, so whoever opens tries again before it serves.
  IoStatus adopt(const Recovered& recovered, const AllRecovered& all_recovered = {});

  // Writes down what is settled, and lets go of the folders: the next open adopts what is left. All
  // other calls then do nothing, and records not yet committed are answered `not_applied`. A call
  // that is under way in another thread holds the lock until it returns. Idempotent.
  void close();

  // Why this journal has no folder yet: the disk would not take one. What dead owners left is read
  // all the same, and served, sent and settled, but every record is `not_applied`. Success once it
  // has one.
  IoStatus away() const;
  // Makes the folder of a journal that is away. EAGAIN: another thread is writing, try again in a
  // moment.
  IoStatus come_back();

  // False where a folder of this journal was deleted or replaced under it, until `restore` is done.
  bool stands() const;
  // Makes a new folder in the place of a deleted one and brings there what is live: what can still
  // be read (the segment written last through its descriptor, unless that is closed), what is known
  // without reading, and documents from `newest`, which is asked for the newest entry of a key that
  // the caller has; it may call the journal, but not `commit`. What is nowhere is let go and
  // counted in `lost_records`, unless the store has it or `newest` knows something newer. EAGAIN:
  // another thread is writing, try again in a moment; after any error the next call goes on, and
  // until then nothing else is written.
  using Newest = std::function<std::optional<Entry>(const EntryId&)>;
  IoStatus restore(const Newest& newest);

  // Queues a record for the next commit. `done` is called exactly once, from inside some thread's
  // `commit()`, after the record was synced or could not be; by then the record is live. It must be
  // short and must not call `commit`. After `close` it is called at once.
  using Done = std::function<void(const AppendResult&)>;
  void append(Record record, Done done);
  // Writes and syncs all that is queued with one fdatasync, unless another thread is at it: then
  // that one will see to it. A thread serves the queue for a bounded number of rounds; false means
  // that others kept it filled and the caller must see to another `commit` soon, best on the disk
  // lane. After a failed write or sync the segment is abandoned, its live records are copied to a
  // new one, and records are acknowledged only from there.
  bool commit();

  // Asked before the key's file is replaced without a sync: true when the journal holds this
  // version's content and will until a `file_written` told later is synced. False: the new file
  // must be synced before it takes the old one's place.
  bool cover_file_write(const EntryId& id, Version version);
  // The key's file of at least this version was written, not yet synced.
  void file_written(const EntryId& id, Version version, const Clocks& clocks);
  // The files that a matching erase of this version hides were removed, not yet synced. Until that
  // is told and synced the erase is met again at the next open, even when the store has settled it.
  void files_erased(const EntryId& glob, Version version);
  // Every `file_written` and `files_erased` told before `mark` was taken is now synced. Take the
  // mark, sync, then tell.
  std::uint64_t files_mark() const;
  void files_synced(std::uint64_t mark);

  // The store settled the key up to this version. `kind` clocks settles the clocks record alone.
  // Content that was saved took the clocks sent with it along; content that was superseded did not,
  // and they are sent again by themselves.
  using Settlement = tiercache::Settlement;  // saved, superseded
  void settled(const UnsettledWrite& write, Settlement how = Settlement::saved);
  // The store refused it for good: kept on disk and listed until retried or discarded. On disk from
  // the next `commit` on.
  void park(const UnsettledWrite& write, const std::string& why);

  // Up to `limit` unsettled writes and about `max_bytes`, oldest version first. Their keys are in
  // flight and not taken again until `settled`, `park` or `release`. A key's clocks travel with its
  // content; a matching erase comes alone. A record whose bytes do not hold is parked; one that the
  // disk will not read just now waits for `resume`.
  // Those for which `apart` says so are passed over; it must not call the journal.
  std::vector<UnsettledWrite> take_unsettled(
      std::size_t limit, std::size_t max_bytes,
      const std::function<bool(const SlotName&)>& apart = {});
  // There is one that is not apart and not in flight, whether it can be taken now or is held.
  bool has_unsettled(const std::function<bool(const SlotName&)>& apart) const;
  // In the same way those of these that may be sent now.
  std::vector<UnsettledWrite> take_named(std::span<const SlotName> slots);
  // Their attempt failed. `hold`: they wait for `resume`; a newer write of such a key does not.
  enum class Release : std::uint8_t { again, hold };
  void release(std::span<const UnsettledWrite> writes, Release how = Release::again);
  void resume();
  // The key's live content, read from its segment; nullopt when there is none or it cannot be read.
  std::optional<Record> live_content(const EntryId& id) const;
  // What a clocks record of the key says that a file or the store may lack yet.
  Clocks live_clocks(const EntryId& id) const;
  // True while the key has an unsettled content record; its version in `*version`.
  bool is_unsettled(const EntryId& id, Version* version = nullptr) const;
  // True while some record of the key is live: its file is not synced, or the store has not settled
  // it.
  bool holds(const EntryId& id) const;
  // The guard of the key's content of this version, where it has one and is not settled.
  std::optional<Guard> guard_of(const EntryId& id, Version version) const;
  // True while the store has neither settled nor refused the newest write of this kind: of the key,
  // or of the glob (`id.key`).
  bool awaits_store(RecordKind kind, const EntryId& id) const;
  // The newest matching erase that hides older entries of this key, if any: until the store has
  // settled it and its files were removed and synced.
  std::optional<Version> erased_below(const EntryId& id) const;
  // What the store has not settled, oldest version first.
  std::vector<OutboxWrite> list(const OutboxQuery& query) const;
  std::vector<OutboxWrite> parked() const {
    return list({.state = OutboxState::parked, .limit = SIZE_MAX});
  }
  // What is parked of the key, or the glob; of one version unless it is zero.
  std::vector<OutboxWrite> parked_of(const EntryId& id, Version version = {}) const;
  // Makes that unsettled again, on disk from the next `commit` on, or gives it up, whatever became
  // of its file. False when nothing is parked. What was given up is found again, and parked, by the
  // next open until `forget_discarded` is done.
  bool retry_parked(const EntryId& id, Version version = {});
  bool discard_parked(const EntryId& id, Version version = {});
  // Copies what is live beside the discarded records forward and deletes their segments, for good.
  // EAGAIN: another thread is writing, try again in a moment. Any other error: the disk refuses,
  // and the next call tries again.
  IoStatus forget_discarded();

  // Copies live records forward where that is due: out of adopted folders, and out of the oldest
  // segment while dead bytes outweigh live ones. The owner calls it now and then on the disk lane.
  // `all`: whatever the proportion, out of all segments but the newest. Segments without live
  // records are deleted at once, by whatever call emptied them.
  using Compact = tiercache::Compact;  // when_due, all
  IoStatus compact(Compact how);

  JournalStats stats() const;

 private:
  struct Impl;
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tiercache
