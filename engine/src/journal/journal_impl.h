// The inside of a journal, shared by the files that implement it: journal.cc (bookkeeping),
// parking.cc (what was refused), commit.cc (writing), reading.cc (reading back), compaction.cc,
// adoption.cc (dead owners' folders) and restoring.cc (folders that were deleted).
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "journal/journal.h"
#include "journal/live_index.h"
#include "journal/segment.h"

namespace tiercache {

// The directory that holds this path.
std::string parent_of(const std::string& path);

// A folder of segments that this journal owns: its own, or a dead owner's.
struct JournalFolder {
  std::string path;
  std::unique_ptr<FileLock> lock;
  std::uint64_t owner = 0;       // what was locked
  std::atomic<bool> own{false};  // what is written goes here
  bool keep = false;  // it holds bad bytes that could not be brought to quarantine: never deleted
  // Under the journal's mutex.
  std::size_t segments = 0;
  bool gone = false;  // somebody deleted it
};

std::string owner_path(const JournalFolder& of);

struct JournalSegment {
  // Fixed.
  std::uint64_t number =
      0;  // among all segments of this journal, in the order they were made or met
  std::shared_ptr<JournalFolder> folder;
  std::string path;
  std::uint64_t salt = 0;
  std::uint64_t file_bytes = 0;
  // Under the journal's mutex.
  std::uint64_t used_bytes = 0;  // of frames
  bool unreadable =
      false;            // a live record in it could not be read back: compaction leaves it alone
  bool failed = false;  // a write or sync of it failed: what is live in it should move
  bool going = false;   // some thread is deleting it
  bool stuck = false;   // its deletion failed; the next compaction tries again
};

using SegmentPtr = std::shared_ptr<JournalSegment>;

// A record on its way into a segment.
struct QueuedRecord {
  Record record;  // without its document
  std::string payload;
  Journal::Done done;            // may be null
  std::optional<Place> copy_of;  // a live record that moves; else a new one
  Place place;
  AppendResult result;

  std::uint64_t bytes() const { return frame_bytes(payload.size()); }
};

std::vector<QueuedRecord*> pointers(std::vector<QueuedRecord>* records);
// A done or parked record that speaks of the slot.
QueuedRecord marker(RecordKind kind, const SlotName& slot, Version version);

// Reads frames of several segments, each opened once. Not thread-safe. The segments are pinned
// meanwhile.
class PlaceReader {
 public:
  explicit PlaceReader(FileSystem& file_system) : file_system_(file_system) {}

  void add(SegmentPtr segment) { sources_[segment->number].segment = std::move(segment); }
  // Reads and verifies one record. EILSEQ when the bytes do not hold.
  IoStatus read(const Place& place, Record* out, std::uint64_t* sequence = nullptr);
  // Reads the record of a slot; clocks records are merged.
  IoStatus read(const std::vector<Place>& places, Record* out);

 private:
  struct Source {
    SegmentPtr segment;
    std::unique_ptr<File> file;
  };
  FileSystem& file_system_;
  std::map<std::uint64_t, Source> sources_;
};

struct Journal::Impl {
  Impl(std::shared_ptr<FileSystem> fs, const JournalOptions& journal_options)
      : file_system(std::move(fs)),
        options(journal_options),
        quarantined(options.quarantine
                        ? options.quarantine
                        : std::make_shared<Quarantine>(*file_system,
                                                       parent_of(options.directory) + "/quarantine",
                                                       Quarantine::kDefaultMaxBytes)),
        index(journal_options.has_store) {}

  // --- Bookkeeping (journal.cc) ---
  IoStatus make_folder(std::shared_ptr<JournalFolder>* out);
  IoStatus lock_folder(JournalFolder* made);
  // Stands for one that the disk does not take.
  std::shared_ptr<JournalFolder> missing_folder() const;
  IoStatus come_back();
  void close();
  void append(QueuedRecord queued);
  void settled(const UnsettledWrite& write, Settlement how);
  // Remembers to write, without a sync, that the slot is settled.
  void note_settled(const SlotName& slot, Version version, const Clocks& clocks)
      TIERCACHE_REQUIRES(mutex);
  bool holds_untrusted() const TIERCACHE_REQUIRES(mutex);
  // Deletes segments without live records, and adopted folders without segments.
  void trim();
  // False when the file may still be there after a power loss.
  bool delete_segment(const JournalSegment& segment);
  void let_go() TIERCACHE_REQUIRES(mutex);
  JournalStats figures() const;

  // --- What the store refused (parking.cc) ---
  void park(const UnsettledWrite& write, const std::string& why);
  std::vector<OutboxWrite> list(const OutboxQuery& query) const;
  std::vector<OutboxWrite> parked_of(const EntryId& id, Version version) const;
  bool retry_parked(const EntryId& id, Version version);
  bool discard_parked(const EntryId& id, Version version);
  IoStatus forget_discarded();

  // --- Writing (commit.cc) ---
  bool commit();
  // Writes the notes of what was settled, without a sync, unless a thread is writing.
  void write_notes();
  enum class Sync : std::uint8_t { yes, no };
  enum class Turn : std::uint8_t { mine, others, nothing_to_do };
  Turn begin_round(Sync sync, std::vector<QueuedRecord>* batch);
  void run_round(Sync sync, std::vector<QueuedRecord>* batch);

  // Nothing more is written to the current segment, from the end of the round on that runs now.
  void leave_segment();

  // The following only by the thread whose turn it is.
  bool refuse_without_folder(std::vector<QueuedRecord>* batch);
  void write(std::vector<QueuedRecord>* batch, Sync sync);
  void merge_clocks_of(std::vector<QueuedRecord>* batch);
  void merge_with_live_clocks(QueuedRecord* queued);
  std::vector<QueuedRecord*> admit(std::vector<QueuedRecord>* batch);
  void collect_left_behind(std::vector<QueuedRecord>* copies);
  // Fills in the results; the first error. All that is there is synced unless `sync` is no.
  IoStatus write_all(std::span<QueuedRecord* const> records, Sync sync);
  bool fits(std::uint64_t bytes) const;
  IoStatus start_segment(std::uint64_t capacity);
  void drop_current_segment();
  // Encodes records for the current segment, from its end on, and fills in their places.
  std::string place_records(std::span<QueuedRecord* const> records);
  IoStatus put(const std::string& bytes, Sync sync);
  IoStatus write_records(std::span<QueuedRecord* const> records, Sync sync);
  IoStatus rescue(std::span<QueuedRecord* const> records);
  void make_live(std::span<QueuedRecord* const> records, Sync sync);
  std::uint64_t reserve_sequences(std::uint64_t count);

  // --- Reading back (reading.cc) ---
  std::optional<Record> live_content(const EntryId& id);
  std::vector<UnsettledWrite> take(const std::function<std::vector<SlotPlaces>()>& choose);
  void add_sources(const std::vector<Place>& places, PlaceReader* reader) const
      TIERCACHE_REQUIRES(mutex);
  // The live records of one segment, ready to be queued. Those whose bytes do not hold are parked
  // where they are.
  IoStatus read_live(const JournalSegment& segment, File* open, std::vector<QueuedRecord>* out);
  // The same without a judgement of what does not hold; `*known`: the offsets of what does.
  IoStatus read_good(const JournalSegment& segment, File* open, std::vector<QueuedRecord>* out,
                     std::set<std::uint64_t>* known);
  void park_unreadable(const SlotName& slot, Version version) TIERCACHE_REQUIRES(mutex);

  // --- Deleted folders (restoring.cc) ---
  bool stands() const;
  IoStatus restore(const Newest& newest);
  std::vector<std::shared_ptr<JournalFolder>> folders() const TIERCACHE_REQUIRES(mutex);
  // The following only by the thread whose turn it is.
  IoStatus replace_deleted_folder();
  IoStatus bring_over(const SegmentPtr& segment, const Newest& newest);
  // What cannot be read is made once more; what cannot be is counted.
  void make_once_more(const JournalSegment& segment, const std::set<std::uint64_t>& known,
                      const Newest& newest, std::vector<QueuedRecord>* out);

  // --- Compaction (compaction.cc) ---
  IoStatus compact(Compact how);
  std::optional<std::uint64_t> next_to_compact(Compact how, std::uint64_t first,
                                               std::uint64_t end) const TIERCACHE_REQUIRES(mutex);
  IoStatus compact_segment(std::uint64_t number);

  // --- Adoption (adoption.cc) ---
  struct Replay;
  IoStatus adopt(const Recovered& recovered, const AllRecovered& all_recovered);
  bool nobody_left_anything() const;
  IoStatus adopt_folder(const std::string& path, Replay* replay);
  IoStatus adopt_segment(const std::shared_ptr<JournalFolder>& folder, std::uint64_t number,
                         Replay* replay);
  void replay_frame(const FoundFrame& found, const JournalSegment& segment, std::string_view bytes,
                    Replay* replay);
  void forget(const JournalFolder& folder, Replay* replay);
  void finish(Replay* replay);
  IoStatus tell(const Recovered& recovered, Replay* replay, std::uint64_t* live_bytes);
  // True when the bytes are safe in quarantine.
  bool quarantine(const JournalFolder& folder, std::uint64_t number, std::uint64_t offset,
                  std::string_view bytes);

  const std::shared_ptr<FileSystem> file_system;
  const JournalOptions options;
  const std::shared_ptr<Quarantine> quarantined;

  mutable Mutex mutex;
  std::shared_ptr<JournalFolder> folder TIERCACHE_GUARDED_BY(mutex);  // null once closed
  LiveIndex index TIERCACHE_GUARDED_BY(mutex);
  std::map<std::uint64_t, SegmentPtr> segments TIERCACHE_GUARDED_BY(mutex);
  std::uint64_t next_segment TIERCACHE_GUARDED_BY(mutex) = 1;
  std::uint64_t next_sequence TIERCACHE_GUARDED_BY(mutex) = 1;
  std::vector<std::shared_ptr<JournalFolder>> kept TIERCACHE_GUARDED_BY(mutex);  // their locks
  std::vector<QueuedRecord> queue TIERCACHE_GUARDED_BY(mutex);
  std::map<SlotName, QueuedRecord> notes
      TIERCACHE_GUARDED_BY(mutex);                     // bounded; they spare repeats
  bool writing TIERCACHE_GUARDED_BY(mutex) = false;    // some thread has its turn
  bool leaving TIERCACHE_GUARDED_BY(mutex) = false;    // the round's end drops the current segment
  bool restoring TIERCACHE_GUARDED_BY(mutex) = false;  // a folder was deleted and not yet replaced
  IoStatus away TIERCACHE_GUARDED_BY(mutex);           // why there is no folder yet
  std::set<std::uint64_t> discarded_in TIERCACHE_GUARDED_BY(mutex);  // segments not yet forgotten
  std::uint64_t current_number TIERCACHE_GUARDED_BY(mutex) = 0;      // of `current`; 0: none
  JournalStats counters TIERCACHE_GUARDED_BY(mutex);

  // Touched only by the thread whose turn it is.
  int names_used = 0;  // of folders
  struct Current {
    SegmentPtr segment;  // null: the next write makes one
    std::unique_ptr<File> file;
    std::uint64_t identity = 0;  // of the file
    std::uint64_t end = 0;
    std::uint64_t synced_to = 0;
    std::uint64_t limit = 0;
  } current;
  // Abandoned segments from which live records could not be copied yet. One that was deleted can
  // still be read through its descriptor.
  struct LeftBehind {
    SegmentPtr segment;
    std::unique_ptr<File> file;
  };
  std::vector<LeftBehind> left_behind;
};

}  // namespace tiercache
