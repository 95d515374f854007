// What version a write gets, and whether it may be made at all.
#include <algorithm>
#include <utility>
#include <vector>

#include "base/glob.h"
#include "cache/core.h"
#include "cache/file_writer.h"
#include "cache/judge.h"
#include "cache/write_path.h"

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

// For whoever compared: what stands where another version was expected.
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

Version WritePath::known_version(DatasetState& dataset, const EntryId& id) {
  Stripe& stripe = stripe_of(dataset.ref(id.key).hash);
  Lock lock(stripe.mutex);
  return newest_known(dataset, id, stripe);
}

Version WritePath::version_there(DatasetState& dataset, const EntryId& id) const {
  Version newest;
  const auto found = core_.memory->peek(dataset.ref(id.key));
  if (found.resident) newest = found.resident->entry.version;
  if (const auto item = core_.files->index().find(id)) newest = std::max(newest, item->version);
  return newest;
}

Version WritePath::visible_version(DatasetState& dataset, const EntryId& id) const {
  const Version there = version_there(dataset, id);
  return std::max(there, core_.journal->erased_below(id).value_or(Version{}));
}

Version WritePath::newest_known(DatasetState& dataset, const EntryId& id, Stripe& stripe) {
  const Version there = newest_there(dataset, id, stripe);
  return std::max(there, core_.journal->erased_below(id).value_or(Version{}));
}

Version WritePath::newest_there(DatasetState& dataset, const EntryId& id, Stripe& stripe) {
  Version newest = version_there(dataset, id);
  if (const auto under_way = stripe.under_way.find(id); under_way != stripe.under_way.end()) {
    for (const Version version : under_way->second) newest = std::max(newest, version);
  }
  return newest;
}

// Another process's clock may be ahead of ours by a moment, an earlier life's by more.
Version WritePath::newest_matching(const DatasetState& dataset, const std::string& glob) const {
  Version newest;
  core_.files->index().for_each(dataset.name, [&](const std::string& key, const IndexItem& item) {
    if (item.version > newest && glob_matches(glob, key)) newest = item.version;
  });
  return newest;
}

// What the key's clocks say so far goes into the change.
void WritePath::carry_clocks(const Clocks& known, Change& change) const {
  Clocks& clocks = change.entry.clocks;
  Clocks good = believable(known, core_.versions->now());
  if (change.kind == RecordKind::content && good.invalidated_at != known.invalidated_at) {
    good.invalidated_at.reset();  // by a clock that was ahead: before this content all the same
  }
  clocks.merge(good);
}

void WritePath::stamp_erasure(Change& change) {
  Lock lock(erasures_mutex_);
  Version version = core_.versions->next(newest_matching(*change.dataset, change.key));
  version.time = core_.write_order->stamp_all(version.time);
  core_.versions->observe(version);
  change.entry.version = version;
  erasures_.push_back({change.dataset->id(change.key), version});
}

std::optional<ChangeResult> WritePath::place_erasure(Change& change, SteadyTime deadline) {
  core_.files->notice_all(change.dataset->name);
  WriteOrder& order = *core_.write_order;
  order.begin_all();
  stamp_erasure(change);
  std::vector<std::size_t> places = WriteOrder::all_places();
  for (int tries = 0;; ++tries) {
    const std::uint64_t others = order.others_before(change.entry.version.time, &places);
    if (others == 0) return std::nullopt;
    if (core_.clock->steady_now() >= deadline || !core_.is_open()) break;
    wait_for(others, tries);
  }
  forget_under_way(change);
  return result_of(ChangeResult::Status::in_the_way, {},
                   "another process did not bring to its files what it had written before");
}

Version WritePath::erased_under_way(const EntryId& id, Version below) {
  Version newest;
  Lock lock(erasures_mutex_);
  for (const Erasure& erasure : erasures_) {
    if (erasure.version < below && erasure.version > newest && erasure.glob.dataset == id.dataset &&
        glob_matches(erasure.glob.key, id.key)) {
      newest = erasure.version;
    }
  }
  return newest;
}

void WritePath::remember_erased(const EntryId& glob, Version version) {
  constexpr std::size_t kRemembered = 1'000;
  Lock lock(erasures_mutex_);
  erased_lately_.push_back({glob, version});
  if (erased_lately_.size() <= kRemembered) return;
  erased_longer_ago_ = std::max(erased_longer_ago_, erased_lately_.front().version);
  erased_lately_.pop_front();
}

bool WritePath::is_erased_since(const EntryId& id, Version begun) {
  if (const auto erased = core_.journal->erased_below(id); erased && *erased > begun) return true;
  Lock lock(erasures_mutex_);
  if (erased_longer_ago_ > begun) return true;  // whichever keys those had
  return std::ranges::any_of(erased_lately_, [&](const Erasure& erasure) {
    return erasure.version > begun && erasure.glob.dataset == id.dataset &&
           glob_matches(erasure.glob.key, id.key);
  });
}

// Without the key's lock, since it may read the file; `stamp` sees whether it still holds.
EntryPtr WritePath::same_there(const Change& change) const {
  // A put stands for its document against whatever others wrote meanwhile, a refresh does not.
  if (!change.base || change.kind != RecordKind::content || !change.entry.document) return nullptr;
  const EntryId id = change.dataset->id(change.key);
  const MemoryTier::Found found = core_.memory->peek(change.dataset->ref(change.key));
  EntryPtr there;
  if (!found.resident) {
    const auto item = core_.files->index().find(id);
    const bool likely = item && item->checksum == change.entry.checksum;
    if (likely) there = core_.read_file(id).entry;
  } else if (!found.outdated && found.resident->kind == ResidentKind::document) {
    there = EntryPtr(found.resident, &found.resident->entry);
  }
  if (!there || !there->document || !same_document(*there, change.entry)) return nullptr;
  // What the store may yet refuse would take these clocks along.
  if (core_.journal->guard_of(id, there->version)) return nullptr;
  return core_.journal->parked_of(id, there->version).empty() ? there : nullptr;
}

Version WritePath::next_version(const Change& change, Version known) {
  const Version placed{change.place, core_.versions->writer()};
  if (change.place != 0 && placed > known) return placed;
  Version next = core_.versions->next(known);
  next.time = core_.write_order->stamp(order_hash(change.dataset->id(change.key)), next.time);
  core_.versions->observe(next);
  return next;
}

std::optional<ChangeResult> WritePath::compared_and_stamped(Change& change, SteadyTime deadline) {
  if (change.kind == RecordKind::erase_matching) return place_erasure(change, deadline);
  const bool compared = change.if_version || change.base;
  if (!compared) return stamp(change, nullptr);
  const std::uint64_t hash = order_hash(change.dataset->id(change.key));
  if (!take_place(change, deadline)) {
    return result_of(ChangeResult::Status::in_the_way, {},
                     "another process went on writing this key or one beside it");
  }
  auto refused = stamp(change, same_there(change));
  core_.write_order->let_go(hash);
  return refused;
}

bool WritePath::take_place(Change& change, SteadyTime deadline) {
  const EntryId id = change.dataset->id(change.key);
  const std::uint64_t hash = order_hash(id);
  WriteOrder& order = *core_.write_order;
  order.hold(hash);
  for (int tries = 0;; ++tries) {
    change.place = order.stamp(hash, core_.versions->next().time);
    const std::uint64_t others = order.others(hash);
    if (others == 0) break;
    if (core_.clock->steady_now() >= deadline || !core_.is_open()) {
      order.let_go(hash);
      return false;
    }
    const bool first = order.goes_first(hash);
    if (!first) order.let_go(hash);
    wait_for(others, tries);
    if (!first) order.hold(hash);
  }
  core_.versions->observe({change.place, 0});
  core_.files->notice(id);
  return true;
}

void WritePath::wait_for(std::uint64_t others, int tries) {
  constexpr std::chrono::milliseconds kPause{1};
  constexpr int kTriesBeforeLook = 64;
  core_.pause(kPause);
  if (tries % kTriesBeforeLook != kTriesBeforeLook - 1) return;
  for (std::uint64_t slot = 0; slot < WriteOrder::kSlots; ++slot) {
    if ((others >> slot & 1) == 0) continue;
    core_.files->while_dead(slot, [&] {
      if (core_.adopt_orphans()) core_.write_order->forget(slot);
    });
  }
}

bool WritePath::settle() {
  const std::uint64_t now = core_.versions->next().time;
  return core_.write_order->settle(now, [this]() -> std::optional<WriteOrder::Busy> {
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
    std::vector<EntryId> waiting;
    const bool all =
        core_.file_writer->for_each_waiting([&](const EntryId& id) { waiting.push_back(id); });
    for (const EntryId& id : waiting) {
      // What memory has by now is what the file will get.
      const DatasetState* dataset = core_.find_dataset(id.dataset);
      const auto found = dataset ? core_.memory->peek(dataset->ref(id.key)) : MemoryTier::Found{};
      add(id, found.resident ? found.resident->entry.version : Version{1, 0});
    }
    if (!all) return std::nullopt;
    return busy;
  });
}

// What the write was made from may not be in the store yet, and may never come there. Then the
// write holds for all that it held for, and for it.
void WritePath::guard_by(const EntryId& id, Version base, Change& change) const {
  change.guard = base;
  const std::optional<Guard> of_base = core_.journal->guard_of(id, base);
  if (!of_base) return;
  change.guard = of_base->not_newer_than;
  change.made_from = of_base->made_from;
  change.made_from.add(base);
}

std::optional<ChangeResult> WritePath::stamp(Change& change, const EntryPtr& same) {
  using Status = ChangeResult::Status;
  DatasetState& dataset = *change.dataset;
  const EntryId id = dataset.id(change.key);
  const KeyRef ref = dataset.ref(change.key);
  Stripe& stripe = stripe_of(ref.hash);
  Lock lock(stripe.mutex);
  const Version known = newest_known(dataset, id, stripe);
  const auto found = core_.memory->peek(ref);
  const auto item = core_.files->index().find(id);
  if (change.if_version) {
    const bool erased = core_.journal->erased_below(id) == known ||
                        (item && item->version == known && item->kind == EntryKind::tombstone);
    const bool matches = *change.if_version == known || (change.if_version->is_zero() && erased);
    if (!matches) return conflict(*change.if_version, known, erased);
    guard_by(id, known, change);
  }
  if (change.base &&
      (*change.base != newest_there(dataset, id, stripe) || is_erased_since(id, change.begun))) {
    return result_of(Status::superseded, known);
  }
  if (change.base && !known.is_zero()) guard_by(id, known, change);
  if (same && same->version == known) only_move_clocks(change);
  const bool invalidates = change.kind == RecordKind::clocks && change.entry.clocks.invalidated_at;
  if (item) carry_clocks(item->clocks, change);
  if (found.resident) carry_clocks(found.resident->entry.clocks, change);
  if (change.kind == RecordKind::clocks) {
    change.entry.version = known;
    // What was fetched by a clock that was ahead is invalidated all the same, also once time gets
    // there or when the store still has that clock; versions never went back.
    auto& invalidated_at = change.entry.clocks.invalidated_at;
    if (invalidates) {
      invalidated_at = std::max(*invalidated_at, WallTime(known.stamped_at()));
      if (item) invalidated_at = std::max(invalidated_at, item->clocks.last_fetch);
      // The index may tell of another process's file, which has not got what was fetched here.
      const auto& resident = found.resident;
      if (resident) invalidated_at = std::max(invalidated_at, resident->entry.clocks.last_fetch);
    }
    return std::nullopt;
  }
  core_.write_order->begin(order_hash(id));
  // Before the version is taken: whatever others put into the file from here on may be above it.
  change.generation = core_.memory->stamp(ref).generation;
  change.entry.version = next_version(change, known);
  // The store would refuse it for that erase, after readers were served it (I5).
  if (const Version erased = erased_under_way(id, change.entry.version); erased > known) {
    if (change.if_version) return conflict(*change.if_version, erased, true);
    if (change.base) return result_of(Status::superseded, erased);
  }
  stripe.under_way[id].push_back(change.entry.version);
  return std::nullopt;
}

void WritePath::forget_under_way(const Change& change) {
  if (change.kind == RecordKind::erase_matching) {
    {
      Lock lock(erasures_mutex_);
      std::erase_if(erasures_, [&](const Erasure& erasure) {
        return erasure.version == change.entry.version;
      });
    }
    core_.write_order->end_all();
  }
  if (change.kind != RecordKind::content) return;
  Stripe& stripe = stripe_of(change.dataset->ref(change.key).hash);
  Lock lock(stripe.mutex);
  const auto under_way = stripe.under_way.find(change.dataset->id(change.key));
  if (under_way == stripe.under_way.end()) return;
  std::erase(under_way->second, change.entry.version);
  if (under_way->second.empty()) stripe.under_way.erase(under_way);
}

}  // namespace tiercache::detail
