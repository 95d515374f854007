// Group commit: one thread at a time has the turn, writes what all have queued, and acknowledges
// it.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/hash.h"
#include "base/same_file.h"
#include "journal/journal_impl.h"

namespace tiercache {
namespace {

// How often a thread serves the queue for others before it goes back to its own work.
constexpr int kMaxRounds = 8;
// The frame's length is 32 bits.
constexpr std::uint64_t kMaxPayloadBytes = 1ull << 31;

std::uint64_t total_bytes(std::span<QueuedRecord* const> records) {
  std::uint64_t total = 0;
  for (const QueuedRecord* queued : records) total += queued->bytes();
  return total;
}

void answer(std::span<QueuedRecord* const> records, AppendStatus status, const IoStatus& io) {
  for (QueuedRecord* queued : records) queued->result = {status, io};
}

}  // namespace

std::vector<QueuedRecord*> pointers(std::vector<QueuedRecord>* records) {
  std::vector<QueuedRecord*> all;
  for (QueuedRecord& queued : *records) all.push_back(&queued);
  return all;
}

// --- Turns ---

bool Journal::Impl::commit() {
  for (int round = 0; round < kMaxRounds; ++round) {
    std::vector<QueuedRecord> batch;
    if (begin_round(Sync::yes, &batch) != Turn::mine) return true;
    run_round(Sync::yes, &batch);
  }
  Lock lock(mutex);
  return queue.empty() || writing;
}

void Journal::Impl::write_notes() {
  std::vector<QueuedRecord> batch;
  if (begin_round(Sync::no, &batch) == Turn::mine) run_round(Sync::no, &batch);
  // Who queued a record meanwhile was told that a thread is writing already: so this one must go
  // on.
  while (!commit()) {
  }
}

Journal::Impl::Turn Journal::Impl::begin_round(Sync sync, std::vector<QueuedRecord>* batch) {
  Lock lock(mutex);
  if (!folder) return Turn::nothing_to_do;
  if (writing) return Turn::others;
  if (sync == Sync::yes) {
    if (queue.empty()) return Turn::nothing_to_do;
    batch->swap(queue);
  } else if (notes.empty()) {
    return Turn::nothing_to_do;
  }
  for (auto& [slot, note] : notes) batch->push_back(std::move(note));
  notes.clear();
  writing = true;
  return Turn::mine;
}

void Journal::Impl::run_round(Sync sync, std::vector<QueuedRecord>* batch) {
  write(batch, sync);
  {
    Lock lock(mutex);
    writing = false;
    if (std::exchange(leaving, false)) {
      current = {};
      current_number = 0;
    }
    if (!folder) let_go();
  }
  for (const QueuedRecord& queued : *batch) {
    if (queued.done) queued.done(queued.result);
  }
  trim();
}

void Journal::Impl::leave_segment() {
  {
    Lock lock(mutex);
    leaving = true;
    if (!folder || writing) return;
    writing = true;
  }
  std::vector<QueuedRecord> nothing;
  run_round(Sync::no, &nothing);
}

// --- What is written ---

void Journal::Impl::merge_with_live_clocks(QueuedRecord* queued) {
  Record earlier;
  PlaceReader reader(*file_system);
  SlotPlaces places;
  {
    Lock lock(mutex);
    if (!index.find_clocks(queued->record.id, &places, &earlier.entry.clocks)) return;
    for (const Place& place : places.places) index.pin(place.segment);
    add_sources(places.places, &reader);
  }
  earlier.entry.version = places.version;
  earlier.entry.metadata.clear();
  const Entry& later = queued->record.entry;
  if (places.version > later.version ||
      (places.version == later.version && later.metadata.empty())) {
    // Its metadata is on the disk alone; where that cannot be read its clocks still count.
    Record read;
    if (reader.read(places.places, &read).ok()) {
      earlier = std::move(read);
    } else {
      earlier.entry.version = {};
    }
  }
  merge_clocks_records(earlier, &queued->record);
  Lock lock(mutex);
  for (const Place& place : places.places) index.unpin(place.segment);
}

// A clocks record replaces the one before it, so it must say all that one said.
void Journal::Impl::merge_clocks_of(std::vector<QueuedRecord>* batch) {
  std::map<EntryId, const Record*> earlier;
  for (QueuedRecord& queued : *batch) {
    if (queued.record.kind != RecordKind::clocks || queued.copy_of) continue;
    if (queued.result.status != AppendStatus::durable) continue;
    const auto [found, first] = earlier.try_emplace(queued.record.id, &queued.record);
    if (first) {
      merge_with_live_clocks(&queued);
    } else {
      merge_clocks_records(*found->second, &queued.record);
      found->second = &queued.record;
    }
    queued.payload = encode_record(queued.record);
  }
}

// Answers what cannot be written; the rest is `durable` for now.
std::vector<QueuedRecord*> Journal::Impl::admit(std::vector<QueuedRecord>* batch) {
  std::vector<QueuedRecord*> admitted;
  std::uint64_t more = 0;
  Lock lock(mutex);
  for (QueuedRecord& queued : *batch) {
    const bool grows = !queued.copy_of && (queued.record.kind == RecordKind::content ||
                                           queued.record.kind == RecordKind::clocks);
    const std::uint64_t old = grows ? index.replaced_bytes(queued.record) : 0;
    const std::uint64_t growth = queued.bytes() > old && grows ? queued.bytes() - old : 0;
    if (queued.payload.size() > kMaxPayloadBytes) {
      queued.result = {AppendStatus::not_applied, {EFBIG, "record too large for the journal"}};
    } else if (growth > 0 && index.live_bytes() + more + growth > options.max_bytes) {
      queued.result = {AppendStatus::full, {}};
    } else {
      more += growth;
      admitted.push_back(&queued);
    }
  }
  return admitted;
}

void Journal::Impl::collect_left_behind(std::vector<QueuedRecord>* copies) {
  for (const LeftBehind& left : left_behind) read_live(*left.segment, left.file.get(), copies);
}

void Journal::Impl::write(std::vector<QueuedRecord>* batch, Sync sync) {
  if (refuse_without_folder(batch)) return;
  std::vector<QueuedRecord> copies;
  collect_left_behind(&copies);
  std::vector<QueuedRecord*> records = pointers(&copies);
  const std::vector<QueuedRecord*> admitted = admit(batch);
  merge_clocks_of(batch);
  records.insert(records.end(), admitted.begin(), admitted.end());
  // What moves was synced where it was.
  if (write_all(records, copies.empty() ? sync : Sync::yes).ok()) left_behind.clear();
}

IoStatus Journal::Impl::write_all(std::span<QueuedRecord* const> all, Sync sync) {
  for (std::size_t start = 0; start < all.size();) {
    if (!fits(all[start]->bytes())) {
      // Only notes are left, which come last and are not worth a segment.
      if (all[start]->record.kind == RecordKind::done) break;
      const IoStatus io = start_segment(std::max(options.segment_bytes, all[start]->bytes()));
      if (!io.ok()) {
        answer(all.subspan(start), AppendStatus::not_applied, io);
        return io;
      }
    }
    std::size_t end = start;
    for (std::uint64_t bytes = 0; end < all.size(); ++end) {
      bytes += all[end]->bytes();
      if (!fits(bytes)) break;
    }
    const auto chunk = all.subspan(start, end - start);
    const IoStatus io = write_records(chunk, sync);
    if (!io.ok()) {
      answer(chunk, AppendStatus::unknown, io);
      answer(all.subspan(end), AppendStatus::not_applied, io);
      return io;
    }
    start = end;
  }
  return {};
}

// --- Segments ---

bool Journal::Impl::fits(std::uint64_t bytes) const {
  return current.segment != nullptr && bytes <= current.limit - current.end;
}

std::uint64_t Journal::Impl::reserve_sequences(std::uint64_t count) {
  Lock lock(mutex);
  return std::exchange(next_sequence, next_sequence + count);
}

IoStatus Journal::Impl::start_segment(std::uint64_t capacity) {
  auto made = std::make_shared<JournalSegment>();
  {
    Lock lock(mutex);
    if (!folder) return {EBADF, "the journal is closed"};
    made->folder = folder;
    made->number = next_segment++;
  }
  made->path = made->folder->path + "/" + segment_name(made->number);
  made->salt = hash64(made->path, options.seed ^ made->number);
  made->file_bytes = 2 * kSegmentHeaderBytes +
                     (capacity + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment;
  std::unique_ptr<File> file;
  const IoStatus status = create_segment(*file_system, made->folder->path, made->path,
                                         {made->salt, made->number}, capacity, &file);
  if (!status.ok()) return status;
  const std::uint64_t start = kSegmentHeaderBytes;
  current = {made,  std::move(file), identity_of(*file_system, made->path),
             start, start,           made->file_bytes - kSegmentHeaderBytes};
  Lock lock(mutex);
  ++made->folder->segments;
  segments.emplace(made->number, made);
  index.add_segment(made->number);
  current_number = made->number;
  return {};
}

// Gives up a segment that holds nothing live: the round's end deletes it.
void Journal::Impl::drop_current_segment() {
  current = {};
  Lock lock(mutex);
  current_number = 0;
}

std::string Journal::Impl::place_records(std::span<QueuedRecord* const> records) {
  std::uint64_t sequence = reserve_sequences(records.size());
  std::string bytes;
  bytes.reserve(total_bytes(records));
  for (QueuedRecord* queued : records) {
    queued->place = {current.segment->number, current.end + bytes.size(),
                     static_cast<std::uint32_t>(queued->bytes())};
    append_frame(&bytes, current.segment->salt,
                 {queued->record.kind, sequence++, current.synced_to, queued->payload});
  }
  return bytes;
}

IoStatus Journal::Impl::put(const std::string& bytes, Sync sync) {
  IoStatus status = current.file->write_at(current.end, bytes);
  if (!status.ok()) return status;
  current.end += bytes.size();
  if (sync == Sync::no) return status;
  status = current.file->sync_data();
  if (!status.ok()) return status;
  // A file that somebody deleted takes writes and syncs as before.
  if (!still_leads_to(*file_system, current.segment->path, current.identity)) {
    return {ENOENT, "journal segment " + current.segment->path + " was deleted or replaced"};
  }
  current.synced_to = current.end;
  return {};
}

IoStatus Journal::Impl::write_records(std::span<QueuedRecord* const> records, Sync sync) {
  const IoStatus status = put(place_records(records), sync);
  if (!status.ok()) return rescue(records);
  make_live(records, sync);
  return status;
}

// After a failed sync nothing tells which bytes are on the disk, and the next sync may say that all
// is well. So the segment is never touched again; what it holds goes to a new one with the records
// at hand.
IoStatus Journal::Impl::rescue(std::span<QueuedRecord* const> records) {
  left_behind.push_back({current.segment, std::move(current.file)});
  current = {};
  {
    Lock lock(mutex);
    current_number = 0;
    left_behind.back().segment->failed = true;
    ++counters.segments_abandoned;
  }
  std::vector<QueuedRecord> copies;
  collect_left_behind(&copies);
  std::vector<QueuedRecord*> all = pointers(&copies);
  all.insert(all.end(), records.begin(), records.end());
  IoStatus status = start_segment(std::max(options.segment_bytes, total_bytes(all)));
  if (!status.ok()) return status;
  status = put(place_records(all), Sync::yes);
  if (!status.ok()) {
    drop_current_segment();
    return status;
  }
  make_live(all, Sync::yes);
  left_behind.clear();
  return status;
}

void Journal::Impl::make_live(std::span<QueuedRecord* const> records, Sync sync) {
  Lock lock(mutex);
  for (const QueuedRecord* queued : records) {
    if (queued->copy_of) {
      index.move(queued->record, *queued->copy_of, queued->place);
    } else if (queued->record.kind == RecordKind::parked) {
      index.add_parked_marker(queued->record, queued->place);
    } else {
      index.add(queued->record, queued->place);
    }
  }
  current.segment->used_bytes = current.end - kSegmentHeaderBytes;
  if (sync == Sync::no) return;
  ++counters.syncs;
  counters.records_synced += records.size();
}

}  // namespace tiercache
