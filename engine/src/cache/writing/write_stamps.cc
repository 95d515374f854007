#include "cache/writing/write_stamps.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/glob.h"
#include "cache/runtime/judge.h"

namespace tiercache::detail {

namespace {

// In all that a move of clocks does not carry.
bool same_document(const Entry& there, const Entry& entry) {
  if (there.checksum != entry.checksum || there.cache_version != entry.cache_version) return false;
  if (there.fresh_for != entry.fresh_for) return false;
  return there.text_checksum || *there.document == *entry.document;
}

std::uint64_t order_hash(const EntryId& id) {
  return shared_hash(id.dataset, id.key);
}

// For whoever compared: what stands instead of the version that was expected.
ChangeResult conflict(Version given, Version known, bool erased) {
  std::string why;
  if (known.is_zero()) {
    why = "there is no entry here, and a version was given as if_version";
  } else if (erased) {
    why = "the entry was erased, as version " + known.to_string() +
          ", which is not the one given as if_version";
  } else {
    why = "the entry's version is " + known.to_string() +
          (given.is_zero() ? ", and an if_version of zero says that there is none"
                           : ", not the one given as if_version");
  }
  return result_of(ChangeResult::Status::conflict, known, std::move(why));
}

void only_move_clocks(Change& change) {
  change.dataset->counters.unchanged.add();
  change.kind = RecordKind::clocks;
  Entry moved;
  moved.clocks = change.entry.clocks;
  moved.metadata = std::move(change.entry.metadata);
  change.entry = std::move(moved);
}

}  // namespace

WriteStamps::Stripe& WriteStamps::stripe_of(const Change& change) {
  return stripes_[change.dataset->ref(change.key).hash % stripes_.size()];
}

// --- What stands ---

WriteStamps::There WriteStamps::there(DatasetState& dataset, const EntryId& id, Stripe& stripe) {
  There there{.known = local_.known(&dataset, id), .written = {}};
  there.written = there.known.version;
  if (const auto under_way = stripe.under_way.find(id); under_way != stripe.under_way.end()) {
    there.written = std::max(there.written, *std::ranges::max_element(under_way->second));
  }
  return there;
}

Version WriteStamps::newest(DatasetState& dataset, const EntryId& id) {
  Stripe& stripe = stripes_[dataset.ref(id.key).hash % stripes_.size()];
  Lock lock(stripe.mutex);
  return there(dataset, id, stripe).newest();
}

// Another process's clock may be ahead of ours by a moment, an earlier life's by more.
Version WriteStamps::newest_matching(const DatasetState& dataset, const std::string& glob) const {
  Version newest;
  local_.index().for_each(dataset.name, [&](const std::string& key, const IndexItem& item) {
    if (item.version > newest && glob_matches(glob, key)) newest = item.version;
  });
  return newest;
}

// What the key's clocks say so far goes into the change.
void WriteStamps::carry_clocks(const Clocks& known, Change& change) const {
  Clocks& clocks = change.entry.clocks;
  Clocks good = believable(known, runtime_.versions.now());
  if (change.kind == RecordKind::content && good.invalidated_at != known.invalidated_at) {
    good.invalidated_at.reset();  // by a clock that was ahead: before this content all the same
  }
  clocks.merge(good);
}

// Without the key's lock, since it may read the file; `stamp_key` sees whether it still holds.
EntryPtr WriteStamps::same_there(const Change& change) {
  // A put stands for its document against whatever others wrote meanwhile, a refresh does not.
  if (!change.base || change.kind != RecordKind::content || !change.entry.document) return nullptr;
  const EntryId id = change.id();
  const Known known = local_.known(change.dataset, id);
  const MemoryTier::Found& found = known.in_memory;
  EntryPtr there;
  if (!found.resident) {
    const bool likely = known.in_files && known.in_files->checksum == change.entry.checksum;
    if (likely) there = local_.read_file(id).entry;
  } else if (!found.outdated && found.resident->kind == ResidentKind::document) {
    there = EntryPtr(found.resident, &found.resident->entry);
  }
  if (!there || !there->document || !same_document(*there, change.entry)) return nullptr;
  // What the store may yet refuse would take these clocks along.
  if (local_.journal().guard_of(id, there->version)) return nullptr;
  return local_.journal().parked_of(id, there->version).empty() ? there : nullptr;
}

// What the write was made from may not be in the store yet, and may never come there. Then the
// write holds for all that it held for, and for it.
void WriteStamps::guard_by(const EntryId& id, Version base, Change& change) const {
  change.guard = base;
  const std::optional<Guard> of_base = local_.journal().guard_of(id, base);
  if (!of_base) return;
  change.guard = of_base->not_newer_than;
  change.made_from = of_base->made_from;
  change.made_from.add(base);
}

// --- Among processes ---

std::optional<ChangeResult> WriteStamps::stamp(Change& change, SteadyTime deadline) {
  if (change.kind == RecordKind::erase_matching) return stamp_erase(change, deadline);
  const bool compared = change.if_version || change.base;
  if (!compared) return stamp_key(change, nullptr);
  if (std::string why = take_place(change, deadline); !why.empty()) {
    return result_of(ChangeResult::Status::in_the_way, {}, std::move(why));
  }
  auto refused = stamp_key(change, same_there(change));
  local_.write_order().let_go(order_hash(change.id()));
  return refused;
}

// Whoever writes all places waits for what others stamped before it, wherever.
std::optional<ChangeResult> WriteStamps::stamp_erase(Change& change, SteadyTime deadline) {
  local_.files().notice_all(change.dataset->name);
  WriteOrder& order = local_.write_order();
  order.begin_all();
  change.entry.version = erases_.begin(change.id(), [&] {
    Version version = runtime_.versions.next(newest_matching(*change.dataset, change.key));
    version.time = order.stamp_all(version.time);
    runtime_.versions.observe(version);
    return version;
  });
  std::vector<std::size_t> places = WriteOrder::all_places();
  for (int tries = 0;; ++tries) {
    const std::uint64_t others = order.others_before(change.entry.version.time, &places);
    if (others == 0) return std::nullopt;
    if (runtime_.clock->steady_now() >= deadline || !runtime_.is_open()) break;
    wait_for(others, tries);
  }
  end(change);
  return result_of(ChangeResult::Status::in_the_way, {},
                   "until the deadline another process did not bring to its files what it had "
                   "written before");
}

// Takes its place among the writes of all processes on the directory, and waits until what comes
// before it is in the key's file. Returns why that did not come about, or nothing.
std::string WriteStamps::take_place(Change& change, SteadyTime deadline) {
  const EntryId id = change.id();
  const std::uint64_t hash = order_hash(id);
  WriteOrder& order = local_.write_order();
  order.hold(hash);
  for (int tries = 0;; ++tries) {
    change.reserved_time = order.stamp(hash, runtime_.versions.next().time);
    const std::uint64_t others = order.others(hash);
    if (others == 0) break;
    if (runtime_.clock->steady_now() >= deadline || !runtime_.is_open()) {
      order.let_go(hash);
      return "until the deadline another process went on writing this key or one beside it";
    }
    const bool first = order.goes_first(hash);
    if (!first) order.let_go(hash);
    wait_for(others, tries);
    if (!first) order.hold(hash);
  }
  runtime_.versions.observe({change.reserved_time, 0});
  const IoStatus noticed = local_.files().notice(id);
  if (noticed.ok()) return {};
  order.let_go(hash);
  return "other processes may have written the key, and its file cannot be read: " +
         without_key(noticed.what, id);
}

void WriteStamps::wait_for(std::uint64_t others, int tries) {
  constexpr std::chrono::milliseconds kPause{1};
  constexpr int kTriesBeforeLook = 64;
  runtime_.pause(kPause);
  if (tries % kTriesBeforeLook != kTriesBeforeLook - 1) return;
  for (std::uint64_t slot = 0; slot < WriteOrder::kSlots; ++slot) {
    if ((others >> slot & 1) == 0) continue;
    local_.files().while_dead(slot, [&] {
      if (adopt_()) local_.write_order().forget(slot);
    });
  }
}

bool WriteStamps::release_filed() {
  const std::uint64_t now = runtime_.versions.next().time;
  return local_.write_order().release_filed(now, [this]() -> std::optional<WriteOrder::Busy> {
    WriteOrder::Busy busy;
    const auto add = [&](const EntryId& id, Version version) {
      busy.places.insert(WriteOrder::place(order_hash(id)));
      busy.oldest = std::min(busy.oldest, version.time);
    };
    // In this order: a write is under way until its key waits for its file.
    for (Stripe& stripe : stripes_) {
      Lock lock(stripe.mutex);
      for (const auto& [id, versions] : stripe.under_way)
        add(id, *std::ranges::min_element(versions));
    }
    local_.for_each_unwritten(add);
    std::vector<EntryId> waiting;
    const bool all =
        file_writer_.for_each_waiting([&](const EntryId& id) { waiting.push_back(id); });
    for (const EntryId& id : waiting) {
      // What memory has by now is what the file will get.
      const DatasetState* dataset = runtime_.datasets.find(id.dataset);
      const auto found = dataset ? local_.memory().peek(dataset->ref(id.key)) : MemoryTier::Found{};
      add(id, found.resident ? found.resident->entry.version : Version{1, 0});
    }
    if (!all) return std::nullopt;
    return busy;
  });
}

// --- Under the key's lock ---

Version WriteStamps::next_version(const Change& change, Version known) {
  const Version placed{change.reserved_time, runtime_.versions.writer()};
  if (change.reserved_time != 0 && placed > known) return placed;
  Version next = runtime_.versions.next(known);
  next.time = local_.write_order().stamp(order_hash(change.id()), next.time);
  runtime_.versions.observe(next);
  return next;
}

std::optional<ChangeResult> WriteStamps::stamp_key(Change& change, const EntryPtr& same) {
  using Status = ChangeResult::Status;
  const EntryId id = change.id();
  Stripe& stripe = stripe_of(change);
  Lock lock(stripe.mutex);
  const There there = this->there(*change.dataset, id, stripe);
  const Known& known = there.known;
  const Version newest = there.newest();
  if (change.if_version) {
    const bool by_pattern = !known.erased.is_zero() && known.erased == newest;
    const bool erased = by_pattern || (known.in_files && known.in_files->version == newest &&
                                       known.in_files->kind == EntryKind::tombstone);
    const bool matches = *change.if_version == newest || (change.if_version->is_zero() && erased);
    if (!matches) return conflict(*change.if_version, newest, erased);
    guard_by(id, newest, change);
  }
  if (change.base) {
    const bool erased_since = known.erased > change.begun || erases_.erased_since(id, change.begun);
    if (*change.base != there.written || erased_since) {
      return result_of(Status::superseded, newest);
    }
    if (!newest.is_zero()) guard_by(id, newest, change);
  }
  if (same && same->version == newest) only_move_clocks(change);
  if (change.kind == RecordKind::clocks) {
    stamp_clocks(known, newest, change);
    return std::nullopt;
  }
  if (known.in_files) carry_clocks(known.in_files->clocks, change);
  if (known.in_memory.resident) carry_clocks(known.in_memory.resident->entry.clocks, change);
  local_.write_order().begin(order_hash(id));
  // Before the version is taken: whatever others put into the file from here on may be above it.
  change.generation = local_.memory().seen(change.dataset->ref(change.key)).generation;
  change.entry.version = next_version(change, there.floor());
  // The store would refuse it for that erase, after readers were served it (I5).
  if (const Version erased = erases_.under_way(id, change.entry.version); erased > newest) {
    if (change.if_version) return conflict(*change.if_version, erased, true);
    if (change.base) return result_of(Status::superseded, erased);
  }
  stripe.under_way[id].push_back(change.entry.version);
  return std::nullopt;
}

// What was fetched by a clock that was ahead is invalidated all the same, also once time gets there
// or when the store still has that clock; versions never went back.
void WriteStamps::stamp_clocks(const Known& known, Version version, Change& change) const {
  auto& invalidated_at = change.entry.clocks.invalidated_at;
  const bool invalidates = invalidated_at.has_value();
  if (known.in_files) carry_clocks(known.in_files->clocks, change);
  if (known.in_memory.resident) carry_clocks(known.in_memory.resident->entry.clocks, change);
  change.entry.version = version;
  if (!invalidates) return;
  invalidated_at = std::max(*invalidated_at, WallTime(version.stamped_at()));
  if (known.in_files) {
    invalidated_at = std::max(invalidated_at, known.in_files->clocks.last_fetch);
  }
  // The index may tell of another process's file, which has not got what was fetched here.
  if (known.in_memory.resident) {
    invalidated_at = std::max(invalidated_at, known.in_memory.resident->entry.clocks.last_fetch);
  }
}

void WriteStamps::end(const Change& change) {
  if (change.kind == RecordKind::erase_matching) {
    erases_.end(change.entry.version);
    local_.write_order().end_all();
  }
  if (change.kind != RecordKind::content) return;
  Stripe& stripe = stripe_of(change);
  Lock lock(stripe.mutex);
  const auto under_way = stripe.under_way.find(change.id());
  if (under_way == stripe.under_way.end()) return;
  std::erase(under_way->second, change.entry.version);
  if (under_way->second.empty()) stripe.under_way.erase(under_way);
}

}  // namespace tiercache::detail
