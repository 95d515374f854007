// The half of the live index that takes records in. What becomes of content that is added to a key:
//
//     older than the key's content     dead, unless the content is guarded and has not seen it:
//                                      then it goes below
//     newer, and has seen the content  takes its place; the content is dead
//     newer, and has not seen it       takes its place; the content, if unsettled, sinks below
//
// There is one slot below. Of two candidates for it the newer one stays, unless that has not seen
// the older one. Content does not sink while the slot is taken: the store would refuse both it and
// the new one for what is below, so the newest is enough (decision 16). Clocks are simpler: they
// merge, and an older record stays only while it says something that the newer one does not.
#include "journal/live/live_index.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/glob.h"

namespace tiercache {
namespace {

// True if the guarded record `above` was made without knowledge of `version`.
bool is_blind_to(const LiveRecord& above, Version version) {
  return !guard_holds(above.guard, above.made_from ? *above.made_from : Lineage{}, version);
}

bool has_seen(const Record& above, const LiveRecord& older) {
  return guard_holds(above.not_newer_than, above.made_from, older.version);
}

void keep_guard(const Record& record, LiveRecord* live) {
  live->guard = record.not_newer_than;
  live->tombstone = record.entry.kind == EntryKind::tombstone;
  if (!record.made_from.empty()) live->made_from = std::make_unique<Lineage>(record.made_from);
}

}  // namespace

// --- Segments ---

void LiveIndex::remove_segment(std::uint64_t segment) {
  segments_.erase(segment);
  dead_.erase(segment);
  std::vector<SlotName> settled;
  for (const auto& [id, erasure] : erasures_) {
    if (erasure.settled && erasure.file_synced) settled.push_back({RecordKind::erase_matching, id});
  }
  for (const SlotName& slot : settled) empty_if_done(slot);
}

void LiveIndex::drop_records_in(std::uint64_t segment) {
  for (const SlotVersion& lost : others_in(segment, {})) forget_places_in(lost.slot, segment);
}

void LiveIndex::forget_segment(std::uint64_t segment) {
  drop_records_in(segment);
  remove_segment(segment);
}

void LiveIndex::forget_places_in(const SlotName& slot, std::uint64_t segment) {
  Live& live = *find(slot);
  std::vector<Place> places = places_of(slot.kind, live);
  const auto kept = std::partition(places.begin(), places.end(),
                                   [&](const Place& place) { return place.segment != segment; });
  if (kept == places.begin()) return empty_slot(slot);
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

void LiveIndex::pin(const std::vector<Place>& places) {
  for (const Place& place : places) pin(place.segment);
}

void LiveIndex::unpin(const std::vector<Place>& places) {
  for (const Place& place : places) unpin(place.segment);
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
  if (slot.below) return found->second.below.get();
  return found->second.content ? &*found->second.content : nullptr;
}

const EntryId& LiveIndex::stored_id(const SlotName& slot) const {
  return slot.kind == RecordKind::erase_matching ? erasures_.find(slot.id)->first
                                                 : keys_.find(slot.id)->first;
}

SlotName LiveIndex::slot_holding(SlotName slot, Version version) const {
  slot.below = false;
  if (slot.kind != RecordKind::content) return slot;
  const auto key = keys_.find(slot.id);
  slot.below = key != keys_.end() && key->second.below && key->second.below->version == version;
  return slot;
}

std::optional<SlotName> LiveIndex::slot_at(const Record& record, const Place& place) const {
  const bool marker = record.kind == RecordKind::parked;
  const SlotName slot =
      slot_holding({marker ? record.subject : record.kind, record.id}, record.entry.version);
  const Live* live = find(slot);
  if (live == nullptr) return std::nullopt;
  if (marker)
    return live->parked && live->parked->marker == place ? std::optional(slot) : std::nullopt;
  const std::vector<Place> places = places_of(slot.kind, *live);
  const bool there = std::find(places.begin(), places.end(), place) != places.end();
  return there ? std::optional(slot) : std::nullopt;
}

std::vector<Place> LiveIndex::places_of(RecordKind kind, const Live& live) {
  std::vector<Place> places;
  if (kind == RecordKind::clocks) places = static_cast<const LiveClocks&>(live).more_places;
  places.push_back(live.place);
  return places;
}

void LiveIndex::dequeue(RecordKind kind, const EntryId& id, Live& live) {
  (std::exchange(live.held, false) ? held_ : sendable_).erase({live.version, kind, &id});
}

void LiveIndex::enqueue(RecordKind kind, const EntryId& id, Live& live) {
  if (live.settled || live.parked) return;
  (live.held ? held_ : sendable_).insert({live.version, kind, &id});
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

void LiveIndex::occupy(RecordKind kind, const EntryId& id, Live& live, Version version,
                       const Place& place) {
  live.version = version;
  live.place = place;
  live.settled = !has_store_;
  set_file_synced(live, false);
  count(place);
  enqueue(kind, id, live);
}

void LiveIndex::unpark(RecordKind kind, const EntryId& id, Live& live) {
  if (!live.parked) return;
  if (live.parked->marker) uncount(*live.parked->marker);
  parked_bytes_ -= live.parked->bytes;
  live.parked.reset();
  parked_.erase({live.version, kind, &id});
}

void LiveIndex::clear_written(Live& live) {
  if (live.file_mark != 0) written_.erase(live.file_mark);
  live.file_mark = 0;
}

void LiveIndex::retire(RecordKind kind, const EntryId& id, Live& live) {
  dequeue(kind, id, live);
  unpark(kind, id, live);
  clear_written(live);
  unfiled_.erase(live.unfiled_since);  // what takes its place goes on waiting since then
}

void LiveIndex::empty_slot(const SlotName& slot) {
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
  } else if (slot.below) {
    key.below.reset();
  } else {
    key.content.reset();
    if (key.below) surface(key);
  }
  forget_idle_key(slot.id);
}

void LiveIndex::forget_idle_key(const EntryId& id) {
  const auto found = keys_.find(id);
  if (found == keys_.end()) return;
  const Key& key = found->second;
  if (!key.content && !key.clocks && !key.in_flight) keys_.erase(found);
}

bool LiveIndex::is_guarding(const Erasure& erasure) const {
  return std::any_of(segments_.begin(), segments_.upper_bound(erasure.guards),
                     [&](const auto& item) { return item.first != erasure.place.segment; });
}

void LiveIndex::empty_if_done(const SlotName& slot) {
  const Live* live = find(slot);
  if (live == nullptr || !live->settled || !live->file_synced || live->parked) return;
  if (slot.kind == RecordKind::erase_matching && is_guarding(static_cast<const Erasure&>(*live))) {
    return;
  }
  empty_slot(slot);
}

// --- Records ---

void LiveIndex::add(const Record& record, const Place& place) {
  last_sequence_ = std::max(last_sequence_, place.sequence);
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
  if (guard_if_hidden(record.id, version, place.segment)) return;
  const auto [found, fresh] = keys_.try_emplace(record.id);
  const EntryId& id = found->first;
  Key& key = found->second;
  if (key.content && key.content->version >= version) return add_below(record, place, id, key);
  const std::uint64_t waits_since = key.content ? key.content->unfiled_since : 0;
  if (key.content && !key.content->settled && !key.below && !has_seen(record, *key.content)) {
    sink(key);
  } else if (key.content) {
    // If it has not seen the one below either, that stays where it is: the store will judge it
    // against that one, as it would have judged the content.
    if (key.below && has_seen(record, *key.below)) empty_slot({RecordKind::content, id, true});
    retire(RecordKind::content, id, *key.content);
    uncount(key.content->place);
  }
  key.content.emplace();
  key.content->unfiled_since = waits_since;
  keep_guard(record, &*key.content);
  occupy(RecordKind::content, id, *key.content, version, place);
}

void LiveIndex::add_below(const Record& record, const Place& place, const EntryId& id, Key& key) {
  const Version version = record.entry.version;
  if (!has_store_ || key.content->version == version || !is_blind_to(*key.content, version)) return;
  if (key.below) {
    const Live& below = *key.below;
    const bool record_wins =
        below.version < version ? has_seen(record, below) : is_blind_to(below, version);
    if (below.version == version || !record_wins) return;
    empty_slot({RecordKind::content, id, true});
  }
  key.below = std::make_unique<Live>();
  keep_guard(record, key.below.get());
  occupy(RecordKind::content, id, *key.below, version, place);
  set_file_synced(*key.below, true);
}

void LiveIndex::sink(Key& key) {
  clear_written(*key.content);
  key.below = std::make_unique<Live>(std::move(*key.content));
  set_file_synced(*key.below, true);
}

void LiveIndex::surface(Key& key) {
  key.content = std::move(*key.below);
  key.below.reset();
  set_file_synced(*key.content, false);
}

// If the older record says anything beyond the newer one, it must stay on the disk beside it.
bool LiveIndex::says_all_of(const Record& newer, const LiveClocks& old) {
  const bool lacks_metadata = newer.entry.metadata.empty() && old.described;
  if (lacks_metadata && newer.entry.version == old.version) return false;
  return covers(newer.entry.clocks, old.clocks);
}

void LiveIndex::add_clocks(const Record& record, const Place& place) {
  if (guard_if_hidden(record.id, record.entry.version, place.segment)) return;
  const auto [found, fresh] = keys_.try_emplace(record.id);
  Key& key = found->second;
  if (!key.clocks) {
    key.clocks = std::make_unique<LiveClocks>();
  } else {
    LiveClocks& old = *key.clocks;
    const bool newer = record.entry.version >= old.version;
    if (!newer && covers(old.clocks, record.entry.clocks)) return;
    retire(RecordKind::clocks, found->first, old);
    if (newer && says_all_of(record, old)) {
      for (const Place& covered : places_of(RecordKind::clocks, old)) uncount(covered);
      old.more_places.clear();
    } else {
      old.more_places.push_back(old.place);
    }
  }
  LiveClocks& clocks = *key.clocks;
  const bool described = !record.entry.metadata.empty();
  if (record.entry.version > clocks.version) {
    clocks.described = described;
  } else if (record.entry.version == clocks.version) {
    clocks.described = clocks.described || described;
  }
  clocks.clocks.merge(record.entry.clocks);
  clocks.change = ++changes_;
  occupy(RecordKind::clocks, found->first, clocks, std::max(clocks.version, record.entry.version),
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
  occupy(RecordKind::erase_matching, found->first, erasure, record.entry.version, place);
  erasure.guards = std::max(erasure.guards, segments_.rbegin()->first);
  bury_erased(record.id, record.entry.version);
}

void LiveIndex::bury_erased(const EntryId& glob, Version below) {
  std::vector<SlotName> hidden;
  for (const auto& [id, key] : keys_) {
    if (id.dataset != glob.dataset || !glob_matches(glob.key, id.key)) continue;
    if (key.below && key.below->version < below) hidden.push_back({RecordKind::content, id, true});
    if (key.content && key.content->version < below) hidden.push_back({RecordKind::content, id});
    if (key.clocks && key.clocks->version < below) hidden.push_back({RecordKind::clocks, id});
  }
  for (const SlotName& slot : hidden) empty_slot(slot);
}

bool LiveIndex::guard_if_hidden(const EntryId& id, Version version, std::uint64_t segment) {
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
  return slot_at(record, place).has_value();
}

void LiveIndex::move(const Record& record, const Place& from, const Place& to) {
  last_sequence_ = std::max(last_sequence_, to.sequence);
  const auto slot = slot_at(record, from);
  if (!slot) {
    guard_if_hidden(record.id, record.entry.version, to.segment);
    return;
  }
  Live& live = *find(*slot);
  uncount(from);
  count(to);
  if (record.kind == RecordKind::parked) {
    live.parked->marker = to;
  } else if (live.place == from) {
    live.place = to;
  } else {
    std::vector<Place>& more = static_cast<LiveClocks&>(live).more_places;
    std::replace(more.begin(), more.end(), from, to);
  }
  if (record.kind == RecordKind::erase_matching) empty_if_done(*slot);
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
  const bool stays = live != nullptr && record.kind == RecordKind::content && !live->settled &&
                     !has_seen(record, *live);
  return live == nullptr || stays ? 0 : live->place.size;
}

std::vector<SlotPlaces> LiveIndex::live_in_any(const std::set<std::uint64_t>& segments) const {
  std::vector<SlotPlaces> all;
  for_each([&](const SlotRef& slot, const Live& live) {
    if (!segments.contains(live.place.segment)) return;
    all.push_back({slot.name(), live.version, places_of(slot.kind, live), {}, live.file_synced});
  });
  std::sort(all.begin(), all.end(), [](const SlotPlaces& a, const SlotPlaces& b) {
    return std::tie(a.version, a.slot) < std::tie(b.version, b.slot);
  });
  return all;
}

std::vector<LiveIndex::SlotVersion> LiveIndex::others_in(
    std::uint64_t segment, const std::set<std::uint64_t>& known) const {
  std::vector<SlotVersion> others;
  for_each([&](const SlotRef& slot, const Live& live) {
    const std::vector<Place> places = places_of(slot.kind, live);
    if (std::any_of(places.begin(), places.end(), [&](const Place& place) {
          return place.segment == segment && !known.contains(place.offset);
        })) {
      others.push_back({slot.name(), live.version});
    }
  });
  return others;
}

std::vector<LiveIndex::KnownRecord> LiveIndex::known_in(
    std::uint64_t segment, const std::set<std::uint64_t>& except) const {
  std::vector<KnownRecord> all;
  const auto lies_there = [&](const Place& place) {
    return place.segment == segment && !except.contains(place.offset);
  };
  for_each([&](const SlotRef& slot, const Live& live) {
    const std::vector<Place> places = places_of(slot.kind, live);
    KnownRecord known;
    known.record.kind = slot.kind;
    known.record.id = slot.id;
    known.record.entry.version = live.version;
    known.record.not_newer_than = live.guard;
    if (live.made_from) known.record.made_from = *live.made_from;
    known.confirmed = has_store_ && live.settled;
    if (std::any_of(places.begin(), places.end(), lies_there)) {
      if (live.tombstone) known.record.entry.kind = EntryKind::tombstone;
      if (slot.kind == RecordKind::clocks) {
        known.record.entry.clocks = static_cast<const LiveClocks&>(live).clocks;
      } else {
        known.place = live.place;
      }
      all.push_back(known);
    }
    if (live.parked && live.parked->marker && lies_there(*live.parked->marker)) {
      Record marker = make_marker(RecordKind::parked, slot.name(), live.version);
      marker.why = live.parked->why;
      all.push_back({std::move(marker), live.parked->marker});
    }
  });
  return all;
}

}  // namespace tiercache
