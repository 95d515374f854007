#include "journal/live_index.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/glob.h"

namespace tiercache {

// --- Segments ---

void LiveIndex::remove_segment(std::uint64_t segment) {
  segments_.erase(segment);
  dead_.erase(segment);
  std::vector<SlotName> settled;
  for (const auto& [id, erasure] : erasures_) {
    if (erasure.settled && erasure.file_synced) settled.push_back({RecordKind::erase_matching, id});
  }
  for (const SlotName& slot : settled) reconsider(slot);
}

void LiveIndex::forget_segment(std::uint64_t segment) {
  for (const SlotVersion& lost : others_in(segment, {})) forget_places_in(lost.slot, segment);
  remove_segment(segment);
}

void LiveIndex::forget_places_in(const SlotName& slot, std::uint64_t segment) {
  Live& live = *find(slot);
  std::vector<Place> places = places_of(slot.kind, live);
  const auto kept = std::partition(places.begin(), places.end(),
                                   [&](const Place& place) { return place.segment != segment; });
  if (kept == places.begin()) return empty(slot);
  std::for_each(kept, places.end(), [&](const Place& place) { uncount(place); });
  live.place = places.front();
  static_cast<LiveClocks&>(live).more_places.assign(places.begin() + 1, kept);
}

void LiveIndex::add_segment(std::uint64_t segment) {
  segments_[segment];
  dead_.insert(segment);
}

void LiveIndex::pin(std::uint64_t segment) {
  ++segments_.at(segment).pins;
  dead_.erase(segment);
}

void LiveIndex::unpin(std::uint64_t segment) {
  SegmentUse& use = segments_.at(segment);
  if (--use.pins == 0 && use.records == 0) dead_.insert(segment);
}

std::uint64_t LiveIndex::live_in(std::uint64_t segment) const {
  const auto found = segments_.find(segment);
  return found == segments_.end() ? 0 : found->second.records;
}

// --- Slots ---

LiveIndex::Live* LiveIndex::find(const SlotName& slot) {
  return const_cast<Live*>(std::as_const(*this).find(slot));
}

const LiveIndex::Live* LiveIndex::find(const SlotName& slot) const {
  if (slot.kind == RecordKind::erase_matching) {
    const auto found = erasures_.find(slot.id);
    return found == erasures_.end() ? nullptr : &found->second;
  }
  const auto found = keys_.find(slot.id);
  if (found == keys_.end()) return nullptr;
  if (slot.kind == RecordKind::clocks) return found->second.clocks.get();
  return found->second.content ? &*found->second.content : nullptr;
}

const EntryId& LiveIndex::stored_id(const SlotName& slot) const {
  return slot.kind == RecordKind::erase_matching ? erasures_.find(slot.id)->first
                                                 : keys_.find(slot.id)->first;
}

std::vector<Place> LiveIndex::places_of(RecordKind kind, const Live& live) {
  std::vector<Place> places;
  if (kind == RecordKind::clocks) places = static_cast<const LiveClocks&>(live).more_places;
  places.push_back(live.place);
  return places;
}

void LiveIndex::unlist(RecordKind kind, const EntryId& id, Live& live) {
  if (std::exchange(live.held, false)) --held_;
  sendable_.erase({live.version, kind, &id});
}

void LiveIndex::list(RecordKind kind, const EntryId& id, Live& live) {
  if (live.settled || live.parked) return;
  if (live.held) {
    ++held_;
  } else {
    sendable_.insert({live.version, kind, &id});
  }
}

void LiveIndex::count(const Place& place) {
  ++segments_.at(place.segment).records;
  dead_.erase(place.segment);
  ++live_records_;
  live_bytes_ += place.size;
}

void LiveIndex::uncount(const Place& place) {
  SegmentUse& use = segments_.at(place.segment);
  if (--use.records == 0 && use.pins == 0) dead_.insert(place.segment);
  --live_records_;
  live_bytes_ -= place.size;
}

void LiveIndex::start(RecordKind kind, const EntryId& id, Live& live, Version version,
                      const Place& place) {
  live.version = version;
  live.place = place;
  live.settled = !has_store_;
  live.file_synced = false;
  count(place);
  list(kind, id, live);
}

void LiveIndex::unpark(Live& live) {
  if (!live.parked) return;
  if (live.parked->marker) uncount(*live.parked->marker);
  live.parked.reset();
  --parked_;
}

void LiveIndex::unwrite(Live& live) {
  if (live.file_mark != 0) written_.erase(live.file_mark);
  live.file_mark = 0;
}

void LiveIndex::retire(RecordKind kind, const EntryId& id, Live& live) {
  unlist(kind, id, live);
  unpark(live);
  unwrite(live);
}

void LiveIndex::empty(const SlotName& slot) {
  Live* live = find(slot);
  retire(slot.kind, stored_id(slot), *live);
  for (const Place& place : places_of(slot.kind, *live)) uncount(place);
  if (slot.kind == RecordKind::erase_matching) {
    erasures_.erase(slot.id);
    return;
  }
  Key& key = keys_.find(slot.id)->second;
  if (slot.kind == RecordKind::clocks) {
    key.clocks.reset();
  } else {
    key.content.reset();
  }
  forget_idle_key(slot.id);
}

void LiveIndex::forget_idle_key(const EntryId& id) {
  const auto found = keys_.find(id);
  if (found == keys_.end()) return;
  const Key& key = found->second;
  if (!key.content && !key.clocks && !key.in_flight) keys_.erase(found);
}

bool LiveIndex::guarding(const Erasure& erasure) const {
  return std::any_of(segments_.begin(), segments_.upper_bound(erasure.guards),
                     [&](const auto& item) { return item.first != erasure.place.segment; });
}

void LiveIndex::reconsider(const SlotName& slot) {
  const Live* live = find(slot);
  if (live == nullptr || !live->settled || !live->file_synced || live->parked) return;
  if (slot.kind == RecordKind::erase_matching && guarding(static_cast<const Erasure&>(*live))) {
    return;
  }
  empty(slot);
}

// --- Records ---

void LiveIndex::add(const Record& record, const Place& place) {
  switch (record.kind) {
    case RecordKind::content:
      return add_content(record, place);
    case RecordKind::clocks:
      return add_clocks(record, place);
    case RecordKind::erase_matching:
      return add_erasure(record, place);
    case RecordKind::done:
    case RecordKind::parked:
      return;
  }
}

void LiveIndex::add_content(const Record& record, const Place& place) {
  const Version version = record.entry.version;
  if (hidden(record.id, version, place.segment)) return;
  const auto [found, fresh] = keys_.try_emplace(record.id);
  std::optional<Live>& content = found->second.content;
  if (content) {
    if (content->version >= version) return;
    retire(RecordKind::content, found->first, *content);
    uncount(content->place);
  }
  content.emplace();
  start(RecordKind::content, found->first, *content, version, place);
}

void LiveIndex::add_clocks(const Record& record, const Place& place) {
  if (hidden(record.id, record.entry.version, place.segment)) return;
  const auto [found, fresh] = keys_.try_emplace(record.id);
  Key& key = found->second;
  if (!key.clocks) {
    key.clocks = std::make_unique<LiveClocks>();
  } else {
    LiveClocks& old = *key.clocks;
    const bool newer = record.entry.version >= old.version;
    if (!newer && covers(old.clocks, record.entry.clocks)) return;
    retire(RecordKind::clocks, found->first, old);
    if (newer && covers(record.entry.clocks, old.clocks)) {
      for (const Place& covered : places_of(RecordKind::clocks, old)) uncount(covered);
      old.more_places.clear();
    } else {
      old.more_places.push_back(old.place);
    }
  }
  LiveClocks& clocks = *key.clocks;
  clocks.clocks.merge(record.entry.clocks);
  clocks.change = ++changes_;
  start(RecordKind::clocks, found->first, clocks, std::max(clocks.version, record.entry.version),
        place);
}

void LiveIndex::add_erasure(const Record& record, const Place& place) {
  const auto [found, fresh] = erasures_.try_emplace(record.id);
  Erasure& erasure = found->second;
  if (!fresh) {
    if (erasure.version >= record.entry.version) return;
    retire(RecordKind::erase_matching, found->first, erasure);
    uncount(erasure.place);
  }
  start(RecordKind::erase_matching, found->first, erasure, record.entry.version, place);
  erasure.guards = std::max(erasure.guards, segments_.rbegin()->first);
  bury_erased(record.id, record.entry.version);
}

void LiveIndex::bury_erased(const EntryId& glob, Version below) {
  std::vector<SlotName> hidden;
  for (const auto& [id, key] : keys_) {
    if (id.dataset != glob.dataset || !glob_matches(glob.key, id.key)) continue;
    if (key.content && key.content->version < below) hidden.push_back({RecordKind::content, id});
    if (key.clocks && key.clocks->version < below) hidden.push_back({RecordKind::clocks, id});
  }
  for (const SlotName& slot : hidden) empty(slot);
}

bool LiveIndex::hidden(const EntryId& id, Version version, std::uint64_t segment) {
  bool any = false;
  for (auto it = erasures_.lower_bound({id.dataset, ""});
       it != erasures_.end() && it->first.dataset == id.dataset; ++it) {
    Erasure& erasure = it->second;
    if (version >= erasure.version || !glob_matches(it->first.key, id.key)) continue;
    erasure.guards = std::max(erasure.guards, segment);
    any = true;
  }
  return any;
}

bool LiveIndex::is_live_at(const Record& record, const Place& place) const {
  const bool marker = record.kind == RecordKind::parked;
  const RecordKind kind = marker ? record.subject : record.kind;
  const Live* live = find({kind, record.id});
  if (live == nullptr) return false;
  if (marker) return live->parked && live->parked->marker == place;
  const std::vector<Place> places = places_of(kind, *live);
  return std::find(places.begin(), places.end(), place) != places.end();
}

void LiveIndex::move(const Record& record, const Place& from, const Place& to) {
  if (!is_live_at(record, from)) {
    hidden(record.id, record.entry.version, to.segment);
    return;
  }
  const bool marker = record.kind == RecordKind::parked;
  Live& live = *find({marker ? record.subject : record.kind, record.id});
  uncount(from);
  count(to);
  if (marker) {
    live.parked->marker = to;
  } else if (live.place == from) {
    live.place = to;
  } else {
    std::vector<Place>& more = static_cast<LiveClocks&>(live).more_places;
    std::replace(more.begin(), more.end(), from, to);
  }
  if (record.kind == RecordKind::erase_matching) reconsider({record.kind, record.id});
}

void LiveIndex::guard_erasures(std::uint64_t segment) {
  for (auto& [id, erasure] : erasures_) erasure.guards = std::max(erasure.guards, segment);
}

bool LiveIndex::find_content(const EntryId& id, Place* out) const {
  const Live* live = find({RecordKind::content, id});
  if (live == nullptr) return false;
  *out = live->place;
  return true;
}

bool LiveIndex::find_clocks(const EntryId& id, SlotPlaces* out, Clocks* clocks) const {
  const auto found = keys_.find(id);
  if (found == keys_.end() || !found->second.clocks) return false;
  const LiveClocks& live = *found->second.clocks;
  *out = {{RecordKind::clocks, id}, live.version, places_of(RecordKind::clocks, live), {}};
  *clocks = live.clocks;
  return true;
}

std::uint64_t LiveIndex::replaced_bytes(const Record& record) const {
  const Live* live = find({record.kind, record.id});
  return live == nullptr ? 0 : live->place.size;
}

std::vector<SlotPlaces> LiveIndex::live_in_any(const std::set<std::uint64_t>& segments) const {
  std::vector<SlotPlaces> all;
  for_each([&](RecordKind kind, const EntryId& id, const Live& live) {
    if (!segments.contains(live.place.segment)) return;
    all.push_back({{kind, id}, live.version, places_of(kind, live), {}});
  });
  std::sort(all.begin(), all.end(), [](const SlotPlaces& a, const SlotPlaces& b) {
    return std::tie(a.version, a.slot) < std::tie(b.version, b.slot);
  });
  return all;
}

std::vector<LiveIndex::SlotVersion> LiveIndex::others_in(
    std::uint64_t segment, const std::set<std::uint64_t>& known) const {
  std::vector<SlotVersion> others;
  for_each([&](RecordKind kind, const EntryId& id, const Live& live) {
    const std::vector<Place> places = places_of(kind, live);
    if (std::any_of(places.begin(), places.end(), [&](const Place& place) {
          return place.segment == segment && !known.contains(place.offset);
        })) {
      others.push_back({{kind, id}, live.version});
    }
  });
  return others;
}

}  // namespace tiercache
