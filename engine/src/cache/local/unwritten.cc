// Entries whose file cannot be written: memory serves them, and the journal or the store has them.
#include <exception>
#include <utility>

#include "cache/local/local_tiers.h"
#include "tiercache/store_rules.h"

namespace tiercache::detail {

void LocalTiers::keep_unwritten(const EntryId& id, EntryPtr entry) {
  Lock lock(mutex_);
  EntryPtr& kept = unwritten_[id];
  if (!kept || kept->version <= entry->version) kept = std::move(entry);
}

EntryPtr LocalTiers::unwritten(const EntryId& id) const {
  Lock lock(mutex_);
  const auto kept = unwritten_.find(id);
  return kept != unwritten_.end() ? kept->second : nullptr;
}

bool LocalTiers::has_unwritten() const {
  Lock lock(mutex_);
  return !unwritten_.empty();
}

void LocalTiers::for_each_unwritten(
    const std::function<void(const EntryId&, Version)>& visit) const {
  Lock lock(mutex_);
  for (const auto& [id, entry] : unwritten_) visit(id, entry->version);
}

// An entry leaves the map after it waits for its file, so that it always counts as on its way
// there.
void LocalTiers::serve_unwritten() {
  std::map<EntryId, EntryPtr> unwritten;
  {
    Lock lock(mutex_);
    unwritten = unwritten_;
  }
  for (const auto& [id, entry] : unwritten) {
    DatasetState* dataset = runtime_.datasets.find(id.dataset);
    if (dataset == nullptr && !file_unwritten(id, *entry)) continue;
    if (dataset != nullptr) serve_unwritten(*dataset, id, *entry);
    Lock lock(mutex_);
    const auto kept = unwritten_.find(id);
    if (kept != unwritten_.end() && kept->second == entry) unwritten_.erase(kept);
  }
}

// Nothing else brings an entry to its file whose dataset is not open.
bool LocalTiers::file_unwritten(const EntryId& id, const Entry& entry) {
  if (!hides(id, entry.version)) {
    if (!files_.write(id, entry, EntryFiles::Sync::anew).is_there()) return false;
    journal_->file_written(id, entry.version, entry.clocks);
    writer_.touched();
  }
  return true;
}

void LocalTiers::serve_unwritten(DatasetState& dataset, const EntryId& id, const Entry& entry) {
  files_.notice(id);  // others may have put something newer there
  const Known standing = known(&dataset, id);
  if (standing.visible() > entry.version) return;
  const ResidentPtr& here = standing.in_memory.resident;
  std::shared_ptr<Resident> resident;
  try {
    resident = dataset.resident_of(entry);
  } catch (const std::exception&) {
    return;  // undecodable: stays in the journal
  }
  if (here && here->entry.version == entry.version) {
    merge_clocks(&resident->entry, here->entry.clocks, here->entry.metadata, true);
  }
  const Lifetimes lifetimes = judge(resident->entry, dataset.ages, runtime_.now());
  memory_.put(dataset.ref(id.key), std::move(resident), lifetimes, MemoryTier::Pin::yes);
  writer_.unfiled(id);
  events_.moved(dataset, id);
}

}  // namespace tiercache::detail
