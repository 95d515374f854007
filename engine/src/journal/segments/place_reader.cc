#include "journal/segments/place_reader.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <tuple>
#include <utility>

#include "journal/format/segment.h"

namespace tiercache {

void PlaceReader::add(const std::vector<Place>& places, const SegmentMap& segments) {
  for (const Place& place : places) {
    const auto found = segments.find(place.segment);
    if (found != segments.end()) sources_[place.segment].segment = found->second;
  }
}

IoStatus PlaceReader::read(const Place& place, Record* out, std::uint64_t* sequence) {
  const auto found = sources_.find(place.segment);
  if (found == sources_.end()) return {EBADF, "the journal is closed"};
  Source& source = found->second;
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

}  // namespace tiercache
