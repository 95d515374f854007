// Reading records back from segments: for the store, for copying forward, for the owner after
// recovery.
#include <algorithm>
#include <cerrno>
#include <set>
#include <tuple>
#include <utility>

#include "journal/journal_impl.h"
#include "tiercache/store_rules.h"

namespace tiercache {
namespace {

constexpr char kUnreadable[] =
    "the journal cannot read this write back; retry, discard it, or put the entry again";

UnsettledWrite write_of(Record record) {
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

IoStatus PlaceReader::read(const Place& place, Record* out, std::uint64_t* sequence) {
  Source& source = sources_.at(place.segment);
  if (!source.file) {
    const IoStatus opened = file_system_.open(source.segment->path, OpenMode::read, &source.file);
    if (!opened.ok()) return opened;
  }
  std::string bytes;
  const IoStatus status = source.file->read_at(place.offset, place.size, &bytes);
  if (!status.ok()) return status;
  Frame frame;
  if (!read_frame(bytes, source.segment->salt, &frame) || !decode_record(frame.payload, out)) {
    return {EILSEQ, "journal record in " + source.segment->path + " at " +
                        std::to_string(place.offset) + " does not hold its checksum"};
  }
  if (sequence != nullptr) *sequence = frame.sequence;
  return {};
}

IoStatus PlaceReader::read(const std::vector<Place>& places, Record* out) {
  std::vector<std::pair<std::uint64_t, Record>> records;
  for (const Place& place : places) {
    auto& [sequence, record] = records.emplace_back();
    if (const IoStatus status = read(place, &record, &sequence); !status.ok()) return status;
  }
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
    return std::tie(a.second.entry.version, a.first) < std::tie(b.second.entry.version, b.first);
  });
  for (std::size_t i = 1; i < records.size(); ++i) {
    merge_clocks_records(records[i - 1].second, &records[i].second);
  }
  *out = std::move(records.back().second);
  return {};
}

void Journal::Impl::add_sources(const std::vector<Place>& places, PlaceReader* reader) const {
  for (const Place& place : places) reader->add(segments.at(place.segment));
}

void Journal::Impl::park_unreadable(const SlotName& slot, Version version) {
  index.park(slot, version, kUnreadable);
  ++counters.corrupt_records;
}

std::optional<Record> Journal::Impl::live_content(const EntryId& id) {
  Place place;
  PlaceReader reader(*file_system);
  {
    Lock lock(mutex);
    if (!folder || !index.find_content(id, &place)) return std::nullopt;
    add_sources({place}, &reader);
    index.pin(place.segment);
  }
  Record record;
  const IoStatus status = reader.read(place, &record);
  {
    Lock lock(mutex);
    index.unpin(place.segment);
  }
  trim();
  if (!status.ok()) return std::nullopt;
  return record;
}

// `choose` is called under the lock.
std::vector<UnsettledWrite> Journal::Impl::take(
    const std::function<std::vector<SlotPlaces>()>& choose) {
  std::vector<SlotPlaces> batch;
  PlaceReader reader(*file_system);
  {
    Lock lock(mutex);
    if (!folder) return {};
    batch = choose();
    for (const SlotPlaces& item : batch) {
      add_sources(item.places, &reader);
      add_sources(item.clocks_places, &reader);
    }
  }
  std::vector<UnsettledWrite> writes;
  std::vector<SlotPlaces> lost;
  std::vector<SlotPlaces> later;  // the disk says no for now
  for (const SlotPlaces& item : batch) {
    Record record;
    Record clocks;
    if (const IoStatus status = reader.read(item.places, &record); !status.ok()) {
      (status.error == EILSEQ ? lost : later).push_back(item);
      continue;
    }
    writes.push_back(write_of(std::move(record)));
    if (!item.clocks_places.empty() && reader.read(item.clocks_places, &clocks).ok()) {
      Entry& entry = writes.back().write.entry;
      merge_clocks(&entry, clocks.entry.clocks, clocks.entry.metadata,
                   clocks.entry.version == entry.version);
    }
  }
  {
    Lock lock(mutex);
    for (const SlotPlaces& item : lost) park_unreadable(item.slot, item.version);
    for (const SlotPlaces& item : later) index.release(item.slot, item.version, true);
    for (const SlotPlaces& item : batch) {
      for (const Place& place : item.places) index.unpin(place.segment);
      for (const Place& place : item.clocks_places) index.unpin(place.segment);
    }
  }
  trim();
  return writes;
}

IoStatus Journal::Impl::read_good(const JournalSegment& segment, File* open,
                                  std::vector<QueuedRecord>* out, std::set<std::uint64_t>* known) {
  std::string bytes;
  const IoStatus status = open != nullptr ? open->read_at(0, segment.file_bytes, &bytes)
                                          : file_system->read_file(segment.path, SIZE_MAX, &bytes);
  if (!status.ok()) return status;
  const SegmentContents contents = read_frames(bytes, segment.salt);
  Lock lock(mutex);
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
  return {};
}

IoStatus Journal::Impl::read_live(const JournalSegment& segment, File* open,
                                  std::vector<QueuedRecord>* out) {
  std::set<std::uint64_t> known;
  const IoStatus status = read_good(segment, open, out, &known);
  if (!status.ok()) return status;
  Lock lock(mutex);
  const auto listed = segments.find(segment.number);
  if (known.size() == index.live_in(segment.number) || listed == segments.end()) return {};
  listed->second->unreadable = true;
  for (const LiveIndex::SlotVersion& lost : index.others_in(segment.number, known)) {
    park_unreadable(lost.slot, lost.version);
  }
  return {};
}

}  // namespace tiercache
