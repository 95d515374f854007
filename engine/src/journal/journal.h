// The write-ahead log of one open cache. What `append` acknowledges survives kill -9 and power loss
// (I1) until its file is synced and the store has settled it.
//
// On disk: `<directory>/journal/<name>/` with an `owner` file that carries the lock, and segments
// `<number>.seg`, preallocated with zeros, of checksummed records. In memory: per key the place of its
// live record, never the document, so a day without the store costs disk and not memory.
//
// A record is live while it is the newest of its key and its file is not synced or the store has not
// settled it. A segment without live records is deleted; when dead bytes outweigh live ones the oldest
// segment's live records are copied forward. So the journal's size is bounded by the unconfirmed keys'
// bytes, never by time or the number of writes.
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

#include "journal/record.h"
#include "tiercache/file_system.h"
#include "tiercache/store.h"

namespace tiercache {

struct JournalOptions {
  std::string directory;                      // `<cache directory>/journal`
  std::string name;                           // of this open cache; a new folder
  std::uint64_t segment_bytes = 4 << 20;      // preallocated; a larger record gets a segment of its own
  std::uint64_t max_bytes = 1ull << 30;       // live bytes; at it `append` answers `full`
  bool has_store = true;                      // false: records live only until their file is synced
};

enum class AppendStatus : std::uint8_t {
  durable,      // synced
  full,         // `max_bytes` of live records: nothing was written
  not_applied,  // the disk refused; the record is nowhere and never will be
  unknown,      // the disk refused in the middle; the record may be found at the next open
};

struct AppendResult {
  AppendStatus status = AppendStatus::durable;
  IoStatus io;  // with `not_applied` and `unknown`
};

// One write the store has not settled, as the drain takes it.
struct UnsettledWrite {
  StoreWrite write;
  RecordKind kind = RecordKind::content;  // content, clocks or erase_matching (then `write.id.key` is the glob)
};

struct ParkedWrite {
  EntryId id;
  Version version;
  std::string why;
};

struct JournalStats {
  std::uint64_t live_records = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t disk_bytes = 0;  // of all segments
  std::uint64_t segments = 0;
  std::uint64_t unsettled = 0;   // waiting for the store: the outbox's depth
  std::uint64_t parked = 0;
  std::uint64_t syncs = 0;
  std::uint64_t records_synced = 0;  // records_synced / syncs: the group commit's size
  std::uint64_t segments_abandoned = 0;
  std::uint64_t corrupt_records = 0;  // met at recovery and kept aside
};

// Thread-safe.
class Journal {
 public:
  // Called once per record met at recovery, oldest first, that was live when its owner stopped.
  using Recovered = std::function<void(const Record&)>;

  // Makes the journal's folder, takes its lock, then adopts the folders of dead owners beside it: copies
  // their live records into this one, syncs, and deletes them. Folders whose lock is held belong to a
  // living cache and are left alone. A bad tail is cut; a bad record before a good one is copied to
  // `<directory>/../quarantine`, counted and skipped.
  static IoStatus open(FileSystem& file_system, const JournalOptions& options,
                       const Recovered& recovered, std::unique_ptr<Journal>* out);
  ~Journal();

  // Queues a record for the next commit. `done` is called exactly once, from inside some thread's
  // `commit()`, after the record was synced or could not be; by then the record is live. It must be short
  // and must not call `commit`.
  using Done = std::function<void(const AppendResult&)>;
  void append(Record record, Done done);
  // Writes and syncs all that is queued with one fdatasync, unless another thread is at it: then that one
  // will see to it. Returns true when this call left the queue empty, false when another thread is
  // committing. After a failed sync the segment is abandoned, its live records are copied to a new one,
  // and records are acknowledged only from there.
  bool commit();

  // The key's file of at least this version was written, not yet synced.
  void file_written(const EntryId& id, Version version, const Clocks& clocks);
  // Every `file_written` told before `mark` was taken is now synced. Take the mark, sync, then tell.
  std::uint64_t files_mark() const;
  void files_synced(std::uint64_t mark);
  // The store settled the key up to this version: saved, already saved or superseded. `kind` clocks
  // settles the clocks record alone, with the clocks that were sent.
  void settled(const UnsettledWrite& write);
  // The store refused it for good: kept on disk and listed until retried or discarded.
  void park(const UnsettledWrite& write, const std::string& why);

  // Up to `limit` unsettled writes and about `max_bytes`, oldest version first, that are not in
  // `excluded`-by-key (those in flight). Erase-matching writes come alone.
  std::vector<UnsettledWrite> take_unsettled(std::size_t limit, std::size_t max_bytes);
  // True while the key has an unsettled content record; its version in `*version`.
  bool is_unsettled(const EntryId& id, Version* version = nullptr) const;
  // The newest unsettled matching erase that hides this key, if any.
  std::optional<Version> erased_below(const EntryId& id) const;
  std::vector<ParkedWrite> parked() const;
  // Makes a parked write unsettled again, or gives it up for good. False when there is none.
  bool retry_parked(const EntryId& id);
  bool discard_parked(const EntryId& id);

  // Copies live records forward and deletes dead segments where that is due; the owner calls it now and
  // then on the disk lane. `all`: until one segment is left.
  enum class Compact : std::uint8_t { when_due, all };
  IoStatus compact(Compact how);

  JournalStats stats() const;

 private:
  struct Impl;
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tiercache
