// How an orphan comes to a new owner. Two locks on the disk decide: `adopting`, which one process
// has at a time, and each folder's `owner`, which a process has for as long as the folder is its.
//
//     A (life-3)             B (life-7)                          C (life-9)
//     kill -9
//     its `owner` is free    takes `adopting`
//                            life-7: its own, locked
//                            life-9: locked by C                 finds `adopting` taken: EAGAIN
//                            life-3: takes `owner`, reads all
//                            judges, tells its cache
//                            copies little leftovers to life-7
//                            deletes life-3 once it is empty
//                            frees `adopting`                    tries again: nothing is left
//
// Nothing that is live is deleted before its copy in B's own folder is synced. So if B dies in the
// middle, life-3 and life-7 are both orphans and C adopts both. A record that is in both has the
// same version in both, and counts once.
#include "journal/adoption.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/same_file.h"
#include "journal/segments/place_reader.h"

namespace tiercache {
namespace {

std::string last_name(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

// The numbers of the segments among these, in rising order.
std::vector<std::uint64_t> segment_numbers(const std::vector<DirectoryItem>& items) {
  std::vector<std::uint64_t> numbers;
  for (const DirectoryItem& item : items) {
    if (const auto number = parse_segment_name(item.name)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

bool has_owner(const std::vector<DirectoryItem>& items) {
  return std::any_of(items.begin(), items.end(),
                     [](const DirectoryItem& item) { return item.name == "owner"; });
}

}  // namespace

// What is met while the folders are read, and can be judged only once all have been.
struct FolderAdoption::Replay {
  struct Marker {
    std::uint64_t sequence = 0;
    Record record;
    Place place;
  };
  struct Done {
    Version version;
    Clocks clocks;
  };
  // What the last note of a folder says of the files of its records.
  struct Filed {
    std::uint64_t sequence = 0;  // the note's own
    std::uint64_t up_to = 0;
    std::set<std::uint64_t> segments;  // of the folder
  };
  std::vector<std::shared_ptr<JournalFolder>> folders;
  std::set<std::uint64_t> segments;
  std::map<SlotName, Marker> markers;  // of each slot the one with the highest sequence number
  std::map<SlotName, Done> done;
  std::map<const JournalFolder*, Filed> filed;
};

// --- Reading ---

bool FolderAdoption::keep_aside(const JournalFolder& of, std::uint64_t number, std::uint64_t offset,
                                std::string_view bytes) {
  ++counters_.corrupt_records;
  const std::string name =
      "journal-" + last_name(of.path) + "-" + std::to_string(number) + "-" + std::to_string(offset);
  return quarantine_.write(name, bytes).ok();
}

void FolderAdoption::replay_frame(const FoundFrame& found, const JournalSegment& segment,
                                  std::string_view bytes, Replay* replay) {
  const Frame& frame = found.frame;
  const auto size = static_cast<std::uint32_t>(frame_bytes(frame.payload.size()));
  const Place place{segment.number, found.offset, size, frame.sequence};
  Record record;
  if (!decode_record(frame.payload, &record, DocumentBytes::skip)) {
    keep_aside(*segment.folder, segment.number, found.offset, bytes.substr(found.offset, size));
    return;
  }
  table_.note_sequence(frame.sequence);
  const SlotName slot{record.subject, record.id};
  if (record.kind == RecordKind::parked) {
    Replay::Marker& latest = replay->markers[slot];
    if (latest.sequence < frame.sequence) latest = {frame.sequence, std::move(record), place};
  } else if (is_filed_note(record)) {
    Replay::Filed& filed = replay->filed[segment.folder.get()];
    if (filed.sequence < frame.sequence) {
      filed.sequence = frame.sequence;
      filed.up_to = record.entry.version.time;
    }
  } else if (record.kind == RecordKind::done) {
    Replay::Done& done = replay->done[slot];
    done.version = std::max(done.version, record.entry.version);
    done.clocks.merge(record.entry.clocks);
  } else {
    table_.with_index([&](LiveIndex& index) { index.add(record, place); });
  }
}

IoStatus FolderAdoption::adopt_segment(const std::shared_ptr<JournalFolder>& of,
                                       std::uint64_t number, Replay* replay) {
  const std::string path = of->path + "/" + segment_name(number);
  std::string bytes;
  IoStatus status = file_system_.read_file(path, SIZE_MAX, &bytes);
  if (!status.ok()) return status;
  SegmentHeader header;
  std::uint32_t format = 0;
  switch (read_segment_header(bytes, &header, &format)) {
    case SegmentState::newer_format:
      return {ENOTSUP, "journal segment " + path + " has format " + std::to_string(format) +
                           ", this library reads up to " + std::to_string(kSegmentFormat) +
                           ": open the directory with a newer version of the library"};
    case SegmentState::damaged:
      if (!keep_aside(*of, number, 0, bytes)) of->must_stay = true;
      return {};
    case SegmentState::empty:
      return {};
    case SegmentState::good:
      break;
  }
  auto segment = std::make_shared<JournalSegment>();
  segment->folder = of;
  segment->path = path;
  segment->salt = header.salt;
  segment->file_bytes = bytes.size();
  SegmentContents contents = read_frames(bytes, header.salt);
  segment->used_bytes = contents.end - kSegmentHeaderBytes;
  if (!table_.add_adopted(segment)) return {EBADF, "the journal is closed"};
  replay->segments.insert(segment->number);
  replay->filed[of.get()].segments.insert(segment->number);
  // A bad first header counts as damage only with a record behind it. Without one it may be from a
  // crash while the segment was made.
  if (!contents.frames.empty() && !bytes.starts_with(encode_segment_header(header))) {
    contents.damage.push_back({0, kSegmentHeaderBytes});
  }
  for (const SegmentDamage& damage : contents.damage) {
    const auto bad = std::string_view(bytes).substr(damage.offset, damage.size);
    if (!keep_aside(*of, number, damage.offset, bad)) of->must_stay = true;
  }
  for (const FoundFrame& found : contents.frames) replay_frame(found, *segment, bytes, replay);
  return {};
}

IoStatus FolderAdoption::adopt_folder(const std::string& path, Replay* replay) {
  std::vector<DirectoryItem> items;
  IoStatus status = file_system_.list(path, &items);
  if (!status.ok()) return status.absent() ? IoStatus{} : status;
  // A folder with neither an owner nor a segment is being made by its owner right now.
  if (!has_owner(items) && segment_numbers(items).empty()) return {};
  auto of = std::make_shared<JournalFolder>();
  of->path = path;
  status = file_system_.try_lock(owner_path(*of), &of->lock);
  if (status.error == EAGAIN || status.absent()) return {};
  of->owner_identity = identity_of(file_system_, owner_path(*of));
  if (status.ok()) status = file_system_.list(path, &items);
  if (!status.ok()) return status.absent() ? IoStatus{} : status;
  for (std::uint64_t number : segment_numbers(items)) {
    status = adopt_segment(of, number, replay);
    if (!status.ok()) {
      forget(*of, replay);
      return status;
    }
  }
  replay->folders.push_back(std::move(of));
  return {};
}

void FolderAdoption::forget(const JournalFolder& of, Replay* replay) {
  replay->filed.erase(&of);
  for (const std::uint64_t number : table_.forget(of)) {
    replay->segments.erase(number);
    std::erase_if(replay->markers,
                  [&](const auto& item) { return item.second.place.segment == number; });
  }
}

// --- Taking over ---

// If so, it does not matter that the disk takes no lock for the adoption.
bool FolderAdoption::nobody_left_anything() const {
  std::vector<DirectoryItem> items;
  const IoStatus status = file_system_.list(directory_, &items);
  if (!status.ok()) return status.absent();
  return std::none_of(items.begin(), items.end(), [&](const DirectoryItem& item) {
    return item.directory && item.name != own_name_;
  });
}

void FolderAdoption::judge(const Replay& replay) {
  table_.with_index([&](LiveIndex& index) {
    for (const auto& [slot, done] : replay.done) {
      index.settle(slot, done.version, done.clocks, slot.kind == RecordKind::clocks);
    }
    for (const auto& [slot, latest] : replay.markers) {
      if (latest.record.why.empty()) continue;
      if (index.park(slot, latest.record.entry.version, latest.record.why)) {
        index.add_parked_marker(latest.record, latest.place);
      }
    }
    for (const auto& [of, filed] : replay.filed) {
      if (filed.up_to != 0) index.drop_filed(filed.segments, filed.up_to);
    }
    if (!replay.segments.empty()) index.guard_erasures(*replay.segments.rbegin());
  });
}

IoStatus FolderAdoption::tell(const Recovered& recovered, Replay* replay,
                              std::uint64_t* live_bytes) {
  PlaceReader reader(file_system_);
  const std::vector<SlotPlaces> live =
      table_.while_open([&](LiveIndex& index, const SegmentMap& segments) {
        std::vector<SlotPlaces> all = index.live_in_any(replay->segments);
        for (const SlotPlaces& item : all) {
          index.pin(item.places);
          reader.add(item.places, segments);
        }
        return all;
      });
  std::vector<SlotPlaces> lost;
  std::vector<SlotPlaces> later;  // the disk does not answer for these just now
  IoStatus first;
  for (const SlotPlaces& item : live) {
    Record record;
    for (const Place& place : item.places) *live_bytes += place.size;
    if (IoStatus status = reader.read(item.places, &record); !status.ok()) {
      (status.error == EILSEQ ? lost : later).push_back(item);
      if (status.error != EILSEQ && first.ok()) first = std::move(status);
    } else if (recovered) {
      record.was_filed = item.filed;
      recovered(record);
    }
  }
  reader_.park_unreadable(lost);
  for (const SlotPlaces& item : live) table_.unpin(item.places);
  forget_folders_of(later, replay);
  return first;
}

void FolderAdoption::forget_folders_of(std::span<const SlotPlaces> unread, Replay* replay) {
  std::set<const JournalFolder*> folders;
  table_.with_segments([&](const LiveIndex&, const SegmentMap& segments) {
    for (const SlotPlaces& item : unread) {
      for (const Place& place : item.places) {
        const auto found = segments.find(place.segment);
        if (found != segments.end()) folders.insert(found->second->folder.get());
      }
    }
  });
  std::erase_if(replay->folders, [&](const std::shared_ptr<JournalFolder>& of) {
    const bool let_go = folders.contains(of.get());
    if (let_go) forget(*of, replay);
    return let_go;
  });
}

void FolderAdoption::remove_emptied(const Replay& replay) {
  for (const std::uint64_t number : replay.segments) table_.unpin(number);
  table_.trim();
  for (const auto& of : replay.folders) {
    if (table_.finish_adopting(of)) file_system_.remove_tree(of->path);
  }
}

IoStatus FolderAdoption::adopt(const Recovered& recovered, const AllRecovered& all_recovered) {
  std::unique_ptr<FileLock> adopting;
  IoStatus status = file_system_.try_lock(directory_ + "/adopting", &adopting);
  if (!status.ok() && status.error != EAGAIN && nobody_left_anything()) return {};
  std::vector<DirectoryItem> items;
  if (status.ok()) status = file_system_.list(directory_, &items);
  if (!status.ok()) return status;
  Replay replay;
  for (const DirectoryItem& item : items) {
    if (!item.directory) continue;
    const IoStatus adopted = adopt_folder(directory_ + "/" + item.name, &replay);
    if (status.ok()) status = adopted;
  }
  judge(replay);
  std::uint64_t live_bytes = 0;
  const IoStatus told = tell(recovered, &replay, &live_bytes);
  if (status.ok()) status = told;
  if (all_recovered) all_recovered();
  remove_emptied(replay);
  if (live_bytes == 0 || live_bytes > small_bytes_) return status;
  for (std::uint64_t number : replay.segments) compaction_.copy_forward(number);
  return status;
}

}  // namespace tiercache
