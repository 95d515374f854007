// What the local tiers take from the store and from other caches on the directory.
#include <exception>
#include <limits>
#include <utility>

#include "cache/local/local_tiers.h"
#include "tiercache/store_rules.h"

namespace tiercache::detail {

namespace {

// Memory may refuse a promotion because of writes to other keys of its shard; so it is tried again,
// this often.
constexpr int kShowTries = 4;

Version just_below(Version version) {
  if (version.writer > 0) return {.time = version.time, .writer = version.writer - 1};
  return {.time = version.time - 1, .writer = std::numeric_limits<std::uint32_t>::max()};
}

}  // namespace

bool LocalTiers::keep_in_files(const EntryId& id, const Entry& entry) {
  const Kept kept = keep(id, entry);
  tell_moved(id);
  return kept != Kept::not_at_all;
}

LocalTiers::Kept LocalTiers::keep(const EntryId& id, const Entry& entry) {
  if (hides(id, entry.version)) return Kept::in_its_file;
  const FileWriteResult result = files_.write(id, entry, EntryFiles::Sync::before);
  if (result.status == FileWriteResult::Status::done && journal_->holds(id)) {
    journal_->file_written(id, entry.version, entry.clocks);
    writer_.touched();
  }
  if (hides(id, entry.version)) files_.remove(id, entry.version);
  events_.grew();
  return kept(id, entry, result);
}

LocalTiers::Kept LocalTiers::kept(const EntryId& id, const Entry& entry,
                                  const FileWriteResult& result) {
  if (result.is_there()) return Kept::in_its_file;
  return give_up_older_file(id, entry, result) ? Kept::by_no_file : Kept::not_at_all;
}

// If a tombstone is in no file, memory must have it: another process's journal may still hold
// the older entry, and would bring it back here when that process dies (I4).
bool LocalTiers::belongs_in_memory(const Entry& entry, Kept kept) {
  if (kept == Kept::by_no_file) return entry.kind == EntryKind::tombstone;
  return kept == Kept::not_at_all;
}

// The disk did not take the new file. Most disks that refuse writes still remove files, and without
// the older one nothing outdated is served.
bool LocalTiers::give_up_older_file(const EntryId& id, const Entry& entry,
                                    const FileWriteResult& not_written) {
  using Status = FileWriteResult::Status;
  if (not_written.status != Status::failed) return false;  // another process is at it
  const FileWriteResult removed = files_.remove(id, just_below(entry.version));
  if (removed.status == Status::newer_there) return entry.version < removed.current->version;
  if (removed.status != Status::done) return false;
  // Otherwise an older write of this cache would come back from the journal at the next open. The
  // entry itself stays in the journal, if that has it, until a file does: what a dead process on
  // the directory left may be older, and would take its place.
  const bool journaled = journal_->cover_file_write(id, entry.version);
  if (!journaled) {
    remember_withdrawn(id, {Withdrawn::What::all_older_ones, entry.version, nullptr});
  }
  journal_->file_written(id, journaled ? just_below(entry.version) : entry.version,
                         journaled ? Clocks{} : entry.clocks);
  writer_.touched();
  index_pinned(id);
  return true;
}

// Clocks that the journal has and no file goes along: the file of the version that they were moved
// with will not be written any more.
EntryPtr LocalTiers::with_pending_clocks(const EntryId& id, const EntryPtr& entry) const {
  const Clocks pending = believable(journal_->live_clocks(id), runtime_.now().wall);
  if (entry->kind != EntryKind::document || covers(entry->clocks, pending)) return entry;
  auto merged = std::make_shared<Entry>(*entry);
  merged->clocks.merge(pending);
  return merged;
}

void LocalTiers::take(const EntryId& id, const EntryPtr& newer) {
  const EntryPtr entry = with_pending_clocks(id, newer);
  runtime_.versions.observe(entry->version);
  DatasetState* dataset = runtime_.datasets.find(id.dataset);
  // Taken before the file is written, so that whatever another process does to it later is noticed.
  const std::uint32_t generation =
      dataset != nullptr ? memory_.seen(dataset->ref(id.key)).generation : 0;
  const bool pins = belongs_in_memory(*entry, keep(id, *entry));
  if (dataset == nullptr) {
    if (pins) keep_unwritten(id, entry);
    return;
  }
  ResidentPtr resident;
  try {
    resident = dataset->resident_of(*entry);
  } catch (const std::exception&) {
    return forget_in_memory(id, entry->version);
  }
  // If the file could not be replaced, memory must hide it, and must not evict the entry meanwhile.
  promote(*dataset, id, std::move(resident), generation,
          pins ? MemoryTier::Pin::yes : MemoryTier::Pin::no);
  if (pins) {
    index_pinned(id);
    writer_.unfiled(id);
  }
  events_.moved(*dataset, id);
}

// Puts the entry into memory, unless the key was written or erased while it was on its way here.
// Its clocks may have moved meanwhile as well: what memory knows of them is kept.
void LocalTiers::promote(DatasetState& dataset, const EntryId& id, ResidentPtr resident,
                         std::uint32_t generation, MemoryTier::Pin pin) {
  const KeyRef ref = dataset.ref(id.key);
  const Version version = resident->entry.version;
  for (int i = 0; i < kShowTries || pin == MemoryTier::Pin::yes; ++i) {
    const MemoryTier::Seen seen{memory_.seen(ref).writes, generation};
    const Known here = known(&dataset, id);
    // Memory counts here as well: it alone knows what a refusing disk did not take.
    if (version < here.visible()) return;
    const ResidentPtr& there = here.in_memory.resident;
    if (there && there->kind == ResidentKind::document && there->entry.version == version) {
      auto merged = std::make_shared<Resident>(*resident);
      merge_clocks(&merged->entry, there->entry.clocks, there->entry.metadata, true);
      resident = std::move(merged);
    }
    const Lifetimes lifetimes = judge(resident->entry, dataset.ages, runtime_.now());
    if (memory_.promote(ref, resident, lifetimes, seen, pin)) return;
  }
  memory_.remove(ref, version);  // the file has it
}

bool LocalTiers::take_rows(const std::vector<ScannedEntry>& rows) {
  std::vector<std::pair<EntryId, EntryPtr>> newer;
  for (const ScannedEntry& row : rows) {
    runtime_.versions.observe(row.entry->version);
    if (hides(row.id, row.entry->version)) continue;
    const Clocks clocks = believable_clocks(row.id, *row.entry);
    if (const auto item = index().find(row.id)) {
      Clocks merged = item->clocks;
      merged.merge(clocks);
      if (row.entry->version < item->version) continue;
      if (row.entry->version == item->version && merged == item->clocks) continue;
    }
    auto taken = std::make_shared<Entry>(*row.entry);
    taken->clocks = clocks;
    if (const auto here = newest(row.id); here && here->version == taken->version) {
      merge_clocks(taken.get(), here->clocks, here->metadata, true);
    }
    newer.emplace_back(row.id, std::move(taken));
  }
  const std::vector<FileWriteResult> results = files_.write_synced(newer);
  events_.grew();
  bool all = true;
  for (std::size_t i = 0; i < newer.size(); ++i) {
    const auto& [id, entry] = newer[i];
    if (hides(id, entry->version)) {
      files_.remove(id, entry->version);
      continue;
    }
    all = show_row(id, entry, kept(id, *entry, results[i])) && all;
  }
  return all;
}

// Returns false if something older than the row stays visible, because neither the disk nor memory
// had room for the row.
bool LocalTiers::show_row(const EntryId& id, const EntryPtr& row, Kept kept) {
  DatasetState* dataset = runtime_.datasets.find(id.dataset);
  const bool needs_memory = belongs_in_memory(*row, kept);
  if (dataset == nullptr) {
    if (needs_memory) keep_unwritten(id, row);
    return true;
  }
  const ResidentPtr resident = memory_.peek(dataset->ref(id.key)).resident;
  const bool moves =
      resident &&
      (resident->entry.version < row->version ||
       (resident->entry.version == row->version && resident->entry.clocks != row->clocks));
  const bool takes = moves || (needs_memory && !memory_.is_half_pinned());
  if (takes) {
    take(id, row);
  } else {
    events_.moved(*dataset, id);
  }
  return !needs_memory || takes;
}

// The write was confirmed, but its file may have been replaced by another process's refresh which
// the store then refused. That process put the store's row of that moment in its place, and this
// may have been older than our write.
void LocalTiers::hold_in_files(const EntryId& id, const Entry& entry) {
  const auto known = index().find(id);
  if (known && known->version <= entry.version) return;
  Version unsettled;
  if (journal_->is_unsettled(id, &unsettled) && unsettled > entry.version) return;
  keep_in_files(id, entry);
}

}  // namespace tiercache::detail
