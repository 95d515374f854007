// What this cache writes becomes visible, once it is durable.
#include <exception>
#include <utility>

#include "base/glob.h"
#include "cache/local/local_tiers.h"
#include "tiercache/store_rules.h"

namespace tiercache::detail {

namespace {

// As the index has it before its file was looked at.
IndexItem item_of(const Entry& entry) {
  return {.kind = entry.kind,
          .version = entry.version,
          .checksum = entry.checksum,
          .size = entry.document ? entry.document->size() : 0,
          .clocks = entry.clocks};
}

}  // namespace

void LocalTiers::show(DatasetState& dataset, const EntryId& id, ResidentPtr resident,
                      std::uint32_t generation) {
  const Entry& entry = resident->entry;
  const Version version = entry.version;
  if (hides(id, version)) return;
  const IndexItem item = item_of(entry);
  const Lifetimes lifetimes = judge(entry, dataset.ages, runtime_.now());
  memory_.put(dataset.ref(id.key), std::move(resident), lifetimes, MemoryTier::Pin::yes,
              generation);
  files_.index().put(id, item);
  writer_.unfiled(id);
  withdraw_late(id, version);  // the store may have been quicker
  events_.moved(dataset, id);
}

void LocalTiers::index_pinned(const EntryId& id) {
  const DatasetState* dataset = runtime_.datasets.find(id.dataset);
  if (dataset == nullptr) return;
  const MemoryTier::Found found = memory_.peek(dataset->ref(id.key));
  if (found.resident && found.pinned) files_.index().put(id, item_of(found.resident->entry));
}

// A tombstone on its way to its file must not lose its place in memory.
void LocalTiers::remember_not_found(DatasetState& dataset, const EntryId& id, Version as_of,
                                    std::chrono::milliseconds remember_for, MemoryTier::Seen seen) {
  const KeyRef ref = dataset.ref(id.key);
  if (memory_.peek(ref).pinned) return;
  auto resident = std::make_shared<Resident>();
  resident->kind = ResidentKind::not_found;
  resident->entry.version = as_of;
  const Ticks now = runtime_.now().ticks;
  const Ticks until = now + remember_for.count();
  memory_.promote(ref, std::move(resident), {until, until, until, now}, seen);
}

void LocalTiers::move_clocks(DatasetState& dataset, const EntryId& id, const Entry& moved) {
  const KeyRef ref = dataset.ref(id.key);
  // Memory refuses the promotion if the key was written in between. Then everything is read again,
  // since that write may have been an erase, which must not be undone.
  for (;;) {
    MemoryTier::Seen seen = memory_.seen(ref);
    const ResidentPtr resident = with_clocks(dataset, id, moved, &seen.generation);
    if (!resident) {
      // No file will take these clocks out of the journal, unless a document is there that cannot
      // be read now.
      const auto filed = index().find(id);
      const bool document = filed && filed->kind == EntryKind::document;
      if (document && !hides(id, filed->version)) break;
      journal_->file_written(id, {}, moved.clocks);
      writer_.touched();
      break;
    }
    const Entry& entry = resident->entry;
    const IndexItem item = item_of(entry);
    const Lifetimes lifetimes = judge(entry, dataset.ages, runtime_.now());
    if (!memory_.promote(ref, resident, lifetimes, seen, MemoryTier::Pin::yes)) continue;
    files_.index().put(id, item);
    writer_.unfiled(id);
    break;
  }
  events_.moved(dataset, id);
}

// Returns the key's document as memory or its file has it, with the clocks of `moved` merged in;
// null if there is no document. `*generation` is set to that of memory's entry.
ResidentPtr LocalTiers::with_clocks(DatasetState& dataset, const EntryId& id, const Entry& moved,
                                    std::uint32_t* generation) {
  const MemoryTier::Found found = memory_.peek(dataset.ref(id.key));
  std::shared_ptr<Resident> resident;
  if (found.resident) {
    resident = std::make_shared<Resident>(*found.resident);
    *generation = found.generation;  // its file is still to be looked at if others changed it
  } else {
    const EntryPtr entry = read_file(id).entry;
    if (!entry || entry->kind != EntryKind::document) return nullptr;
    try {
      resident = dataset.resident_of(*entry);
    } catch (const std::exception&) {
      return nullptr;  // undecodable: never overwritten but by a successful refresh or put
    }
  }
  if (resident->kind != ResidentKind::document) return nullptr;
  resident->entry.clocks = believable(resident->entry.clocks, runtime_.now().wall);
  merge_clocks(&resident->entry, moved.clocks, moved.metadata,
               resident->entry.version == moved.version);
  return resident;
}

void LocalTiers::erase_matching(const DatasetState& dataset, const std::string& glob,
                                Version version) {
  memory_.remove_matching(dataset.number, version,
                          [&](std::string_view key) { return glob_matches(glob, key); });
  if (erase_files_matching(dataset.name, glob, version)) {
    journal_->files_erased(dataset.id(glob), version);
  }
  writer_.touched();
}

}  // namespace tiercache::detail
