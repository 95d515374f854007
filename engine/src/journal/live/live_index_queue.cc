// The half of the live index that follows a record until it may go. Two things must happen to it,
// in any order, and the second one empties its slot:
//
//     file    cover or file_written -> mark_written, under the next mark -> files_synced(mark)
//     store   sendable -> taken: in flight -> settled
//                                          -> released: sendable again, or held until `resume`
//                                          -> parked: stays until retried or discarded
//
// While a key is in flight nothing of it is taken, so the store gets a key's writes one at a time.
// A newer write may take the slot meanwhile; it is told from the taken one by its version, and
// clocks, which may move without a new version, by their number `change`.
#include <algorithm>
#include <utility>

#include "base/glob.h"
#include "journal/live/live_index.h"

namespace tiercache {

// --- Files ---

void LiveIndex::mark_written(const SlotName& slot, Live& live) {
  clear_written(live);
  set_file_synced(live, false);
  live.file_mark = ++files_mark_;
  written_.emplace(live.file_mark, slot);
}

bool LiveIndex::cover_file_write(const EntryId& id, Version version) {
  Live* live = find({RecordKind::content, id});
  if (live == nullptr || live->version != version) return false;
  clear_written(*live);
  set_file_synced(*live, false);
  return true;
}

void LiveIndex::file_written(const EntryId& id, Version version, const Clocks& clocks) {
  const auto found = keys_.find(id);
  if (found == keys_.end()) return;
  Key& key = found->second;
  if (key.content && key.content->version <= version) {
    mark_written({RecordKind::content, id}, *key.content);
  }
  if (key.clocks && covers(clocks, key.clocks->clocks)) {
    mark_written({RecordKind::clocks, id}, *key.clocks);
  }
}

void LiveIndex::files_erased(const EntryId& glob, Version version) {
  const auto found = erasures_.find(glob);
  if (found == erasures_.end() || found->second.version > version) return;
  mark_written({RecordKind::erase_matching, glob}, found->second);
}

void LiveIndex::files_synced(std::uint64_t mark) {
  while (!written_.empty() && written_.begin()->first <= mark) {
    const SlotName slot = std::move(written_.begin()->second);
    Live& live = *find(slot);
    clear_written(live);
    set_file_synced(live, true);
    empty_if_done(slot);
  }
}

void LiveIndex::set_file_synced(Live& live, bool synced) {
  live.file_synced = synced;
  unfiled_.erase(live.unfiled_since);
  if (synced) {
    live.unfiled_since = 0;
    return;
  }
  if (live.unfiled_since == 0) live.unfiled_since = live.place.sequence;
  if (live.unfiled_since != 0) unfiled_.insert(live.unfiled_since);
}

std::uint64_t LiveIndex::filed_up_to() const {
  return unfiled_.empty() ? last_sequence_ : *unfiled_.begin() - 1;
}

// Clocks go first, since content whose clocks are still to come into its file may be needed for
// them.
void LiveIndex::drop_filed(const std::set<std::uint64_t>& segments, std::uint64_t up_to) {
  const std::vector<SlotPlaces> all = live_in_any(segments);
  for (const RecordKind kind : {RecordKind::clocks, RecordKind::content}) {
    for (const auto& [slot, version, places, clocks_places, synced] : all) {
      if (slot.kind != kind || slot.below) continue;
      Live& live = *find(slot);
      const bool needs_clocks = kind == RecordKind::content && find({RecordKind::clocks, slot.id});
      const bool filed = std::ranges::all_of(places, [&](const Place& place) {
        return segments.contains(place.segment) && place.sequence <= up_to;
      });
      if (live.parked || needs_clocks || !filed) continue;
      clear_written(live);
      set_file_synced(live, true);
      empty_if_done(slot);
    }
  }
}

// --- Store ---

bool LiveIndex::is_in_flight(const SlotName& slot) const {
  if (slot.kind == RecordKind::erase_matching) return erasures_.at(slot.id).in_flight;
  return keys_.at(slot.id).in_flight;
}

void LiveIndex::set_in_flight(const SlotName& slot, bool in_flight) {
  if (slot.kind == RecordKind::erase_matching) {
    if (const auto found = erasures_.find(slot.id); found != erasures_.end()) {
      found->second.in_flight = in_flight;
    }
    return;
  }
  const auto found = keys_.find(slot.id);
  if (found == keys_.end()) return;
  found->second.in_flight = in_flight;
  if (!in_flight) {
    found->second.clocks_taken = 0;
    forget_idle_key(slot.id);
  }
}

std::optional<SlotName> LiveIndex::slot_to_send(const Position& next) const {
  SlotName slot{next.kind, *next.id};
  if (next.kind == RecordKind::erase_matching) return slot;
  const Key& key = keys_.find(*next.id)->second;
  if (key.below && !key.below->settled && !key.below->parked) {
    if (key.below->held) return std::nullopt;
    return SlotName{RecordKind::content, *next.id, true};
  }
  const bool content =
      key.content && !key.content->settled && !key.content->parked && !key.content->held;
  if (content) slot.kind = RecordKind::content;
  return slot;
}

SlotPlaces LiveIndex::take_slot(const SlotName& slot) {
  SlotPlaces out;
  out.slot = slot;
  if (slot.kind != RecordKind::erase_matching && !slot.below) {
    Key& key = keys_.find(slot.id)->second;
    const bool clocks = key.clocks && !key.clocks->settled && !key.clocks->parked;
    if (clocks) key.clocks_taken = key.clocks->change;
    if (clocks && slot.kind == RecordKind::content) {
      out.clocks_places = places_of(RecordKind::clocks, *key.clocks);
    }
  }
  const Live& live = *find(slot);
  out.version = live.version;
  out.places = places_of(slot.kind, live);
  set_in_flight(slot, true);
  pin(out.places);
  pin(out.clocks_places);
  return out;
}

bool LiveIndex::has_unsettled(const Apart& apart) const {
  const auto counts = [&](const Position& listed) {
    if (is_in_flight({listed.kind, *listed.id})) return false;
    const auto slot = slot_to_send(listed);
    return !apart(slot ? *slot : SlotName{listed.kind, *listed.id});
  };
  return std::any_of(sendable_.begin(), sendable_.end(), counts) ||
         std::any_of(held_.begin(), held_.end(), counts);
}

std::vector<SlotPlaces> LiveIndex::take_named(std::span<const SlotName> slots) {
  std::vector<SlotPlaces> batch;
  for (const SlotName& name : slots) {
    const Live* live = find(name);
    const bool waits = live != nullptr && !live->settled && !live->parked && !live->held;
    if (!waits || is_in_flight(name)) continue;
    const auto slot = slot_to_send({live->version, name.kind, &stored_id(name)});
    if (slot) batch.push_back(take_slot(*slot));
  }
  return batch;
}

std::vector<SlotPlaces> LiveIndex::take(std::size_t limit, std::size_t max_bytes,
                                        const Apart& apart) {
  std::vector<SlotPlaces> batch;
  std::size_t bytes = 0;
  for (auto next = sendable_.begin(); next != sendable_.end() && batch.size() < limit; ++next) {
    if (is_in_flight({next->kind, *next->id})) continue;
    const bool erasure = next->kind == RecordKind::erase_matching;
    if (erasure && !batch.empty()) break;
    const std::optional<SlotName> slot = slot_to_send(*next);
    if (!slot || (apart && apart(*slot))) continue;
    const std::size_t size = find(*slot)->place.size;
    if (!batch.empty() && bytes + size > max_bytes) break;
    batch.push_back(take_slot(*slot));
    for (const Place& place : batch.back().places) bytes += place.size;
    if (erasure) break;
  }
  std::sort(batch.begin(), batch.end(),
            [](const SlotPlaces& a, const SlotPlaces& b) { return a.version < b.version; });
  return batch;
}

void LiveIndex::release(const SlotName& slot, Version version, bool hold) {
  const auto hold_slot = [&](const SlotName& name, Version up_to) {
    Live* live = find(name);
    if (live == nullptr || live->settled || live->parked || live->version > up_to) return;
    const EntryId& id = stored_id(name);
    dequeue(name.kind, id, *live);
    live->held = true;
    enqueue(name.kind, id, *live);
  };
  if (hold) {
    hold_slot(slot_holding(slot, version), version);
    const auto key = keys_.find(slot.id);
    if (slot.kind == RecordKind::content && key != keys_.end() && key->second.clocks &&
        key->second.clocks->change == key->second.clocks_taken) {
      hold_slot({RecordKind::clocks, slot.id}, key->second.clocks->version);
    }
  }
  set_in_flight(slot, false);
}

void LiveIndex::resume() {
  std::vector<SlotName> held;
  for_each([&](const SlotRef& slot, const Live& live) {
    if (live.held) held.push_back(slot.name());
  });
  for (const SlotName& slot : held) {
    Live& live = *find(slot);
    const EntryId& id = stored_id(slot);
    dequeue(slot.kind, id, live);
    enqueue(slot.kind, id, live);
  }
}

void LiveIndex::mark_settled(const SlotName& slot, Live& live) {
  const EntryId& id = stored_id(slot);
  dequeue(slot.kind, id, live);
  unpark(slot.kind, id, live);
  live.settled = true;
  empty_if_done(slot);
}

bool LiveIndex::settle(const SlotName& slot, Version version, const Clocks& clocks,
                       bool with_clocks) {
  bool any = false;
  if (const SlotName below{RecordKind::content, slot.id, true}; slot.kind == RecordKind::content) {
    Live* live = find(below);
    const bool taken_or_beaten =
        live != nullptr && (with_clocks ? live->version <= version : live->version == version);
    if (taken_or_beaten && !live->settled) {
      mark_settled(below, *live);
      any = true;
    }
  }
  if (slot.kind != RecordKind::clocks) {
    Live* live = find({slot.kind, slot.id});
    if (live != nullptr && !live->settled && live->version <= version) {
      mark_settled({slot.kind, slot.id}, *live);
      any = true;
    }
  }
  const auto key = keys_.find(slot.id);
  if (slot.kind != RecordKind::erase_matching && with_clocks && key != keys_.end() &&
      key->second.clocks) {
    LiveClocks& live = *key->second.clocks;
    const bool moved = key->second.clocks_taken != 0 && key->second.clocks_taken != live.change;
    if (!live.settled && !moved && covers(clocks, live.clocks)) {
      mark_settled({RecordKind::clocks, slot.id}, live);
      any = true;
    }
  }
  set_in_flight(slot, false);
  return any;
}

bool LiveIndex::park(const SlotName& named, Version version, const std::string& why) {
  const SlotName slot = slot_holding(named, version);
  Live* live = find(slot);
  const bool current = live != nullptr && live->version == version && !live->settled;
  if (current) {
    dequeue(slot.kind, stored_id(slot), *live);
    if (!live->parked) {
      live->parked = std::make_unique<Live::Parked>();
      parked_.insert({version, slot.kind, &stored_id(slot)});
      for (const Place& place : places_of(slot.kind, *live)) live->parked->bytes += place.size;
      parked_bytes_ += live->parked->bytes;
    }
    live->parked->why = why;
  }
  set_in_flight(slot, false);
  return current;
}

void LiveIndex::add_parked_marker(const Record& record, const Place& place) {
  Live* live = find(slot_holding({record.subject, record.id}, record.entry.version));
  if (live == nullptr || !live->parked || live->version != record.entry.version) return;
  if (live->parked->marker) uncount(*live->parked->marker);
  live->parked->marker = place;
  count(place);
}

std::optional<Version> LiveIndex::retry_parked(const SlotName& slot) {
  Live* live = find(slot);
  if (live == nullptr || !live->parked) return std::nullopt;
  const Version version = live->version;
  const EntryId& id = stored_id(slot);
  unpark(slot.kind, id, *live);
  enqueue(slot.kind, id, *live);
  empty_if_done(slot);
  return version;
}

std::optional<Version> LiveIndex::discard_parked(const SlotName& slot) {
  Live* live = find(slot);
  if (live == nullptr || !live->parked) return std::nullopt;
  const Version version = live->version;
  empty_slot(slot);
  return version;
}

LiveIndex::ListedSlot LiveIndex::describe(const SlotName& slot, const Live& live) const {
  ListedSlot out{.slot = slot, .version = live.version, .tombstone = live.tombstone};
  for (const Place& place : places_of(slot.kind, live)) out.bytes += place.size;
  if (slot.kind == RecordKind::clocks) out.clocks = static_cast<const LiveClocks&>(live).clocks;
  if (live.parked) out.why = live.parked->why;
  return out;
}

std::vector<LiveIndex::ListedSlot> LiveIndex::list(Listing which, const std::string& dataset,
                                                   const SlotPosition* after,
                                                   std::size_t limit) const {
  std::vector<Position> found;
  const auto collect = [&](const std::set<Position>& from) {
    auto next = after ? from.upper_bound({after->version, after->kind, &after->id}) : from.begin();
    for (std::size_t n = 0; next != from.end() && n < limit; ++next) {
      if (!dataset.empty() && next->id->dataset != dataset) continue;
      found.push_back(*next);
      ++n;
    }
  };
  if (which == Listing::parked) {
    collect(parked_);
  } else {
    collect(sendable_);
    collect(held_);
    std::sort(found.begin(), found.end());
  }
  std::vector<ListedSlot> page;
  for (std::size_t i = 0; i < std::min(limit, found.size()); ++i) {
    const SlotName slot = slot_holding({found[i].kind, *found[i].id}, found[i].version);
    page.push_back(describe(slot, *find(slot)));
  }
  return page;
}

std::vector<LiveIndex::ListedSlot> LiveIndex::parked_of(const EntryId& id, Version version) const {
  std::vector<ListedSlot> found;
  for (const SlotName& slot :
       {SlotName{RecordKind::content, id, true}, SlotName{RecordKind::content, id},
        SlotName{RecordKind::clocks, id}, SlotName{RecordKind::erase_matching, id}}) {
    const Live* live = find(slot);
    if (live == nullptr || !live->parked) continue;
    if (version.is_zero() || live->version == version) found.push_back(describe(slot, *live));
  }
  return found;
}

bool LiveIndex::is_unsettled(const EntryId& id, Version* version) const {
  const Live* live = find({RecordKind::content, id});
  if (live == nullptr || live->settled || live->parked) return false;
  if (version != nullptr) *version = live->version;
  return true;
}

std::optional<Guard> LiveIndex::guard_of(const EntryId& id, Version version) const {
  const Live* live = find(slot_holding({RecordKind::content, id}, version));
  const bool open = live != nullptr && live->version == version && !live->settled;
  if (!open || !live->guard) return std::nullopt;
  return Guard{*live->guard, live->made_from ? *live->made_from : Lineage{}};
}

bool LiveIndex::awaits_store(const SlotName& slot) const {
  const Live* live = find(slot);
  return live != nullptr && !live->settled && !live->parked;
}

std::optional<Version> LiveIndex::erased_below(const EntryId& id) const {
  std::optional<Version> newest;
  for (auto it = erasures_.lower_bound({id.dataset, ""});
       it != erasures_.end() && it->first.dataset == id.dataset; ++it) {
    const Erasure& erasure = it->second;
    if (erasure.settled && erasure.file_synced) continue;
    if (newest && *newest >= erasure.version) continue;
    if (glob_matches(it->first.key, id.key)) newest = erasure.version;
  }
  return newest;
}

}  // namespace tiercache
