// The write-ahead log of one open cache. A write that `append` has acknowledged survives kill -9
// and power loss (I1) until its entry file is synced and the store has settled it. This header
// explains the room; read it first.
//
//     record    One write, or one fact about a write: content (a document or a tombstone), clocks,
//               a matching erase, "the store settled this" (done), "the store refused this"
//               (parked).
//     segment   A file of records, of a fixed size, written from front to back. New records go to
//               the current segment; when it is full or has failed, another one takes its place.
//     live      A record is live while it is the newest of its key and is still needed: its file is
//               not synced, or the store has not settled it, or it is parked. The index in memory
//               has the place of each live record, never the document, so a day without the store
//               costs disk and not memory. A segment without live records is deleted, and when dead
//               bytes outweigh live ones, the live records of the oldest segment are copied forward
//               (compaction). The journal's size is therefore bounded by the bytes of unconfirmed
//               keys, and neither by time nor by the number of writes.
//     settle    The store has nothing more to decide about a write, because it has this write or a
//               newer one. What the store has not settled is the outbox.
//     park      The store refused a write for good. It stays on disk until somebody retries or
//               discards it, or a newer write of the key takes its place.
//     adopt     To take over the folder of a cache that died, or closed with writes left, together
//               with everything that is live in it.
//     turn      The right to write. One thread at a time has it, and it writes for all who wait.
//
// On disk a journal is the folder `<directory>/journal/<name>/`, with a file `owner` that carries
// the lock, and the segments `<number>.seg`. `docs/formats/journal.md` describes the bytes.
//
// Below it are three rooms, each of which knows those before it alone:
//
//     format/     what a record and a segment are as bytes (record.h, segment.h)
//     live/       which records are live, in memory (live_index.h)
//     segments/   the segments of an open journal: written, read back, deleted (segment_table.h)
//
// The parts, first those that a write passes, in their order, and then the others. Each can be made
// in a test without the whole:
//
//     CommitQueue        who has the turn; records and notes that wait to be written
//       RoundWriter      refuses what cannot be written, merges clocks
//         SegmentWriter  segments/: into which one; rescues records from one that failed
//           CurrentSegment   segments/: the file: encode, write, sync
//     SegmentTable       segments/: which there are, and what is live in them (LiveIndex)
//     RecordReader       segments/: reads live records back: for the store, to copy, for the owner
//     OwnFolder          segments/: where new ones go, and why there is none just now
//     Settling, ParkedRecords   what the store said of a write
//     Compaction         copies live records forward
//     FolderAdoption     takes over the folders of dead owners
//     FolderRestoring    replaces folders that were deleted
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

#include "journal/format/record.h"
#include "journal/live/unsettled_write.h"
#include "journal/segments/journal_types.h"
#include "tiercache/file_system.h"
#include "tiercache/outbox.h"
#include "tiercache/store.h"

namespace tiercache {

// Owned by one open cache. Thread-safe. Its functions pass each call on to the part that has the
// answer; two locks, the queue's and the table's, guard what the parts share (journal.cc).
class Journal {
 public:
  // --- Opening and closing ---

  // Called once for each adopted content, clocks and erase_matching record that is still live, also
  // for parked ones, oldest version first. A key's clocks records are merged into one first. The
  // function may call the journal.
  using Recovered = std::function<void(const Record&)>;
  // Called after the last of those calls, while no other process can adopt yet: a process that
  // finds nothing left to adopt relies on the files being complete. Must not call the journal.
  using AllRecovered = std::function<void()>;

  // Makes the journal's folder, takes its lock, and adopts what dead owners left. If the disk takes
  // nothing new just now, the journal is opened all the same, without a folder (see `away`). `*out`
  // is null only if this journal cannot be used. An error together with a journal says why some
  // dead owner's folder was not adopted (it cannot be read, or ENOTSUP: its format is newer than
  // this library); that folder stays as it is.
  static IoStatus open(std::shared_ptr<FileSystem> file_system, const JournalOptions& options,
                       const Recovered& recovered, const AllRecovered& all_recovered,
                       std::unique_ptr<Journal>* out);
  static IoStatus open(std::shared_ptr<FileSystem> file_system, const JournalOptions& options,
                       const Recovered& recovered, std::unique_ptr<Journal>* out) {
    return open(std::move(file_system), options, recovered, {}, out);
  }
  // Calls `close()`.
  ~Journal();

  // Takes over the folders of dead owners that lie beside this journal's own. Their segments stay
  // as they are, so adopting needs no room on the disk and can lose nothing. Small leftovers are
  // copied forward at once and larger ones by `compact`; a folder is deleted once it is empty. A
  // folder whose lock is held belongs to a living cache and is left alone. A bad tail is cut. A bad
  // record before a good one is copied to the quarantine, counted, and skipped.
  //
  // The owner calls this every few seconds. One process adopts at a time; while another one does,
  // the answer is EAGAIN and nothing was done. What that process adopts is in the files only once
  // it has ended, so a cache that is being opened tries again before it serves.
  IoStatus adopt(const Recovered& recovered, const AllRecovered& all_recovered = {});

  // Writes down what is settled and lets go of the folders; the next open adopts what is left in
  // them. From then on nothing is written: records that were not committed are answered
  // `not_applied`. A call that is under way in another thread keeps the folders locked until it
  // returns. Calling this again does nothing.
  void close();

  // --- Without a folder ---

  // A journal is away while the disk takes no folder of it. The answer is the disk's error, or
  // success once there is a folder. Records of dead owners are adopted, served, sent and settled
  // meanwhile, but every new record is answered `not_applied`.
  IoStatus away() const;
  // Makes the folder of a journal that is away. EAGAIN means that another thread is writing just
  // now and the call should be tried again in a moment.
  IoStatus come_back();

  // False if one of this journal's folders was deleted or replaced while it was open, until
  // `restore` has succeeded. A disk that does not answer counts as in order.
  bool stands() const;
  // Makes a new folder in the place of a deleted one and brings there what is live: records that
  // can still be read (those of the segment that was written last by its open file), what the index
  // knows without reading, and documents from `newest`, which is asked for the newest entry that
  // the caller has of a key. `newest` may call the journal, but not `commit`. A record that nobody
  // has any more is let go. It is counted in `lost_records` unless the store has it or `newest`
  // knows a newer entry. EAGAIN means that another thread is writing; after any error call this
  // again, it goes on where it stopped, and until it has succeeded nothing else is written.
  using Newest = std::function<std::optional<Entry>(const EntryId&)>;
  IoStatus restore(const Newest& newest);

  // --- Writing ---

  // Queues a record for the next commit. `done` is called exactly once, by the thread that wrote
  // the record, when it is synced and live, or could not be written. It must be short and must not
  // call `commit`. If the journal is closed, it is called at once with `not_applied`.
  using Done = std::function<void(const AppendResult&)>;
  void append(Record record, Done done);
  // Writes and syncs all that is queued, with one fdatasync per round. If another thread is writing
  // already, this returns at once, and that thread will write what is queued. A thread serves the
  // queue for a bounded number of rounds. False means that others kept the queue filled for all of
  // them, and the caller must see to another `commit` soon, best on the disk lane. After a failed
  // write or sync the segment is abandoned, its live records are copied to a new one, and records
  // are acknowledged only from there.
  bool commit();

  // --- What the file tier tells ---

  // To be called before the key's file is replaced without a sync. True if the journal has the live
  // content of this version; it then keeps it until a `file_written` that is told later is synced.
  // False means that the new file must be synced before it takes the old one's place.
  bool cover_file_write(const EntryId& id, Version version);
  // The key's file was written with at least this version and these clocks, and is not synced yet.
  void file_written(const EntryId& id, Version version, const Clocks& clocks);
  // The files that a matching erase of this version hides were removed, and that is not synced yet.
  // Until it is told and synced, the next open meets the erase again, even if the store has settled
  // it.
  void files_erased(const EntryId& glob, Version version);
  // How syncs are told: take a mark, sync the files, then pass the mark to `files_synced`. Each
  // `file_written` and `files_erased` that was told before the mark was taken then counts as
  // synced.
  std::uint64_t files_mark() const;
  void files_synced(std::uint64_t mark);

  // --- Sending to the store ---

  // The store settled the key up to this version. A write of kind clocks settles the clocks record
  // alone. Content that was saved took along the clocks that were sent with it; content that was
  // superseded did not, so its clocks are sent again by themselves.
  using Settlement = tiercache::Settlement;  // saved, superseded
  void settled(const UnsettledWrite& write, Settlement how = Settlement::saved);
  // The store refused this write for good. It is kept and listed, with `why`, until it is retried,
  // discarded, or replaced by a newer write of the key. That it is parked is on disk after the next
  // `commit`.
  void park(const UnsettledWrite& write, const std::string& why);

  // Takes up to `limit` unsettled writes of about `max_bytes` in all, oldest version first. Their
  // keys are in flight and are not taken again until `settled`, `park` or `release`. A key's clocks
  // travel with its content, and a matching erase comes alone. A record whose bytes fail their
  // checksum is parked; one that the disk will not read just now waits for `resume`. Writes for
  // which `apart` is true are passed over. `apart` is called under a lock and must not call the
  // journal.
  std::vector<UnsettledWrite> take_unsettled(
      std::size_t limit, std::size_t max_bytes,
      const std::function<bool(const SlotName&)>& apart = {});
  // True if some unsettled write is neither apart nor in flight. It need not be one that can be
  // taken now: those that wait for `resume` count too. `apart` as above.
  bool has_unsettled(const std::function<bool(const SlotName&)>& apart) const;
  // Takes, in the same way, those of these slots that may be sent now.
  std::vector<UnsettledWrite> take_named(std::span<const SlotName> slots);
  // Gives back writes whose attempt failed. With `again` they may be taken at once; with `hold`
  // they wait for `resume`, which a newer write of the same key does not.
  enum class Release : std::uint8_t { again, hold };
  void release(std::span<const UnsettledWrite> writes, Release how = Release::again);
  void resume();

  // --- What is known of a key ---

  // The key's live content, read from its segment. Nullopt if there is none or it cannot be read.
  std::optional<Record> live_content(const EntryId& id) const;
  // The clocks of the key's live clocks record, which a file or the store may lack; empty without
  // one.
  Clocks live_clocks(const EntryId& id) const;
  // True while the store has neither settled nor refused the key's newest content, whose version is
  // then in `*version`.
  bool is_unsettled(const EntryId& id, Version* version = nullptr) const;
  // True while some record of the key is live, or a write of it is in flight.
  bool holds(const EntryId& id) const;
  // The guard of the key's content of this version. Nullopt if that has none or is settled.
  std::optional<Guard> guard_of(const EntryId& id, Version version) const;
  // True while the store has neither settled nor refused the newest write of this kind, which is
  // the key's, or with a matching erase that of the glob in `id.key`.
  bool awaits_store(RecordKind kind, const EntryId& id) const;
  // The version of the newest matching erase that hides older entries of this key. It hides them
  // until the store has settled it and the removal of its files is synced.
  std::optional<Version> erased_below(const EntryId& id) const;

  // --- The outbox, for a person ---

  // The writes that the store has not settled, oldest version first.
  std::vector<OutboxWrite> list(const OutboxQuery& query) const;
  std::vector<OutboxWrite> parked() const {
    return list({.state = OutboxState::parked, .limit = SIZE_MAX});
  }
  // The parked writes of the key, or of the glob in `id.key`. A version of zero means all of them;
  // so it does in the two calls below.
  std::vector<OutboxWrite> parked_of(const EntryId& id, Version version = {}) const;
  // Queues parked writes for the store again. False if none is parked. On disk after the next
  // `commit`.
  bool retry_parked(const EntryId& id, Version version = {});
  // Gives parked writes up, whether their files are written or not. False if none is parked. The
  // next open would find and park them again until `forget_discarded` has succeeded.
  bool discard_parked(const EntryId& id, Version version = {});
  // Removes discarded records from the disk: copies forward what is live beside them and deletes
  // their segments. EAGAIN means that a segment cannot go just now, and the call should be tried
  // again in a moment. Any other error means that the disk refuses; the next call tries again.
  IoStatus forget_discarded();

  // --- Upkeep ---

  // Copies live records forward so that their segments can go. `when_due` means out of adopted
  // folders and failed segments, and out of the oldest segment while dead bytes outweigh live ones;
  // `all` means out of every segment but the current one, whatever the proportion. The owner calls
  // this now and then on the disk lane. A segment that has lost its last live record needs no
  // compaction: it is deleted by the call that emptied it, or by a later one.
  using Compact = tiercache::Compact;  // when_due, all
  IoStatus compact(Compact how);

  JournalStats stats() const;

 private:
  struct Impl;
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tiercache
