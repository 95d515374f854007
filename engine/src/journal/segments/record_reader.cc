// Each reader goes the same way: look the places up and pin their segments under the table's lock,
// read without it, then take the lock again to note what could not be read and to unpin. A segment
// that lost its last live record meanwhile could not be deleted because of the pin, so the reader
// ends with a `trim`.
//
// Copying is different in that it reads a segment as a whole, frame by frame, and asks the index
// which of the frames are live. If it finds fewer live ones than the index has there, the others
// are lost.
#include "journal/segments/record_reader.h"

#include <cerrno>
#include <string>
#include <utility>

#include "journal/format/segment.h"
#include "journal/segments/place_reader.h"
#include "tiercache/store_rules.h"

namespace tiercache {
namespace {

constexpr char kUnreadable[] =
    "the journal cannot read this write back; retry, discard it, or put the entry again";

UnsettledWrite unsettled_write_of(Record record) {
  UnsettledWrite out;
  out.kind = record.kind;
  out.write.kind =
      record.kind == RecordKind::clocks ? StoreWrite::Kind::clocks : StoreWrite::Kind::content;
  out.write.id = std::move(record.id);
  out.write.entry = std::move(record.entry);
  out.write.not_newer_than = record.not_newer_than;
  out.made_from = std::move(record.made_from);
  return out;
}

}  // namespace

void RecordReader::park_in(LiveIndex& index, const SlotName& slot, Version version) {
  index.park(slot, version, kUnreadable);
  ++counters_.corrupt_records;
}

void RecordReader::park_unreadable(std::span<const SlotPlaces> lost) {
  table_.with_index([&](LiveIndex& index) {
    for (const SlotPlaces& item : lost) park_in(index, item.slot, item.version);
  });
}

std::optional<Record> RecordReader::live_content(const EntryId& id) {
  Place place;
  PlaceReader reader(file_system_);
  const bool found = table_.while_open([&](LiveIndex& index, const SegmentMap& segments) {
    if (!index.find_content(id, &place)) return false;
    reader.add({place}, segments);
    index.pin(place.segment);
    return true;
  });
  if (!found) return std::nullopt;
  Record record;
  const IoStatus status = reader.read(place, &record);
  table_.unpin(place.segment);
  table_.trim();
  if (!status.ok()) return std::nullopt;
  return record;
}

std::vector<UnsettledWrite> RecordReader::take(const Choose& choose) {
  PlaceReader reader(file_system_);
  const std::vector<SlotPlaces> batch =
      table_.while_open([&](LiveIndex& index, const SegmentMap& segments) {
        std::vector<SlotPlaces> chosen = choose(index);
        for (const SlotPlaces& item : chosen) {
          reader.add(item.places, segments);
          reader.add(item.clocks_places, segments);
        }
        return chosen;
      });
  std::vector<UnsettledWrite> writes;
  std::vector<SlotPlaces> lost;
  std::vector<SlotPlaces> later;  // the disk does not answer for these just now
  for (const SlotPlaces& item : batch) {
    Record record;
    Record clocks;
    if (const IoStatus status = reader.read(item.places, &record); !status.ok()) {
      (status.error == EILSEQ ? lost : later).push_back(item);
      continue;
    }
    writes.push_back(unsettled_write_of(std::move(record)));
    if (!item.clocks_places.empty() && reader.read(item.clocks_places, &clocks).ok()) {
      Entry& entry = writes.back().write.entry;
      merge_clocks(&entry, clocks.entry.clocks, clocks.entry.metadata,
                   clocks.entry.version == entry.version);
    }
  }
  table_.with_index([&](LiveIndex& index) {
    for (const SlotPlaces& item : lost) park_in(index, item.slot, item.version);
    for (const SlotPlaces& item : later) index.release(item.slot, item.version, true);
    for (const SlotPlaces& item : batch) {
      index.unpin(item.places);
      index.unpin(item.clocks_places);
    }
  });
  table_.trim();
  return writes;
}

IoStatus RecordReader::read_intact(const JournalSegment& segment, File* open,
                                   std::vector<QueuedRecord>* out, std::set<std::uint64_t>* known) {
  std::string bytes;
  const IoStatus status = open != nullptr ? open->read_at(0, segment.file_bytes, &bytes)
                                          : file_system_.read_file(segment.path, SIZE_MAX, &bytes);
  if (!status.ok()) return status;
  const SegmentContents contents = read_frames(bytes, segment.salt);
  table_.with_index([&](const LiveIndex& index) {
    for (const FoundFrame& found : contents.frames) {
      QueuedRecord copy;
      if (!decode_record(found.frame.payload, &copy.record, DocumentBytes::skip)) continue;
      const Place place{segment.number, found.offset,
                        static_cast<std::uint32_t>(frame_bytes(found.frame.payload.size()))};
      if (!index.is_live_at(copy.record, place)) continue;
      known->insert(found.offset);
      copy.payload = found.frame.payload;
      copy.copy_of = place;
      out->push_back(std::move(copy));
    }
  });
  return {};
}

IoStatus RecordReader::read_live(const JournalSegment& segment, File* open,
                                 std::vector<QueuedRecord>* out) {
  std::set<std::uint64_t> known;
  const IoStatus status = read_intact(segment, open, out, &known);
  if (!status.ok()) return status;
  table_.with_segments([&](LiveIndex& index, const SegmentMap& segments) {
    const auto listed = segments.find(segment.number);
    if (known.size() == index.live_in(segment.number) || listed == segments.end()) return;
    listed->second->unreadable = true;
    for (const LiveIndex::SlotVersion& lost : index.others_in(segment.number, known)) {
      park_in(index, lost.slot, lost.version);
    }
  });
  return {};
}

}  // namespace tiercache
