// The order within a round. First everything is refused if there is no folder. Then live records of
// segments that an earlier round had to leave behind are read, to go before the new ones. Then the
// new records are admitted one by one, each counted with those before it in the batch. Then clocks
// are merged: the first clocks record of a key with the live one, each further one with the one
// before it, so that the last says it all. What remains is written in one go.
#include "journal/round_writer.h"

#include <cerrno>
#include <map>
#include <utility>

#include "journal/segments/place_reader.h"

namespace tiercache {
namespace {

// A frame has 32 bits for its length.
constexpr std::uint64_t kMaxPayloadBytes = 1ull << 31;

// True for records that count towards the limit: new content and new clocks. Copies, erases, notes
// and markers are never refused for it, because they are small or take the place of something.
bool grows(const QueuedRecord& one) {
  return !one.copy_of &&
         (one.record.kind == RecordKind::content || one.record.kind == RecordKind::clocks);
}

// Whether the metadata of the earlier clocks may be what counts once they are merged with `later`:
// metadata belongs to the newer version, and within one version to the later fetch.
bool earlier_describes(Version version, const Clocks& clocks, const Entry& later) {
  if (version != later.version) return version > later.version;
  return later.metadata.empty() || later.clocks.last_fetch < clocks.last_fetch;
}

}  // namespace

// Without a folder nothing can be written. While a deleted one is being restored, the refusal also
// keeps busy writers from leaving the restoring no turn.
bool RoundWriter::refuse_without_folder(std::vector<QueuedRecord>* batch) const {
  const IoStatus why = own_folder_.refusal();
  if (why.ok()) return false;
  for (QueuedRecord& one : *batch) one.result = {AppendStatus::not_applied, why};
  return true;
}

std::vector<QueuedRecord*> RoundWriter::admit(std::vector<QueuedRecord>* batch) {
  std::vector<QueuedRecord*> admitted;
  std::uint64_t more = 0;
  table_.with_index([&](const LiveIndex& index) {
    for (QueuedRecord& one : *batch) {
      const std::uint64_t old = grows(one) ? index.replaced_bytes(one.record) : 0;
      const std::uint64_t growth = one.bytes() > old && grows(one) ? one.bytes() - old : 0;
      if (one.payload.size() > kMaxPayloadBytes) {
        one.result = {AppendStatus::not_applied, {EFBIG, "record too large for the journal"}};
      } else if (growth > 0 && index.live_bytes() + more + growth > max_bytes_) {
        one.result = {AppendStatus::full, {}};
      } else {
        more += growth;
        admitted.push_back(&one);
      }
    }
  });
  return admitted;
}

void RoundWriter::merge_with_live_clocks(Record* record) {
  Record earlier;
  PlaceReader reader(file_system_);
  SlotPlaces places;
  const bool found = table_.with_segments([&](LiveIndex& index, const SegmentMap& segments) {
    if (!index.find_clocks(record->id, &places, &earlier.entry.clocks)) return false;
    index.pin(places.places);
    reader.add(places.places, segments);
    return true;
  });
  if (!found) return;
  earlier.entry.version = places.version;
  earlier.entry.metadata.clear();
  const Entry& later = record->entry;
  if (earlier_describes(places.version, earlier.entry.clocks, later)) {
    // The metadata of the earlier record is only on the disk. If the disk cannot be read, its
    // clocks, which the index knows, still count.
    Record read;
    if (reader.read(places.places, &read).ok()) {
      earlier = std::move(read);
    } else {
      earlier.entry.version = {};
    }
  }
  merge_clocks_records(earlier, record);
  table_.unpin(places.places);
}

void RoundWriter::merge_clocks(std::vector<QueuedRecord>* batch) {
  std::map<EntryId, const Record*> earlier;
  for (QueuedRecord& one : *batch) {
    if (one.record.kind != RecordKind::clocks || one.copy_of) continue;
    if (one.result.status != AppendStatus::durable) continue;
    const auto [found, first] = earlier.try_emplace(one.record.id, &one.record);
    if (first) {
      merge_with_live_clocks(&one.record);
    } else {
      merge_clocks_records(*found->second, &one.record);
      found->second = &one.record;
    }
    one.payload = encode_record(one.record);
  }
}

void RoundWriter::write(std::vector<QueuedRecord>* batch, Sync sync) {
  if (refuse_without_folder(batch)) return;
  std::vector<QueuedRecord> copies;
  writer_.collect_left_behind(&copies);
  std::vector<QueuedRecord*> records = pointers_to(&copies);
  const std::vector<QueuedRecord*> admitted = admit(batch);
  merge_clocks(batch);
  records.insert(records.end(), admitted.begin(), admitted.end());
  // Copies come from a place where they were synced, so they must not be acknowledged unsynced
  // here.
  if (writer_.write(records, copies.empty() ? sync : Sync::yes).ok()) writer_.forget_left_behind();
}

}  // namespace tiercache
