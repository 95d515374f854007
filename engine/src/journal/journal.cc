// The journal is put together here; journal.h says what its parts are for. Each part has what its
// constructor was handed, and nothing else. How a record goes through them:
//
//     append -> CommitQueue: queued
//     commit -> CommitQueue: the turn -> RoundWriter -> SegmentWriter -> CurrentSegment: synced
//                                                           `-> SegmentTable: live
//     the turn's end -> answers; SegmentTable::trim deletes segments with nothing live
//     drain  -> RecordReader: read back -> store -> Settling or ParkedRecords
//                                                           `-> SegmentTable: settled, perhaps dead
//
// Two locks matter. The queue's guards what waits to be written and who has the turn; the table's
// guards the segments and what is live in them. Where both are held, the queue's was taken first;
// the small lock of ParkedRecords comes before both. None is held while a file is read, written or
// synced.
#include "journal/journal.h"

#include <utility>

#include "base/parent_path.h"
#include "journal/adoption.h"
#include "journal/commit_queue.h"
#include "journal/compaction.h"
#include "journal/live/outbox_listing.h"
#include "journal/parked_records.h"
#include "journal/restoring.h"
#include "journal/round_writer.h"
#include "journal/segments/journal_counters.h"
#include "journal/segments/own_folder.h"
#include "journal/segments/record_reader.h"
#include "journal/segments/segment_table.h"
#include "journal/segments/segment_writer.h"
#include "journal/settling.h"

namespace tiercache {

// The parts, in the order in which they are made: a part knows only those above it.
struct Journal::Impl {
  Impl(std::shared_ptr<FileSystem> fs, const JournalOptions& options);

  void close();
  // Notes which records wait for no file any more. After a crash those are not brought to files
  // again: their files may have been evicted or purged since, and may have had newer content.
  void note_filed();
  // Lets go of files and locks. Called by the last thread that had the turn, or by the closing one
  // if nobody has it.
  void let_go();

  const std::shared_ptr<FileSystem> file_system;
  const std::shared_ptr<Quarantine> quarantine;
  JournalCounters counters;
  OwnFolder own_folder;
  SegmentTable table;
  RecordReader reader;
  SegmentWriter writer;
  RoundWriter rounds;
  CommitQueue queue;
  Compaction compaction;
  Settling settling;
  ParkedRecords parked_records;
  FolderAdoption adoption;
  FolderRestoring restoring;
  std::uint64_t filed_up_to = 0;  // as noted last; touched in the queue's order
};

Journal::Impl::Impl(std::shared_ptr<FileSystem> fs, const JournalOptions& options)
    : file_system(std::move(fs)),
      quarantine(options.quarantine
                     ? options.quarantine
                     : std::make_shared<Quarantine>(*file_system,
                                                    parent_of(options.directory) + "/quarantine",
                                                    Quarantine::kDefaultMaxBytes)),
      own_folder(*file_system, options.directory, options.name),
      table(*file_system, options.has_store),
      reader(*file_system, table, counters),
      writer(*file_system, options.segment_bytes, options.seed, own_folder, table, reader,
             counters),
      rounds(*file_system, options.max_bytes, own_folder, table, writer),
      queue({.write = [this](std::vector<QueuedRecord>* batch,
                             Sync sync) { rounds.write(batch, sync); },
             .finish_segment = [this] { writer.finish_segment(); },
             .let_go = [this] { let_go(); },
             .turn_ended = [this] { table.trim(); }}),
      compaction(own_folder, table, reader, queue),
      settling(table, queue),
      parked_records(*file_system, own_folder, table, queue, compaction),
      adoption(*file_system, options, *quarantine, table, reader, compaction, counters),
      restoring(*file_system, own_folder, table, reader, writer, queue, counters) {}

void Journal::Impl::let_go() {
  writer.let_go();
  table.let_go();
}

// The note is synced at once: what it covers may go from the files as soon as the store has it, and
// whoever removes it there may be another process, which knows nothing of this note.
void Journal::Impl::note_filed() {
  bool any = false;
  queue.add_in_order([&](CommitQueue::Additions* added) {
    const std::uint64_t now =
        table.with_index([](const LiveIndex& index) { return index.filed_up_to(); });
    any = now != std::exchange(filed_up_to, now);
    if (any) added->notes.push_back(make_filed_note(now));
  });
  if (any) queue.write_notes(Sync::yes);
}

void Journal::Impl::close() {
  queue.write_notes();
  const CommitQueue::Closing closing = queue.close();
  if (!closing.first) return;
  std::shared_ptr<JournalFolder> emptied;
  const bool any_live =
      table.with_index([](const LiveIndex& index) { return index.live_records() > 0; });
  if (!any_live && !closing.writing) emptied = own_folder.get();
  own_folder.close();
  table.close();
  if (!closing.writing) let_go();
  if (emptied) file_system->remove_tree(emptied->path);
  CommitQueue::refuse(closing.refused);
}

// --- Opening and closing ---

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Journal::~Journal() {
  impl_->close();
}

IoStatus Journal::open(std::shared_ptr<FileSystem> file_system, const JournalOptions& options,
                       const Recovered& recovered, const AllRecovered& all_recovered,
                       std::unique_ptr<Journal>* out) {
  out->reset();
  auto impl = std::make_unique<Impl>(std::move(file_system), options);
  if (const IoStatus status = impl->own_folder.open(); !status.ok()) return status;
  out->reset(new Journal(std::move(impl)));
  return (*out)->adopt(recovered, all_recovered);
}

IoStatus Journal::adopt(const Recovered& recovered, const AllRecovered& all_recovered) {
  return impl_->adoption.adopt(recovered, all_recovered);
}

void Journal::close() {
  impl_->close();
}

IoStatus Journal::away() const {
  return impl_->own_folder.away();
}

IoStatus Journal::come_back() {
  return impl_->restoring.come_back();
}

bool Journal::stands() const {
  return impl_->restoring.stands();
}

IoStatus Journal::restore(const Newest& newest) {
  return impl_->restoring.restore(newest);
}

// --- Writing ---

void Journal::append(Record record, Done done) {
  QueuedRecord made = make_queued(std::move(record));
  made.done = std::move(done);
  impl_->queue.append(std::move(made));
}

bool Journal::commit() {
  return impl_->queue.commit();
}

IoStatus Journal::compact(Compact how) {
  return impl_->compaction.run(how);
}

// --- Files ---

bool Journal::cover_file_write(const EntryId& id, Version version) {
  return impl_->table.while_open(
      [&](LiveIndex& index, const SegmentMap&) { return index.cover_file_write(id, version); });
}

void Journal::file_written(const EntryId& id, Version version, const Clocks& clocks) {
  impl_->table.with_index([&](LiveIndex& index) { index.file_written(id, version, clocks); });
}

void Journal::files_erased(const EntryId& glob, Version version) {
  impl_->table.with_index([&](LiveIndex& index) { index.files_erased(glob, version); });
}

std::uint64_t Journal::files_mark() const {
  return impl_->table.with_index([](const LiveIndex& index) { return index.files_mark(); });
}

void Journal::files_synced(std::uint64_t mark) {
  impl_->table.with_index([&](LiveIndex& index) { index.files_synced(mark); });
  impl_->note_filed();
  impl_->table.trim();
}

// --- The store ---

void Journal::settled(const UnsettledWrite& write, Settlement how) {
  impl_->settling.settled(write, how);
}

std::vector<UnsettledWrite> Journal::take_unsettled(
    std::size_t limit, std::size_t max_bytes, const std::function<bool(const SlotName&)>& apart) {
  return impl_->reader.take([&](LiveIndex& index) { return index.take(limit, max_bytes, apart); });
}

bool Journal::has_unsettled(const std::function<bool(const SlotName&)>& apart) const {
  return impl_->table.with_index(
      [&](const LiveIndex& index) { return index.has_unsettled(apart); });
}

std::vector<UnsettledWrite> Journal::take_named(std::span<const SlotName> slots) {
  return impl_->reader.take([&](LiveIndex& index) { return index.take_named(slots); });
}

void Journal::release(std::span<const UnsettledWrite> writes, Release how) {
  impl_->table.with_index([&](LiveIndex& index) {
    for (const UnsettledWrite& write : writes) {
      index.release(slot_of(write), write.write.entry.version, how == Release::hold);
    }
  });
}

void Journal::resume() {
  impl_->table.with_index([](LiveIndex& index) { index.resume(); });
}

void Journal::park(const UnsettledWrite& write, const std::string& why) {
  impl_->parked_records.park(write, why);
}

std::vector<OutboxWrite> Journal::list(const OutboxQuery& query) const {
  return impl_->table.with_index(
      [&](const LiveIndex& index) { return list_unsettled(index, query); });
}

std::vector<OutboxWrite> Journal::parked_of(const EntryId& id, Version version) const {
  return impl_->table.with_index(
      [&](const LiveIndex& index) { return list_parked(index, id, version); });
}

bool Journal::retry_parked(const EntryId& id, Version version) {
  return impl_->parked_records.retry(id, version);
}

bool Journal::discard_parked(const EntryId& id, Version version) {
  return impl_->parked_records.discard(id, version);
}

IoStatus Journal::forget_discarded() {
  return impl_->parked_records.forget_discarded();
}

// --- What is known of a key ---

std::optional<Record> Journal::live_content(const EntryId& id) const {
  return impl_->reader.live_content(id);
}

Clocks Journal::live_clocks(const EntryId& id) const {
  return impl_->table.with_index([&](const LiveIndex& index) {
    SlotPlaces places;
    Clocks clocks;
    index.find_clocks(id, &places, &clocks);
    return clocks;
  });
}

bool Journal::is_unsettled(const EntryId& id, Version* version) const {
  return impl_->table.with_index(
      [&](const LiveIndex& index) { return index.is_unsettled(id, version); });
}

bool Journal::holds(const EntryId& id) const {
  return impl_->table.with_index([&](const LiveIndex& index) { return index.holds(id); });
}

std::optional<Guard> Journal::guard_of(const EntryId& id, Version version) const {
  return impl_->table.with_index(
      [&](const LiveIndex& index) { return index.guard_of(id, version); });
}

bool Journal::awaits_store(RecordKind kind, const EntryId& id) const {
  return impl_->table.with_index([&](const LiveIndex& index) {
    return index.awaits_store({kind, id});
  });
}

std::optional<Version> Journal::erased_below(const EntryId& id) const {
  return impl_->table.with_index([&](const LiveIndex& index) { return index.erased_below(id); });
}

JournalStats Journal::stats() const {
  JournalStats stats;
  stats.syncs = impl_->counters.syncs;
  stats.records_synced = impl_->counters.records_synced;
  stats.segments_abandoned = impl_->counters.segments_abandoned;
  stats.corrupt_records = impl_->counters.corrupt_records;
  stats.lost_records = impl_->counters.lost_records;
  impl_->table.fill(&stats);
  return stats;
}

}  // namespace tiercache
