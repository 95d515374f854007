// What happens when a sync fails, here while d and e are written:
//
//     segment 7   a b c | d e   the sync fails: 7 is left behind, with its file open
//     segment 8   a b c   d e   copies of what is live in 7, then the records at hand; one sync
//                                |
//                   it worked: d and e are durable, nothing in 7 is live any more, 7 is deleted
//                   it failed: d and e are answered "unknown", since the next open may find them;
//                              records after them are "not applied"; nothing in 8 is live, so it
//                              is deleted; the next round begins with what is live in 7
#include "journal/segments/segment_writer.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tiercache {
namespace {

void answer(std::span<QueuedRecord* const> records, AppendStatus status, const IoStatus& io) {
  for (QueuedRecord* one : records) one->result = {status, io};
}

}  // namespace

SegmentWriter::SegmentWriter(FileSystem& file_system, std::uint64_t segment_bytes,
                             std::uint64_t seed, OwnFolder& own_folder, SegmentTable& table,
                             RecordReader& reader, JournalCounters& counters)
    : segment_bytes_(segment_bytes),
      own_folder_(own_folder),
      table_(table),
      reader_(reader),
      counters_(counters),
      current_(file_system, seed) {}

// --- Writing ---

std::size_t SegmentWriter::count_fitting(std::span<QueuedRecord* const> records) const {
  std::size_t count = 0;
  for (std::uint64_t bytes = 0; count < records.size(); ++count) {
    bytes += records[count]->bytes();
    if (!current_.fits(bytes)) break;
  }
  return count;
}

IoStatus SegmentWriter::write(std::span<QueuedRecord* const> records, Sync sync) {
  while (!records.empty()) {
    const QueuedRecord& first = *records.front();
    if (!current_.fits(first.bytes())) {
      // Notes come last in a batch, so only notes are left. They are not worth a new segment.
      if (first.record.kind == RecordKind::done) break;
      const IoStatus io = start_segment(first.bytes());
      if (!io.ok()) {
        answer(records, AppendStatus::not_applied, io);
        return io;
      }
    }
    const auto chunk = records.first(count_fitting(records));
    records = records.subspan(chunk.size());
    const IoStatus io = write_chunk(chunk, sync);
    if (!io.ok()) {
      answer(chunk, AppendStatus::unknown, io);
      answer(records, AppendStatus::not_applied, io);
      return io;
    }
  }
  return {};
}

IoStatus SegmentWriter::start_segment(std::uint64_t bytes) {
  auto made = std::make_shared<JournalSegment>();
  made->folder = own_folder_.get();
  if (!made->folder) return {EBADF, "the journal is closed"};
  made->number = table_.take_number();
  const IoStatus status = current_.start(made, std::max(segment_bytes_, bytes));
  if (status.ok()) table_.add_current(made);
  return status;
}

IoStatus SegmentWriter::write_chunk(std::span<QueuedRecord* const> chunk, Sync sync) {
  const IoStatus status = append_to_current(chunk, sync);
  if (!status.ok()) return rescue(chunk);
  make_live(chunk, sync);
  return status;
}

IoStatus SegmentWriter::append_to_current(std::span<QueuedRecord* const> records, Sync sync) {
  const std::uint64_t sequence = table_.reserve_sequences(records.size());
  return current_.write(current_.encode(records, sequence), sync);
}

IoStatus SegmentWriter::rescue(std::span<QueuedRecord* const> records) {
  const SegmentPtr failed = current_.segment();
  left_behind_.push_back({failed, current_.detach()});
  table_.abandon_current(*failed);
  ++counters_.segments_abandoned;
  std::vector<QueuedRecord> copies;
  collect_left_behind(&copies);
  std::vector<QueuedRecord*> all = pointers_to(&copies);
  all.insert(all.end(), records.begin(), records.end());
  IoStatus status = start_segment(total_bytes(all));
  if (!status.ok()) return status;
  status = append_to_current(all, Sync::yes);
  if (!status.ok()) {
    finish_segment();  // nothing in it is live, so it is deleted at the end of the round
    return status;
  }
  make_live(all, Sync::yes);
  forget_left_behind();
  return status;
}

void SegmentWriter::make_live(std::span<QueuedRecord* const> records, Sync sync) {
  table_.make_live(records, *current_.segment(), current_.used_bytes());
  if (sync == Sync::no) return;
  ++counters_.syncs;
  counters_.records_synced += records.size();
}

// --- Leaving a segment ---

void SegmentWriter::finish_segment() {
  current_.detach();
  table_.finish_current();
}

void SegmentWriter::leave_behind() {
  const SegmentPtr left = current_.segment();
  if (left) left_behind_.push_back({left, current_.detach()});
  table_.finish_current();
}

void SegmentWriter::collect_left_behind(std::vector<QueuedRecord>* copies) {
  for (const LeftBehind& left : left_behind_) {
    reader_.read_live(*left.segment, left.file.get(), copies);
  }
}

void SegmentWriter::forget_left_behind() {
  left_behind_.clear();
}

void SegmentWriter::forget_left_behind(const SegmentPtr& segment) {
  std::erase_if(left_behind_, [&](const LeftBehind& left) { return left.segment == segment; });
}

File* SegmentWriter::file_of(const SegmentPtr& segment) const {
  const auto left = std::find_if(left_behind_.begin(), left_behind_.end(),
                                 [&](const LeftBehind& one) { return one.segment == segment; });
  return left == left_behind_.end() ? nullptr : left->file.get();
}

void SegmentWriter::let_go() {
  current_.detach();
  left_behind_.clear();
}

}  // namespace tiercache
