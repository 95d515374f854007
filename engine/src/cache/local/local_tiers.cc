// Opening the tiers, and what is known of a key.
#include "cache/local/local_tiers.h"

#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/disk_refusal.h"
#include "base/hex.h"
#include "cache/local/cache_directory.h"
#include "cache/runtime/kept_text.h"
#include "system/process.h"
#include "tiercache/error.h"

namespace tiercache::detail {

namespace {

// Room for the envelope's header around the largest document.
constexpr std::size_t kHeaderRoom = 128 << 10;

// The largest entry file. A store that keeps values instead of text (JSONB) returns a document with
// a blank after each comma and colon, which makes the densest documents half as large again.
std::size_t max_file_bytes(const Limits& limits) {
  return limits.max_document_bytes + limits.max_document_bytes / 2 + kHeaderRoom;
}

// With an executor of the caller's own, the number of shards must not depend on the machine: a test
// that runs from a seed has to run alike everywhere.
unsigned memory_shards(const Runtime& runtime) {
  if (!runtime.owns_executor) return 0;
  return MemoryTier::shards_for(runtime.options.memory.max_bytes, processors());
}

}  // namespace

// --- Opening ---

LocalTiers::LocalTiers(Runtime& runtime, const LocalEvents& events)
    : runtime_(runtime),
      events_(events),
      counters_(runtime),
      first_counters_(counters_.map()),
      generations_(std::make_shared<Generations>(first_counters_)),
      memory_(runtime.options.memory.max_bytes, memory_shards(runtime), generations_),
      quarantine_(std::make_shared<Quarantine>(*runtime.file_system, runtime.path("quarantine"),
                                               runtime.options.files.max_quarantine_bytes)),
      files_(*runtime.file_system, runtime.options.directory.string(), runtime.options.project,
             max_file_bytes(runtime.options.limits), quarantine_, generations_),
      write_order_(first_counters_, open_files()) {}

// Returns the cache's slot in the order of writes.
std::uint64_t LocalTiers::open_files() {
  quarantine_->trim();
  bool rebuilt = false;
  if (const IoStatus status = files_.open(&rebuilt); !status.ok()) {
    throw BadDirectory("the entry files of " + runtime_.options.directory.string() +
                       " cannot be used: " + status.what + ". To go on, " +
                       advice_for(status.error, "let this user read and write them") + ".");
  }
  return slot_in_order();
}

// A cache that cannot write files, as on a read-only disk, has no slot.
std::uint64_t LocalTiers::slot_in_order() const {
  return files_.away().ok() ? files_.slot() : WriteOrder::kSlots;
}

void LocalTiers::open_journal(const Journal::Recovered& recovered,
                              const Journal::AllRecovered& all_recovered, IoStatus* unread) {
  const CacheOptions& options = runtime_.options;
  std::string name;  // a folder that nobody used before
  append_hex64(Random(runtime_.seed).next(), &name);
  const JournalOptions journal_options{.directory = runtime_.path("journal"),
                                       .name = name,
                                       .seed = runtime_.seed + 4,
                                       .segment_bytes = options.journal.segment_bytes,
                                       .max_bytes = options.journal.max_bytes,
                                       .has_store = options.store != nullptr,
                                       .quarantine = quarantine_};
  std::unique_ptr<Journal> opened;
  *unread = Journal::open(runtime_.file_system, journal_options, recovered, all_recovered, &opened);
  if (!opened) {
    throw BadDirectory("the journal of " + options.directory.string() + " cannot be opened: " +
                       unread->what + ". Nothing in it was changed. To go on, " +
                       advice_for(unread->error, "let this user read and write it") + ".");
  }
  journal_ = std::move(opened);
}

// --- What is known ---

std::optional<Known::Standing> Known::standing() const {
  const ResidentPtr& resident = in_memory.resident;
  if (resident && resident->kind != ResidentKind::not_found &&
      (!in_files || resident->entry.version >= in_files->version)) {
    const bool gone = resident->kind == ResidentKind::tombstone;
    return Standing{gone ? EntryKind::tombstone : EntryKind::document, resident->entry.clocks};
  }
  if (!in_files) return std::nullopt;
  return Standing{in_files->kind, in_files->clocks};
}

Clocks Known::latest_clocks() const {
  Clocks clocks = in_files ? in_files->clocks : Clocks{};
  if (in_memory.resident) clocks.merge(in_memory.resident->entry.clocks);
  return clocks;
}

Known LocalTiers::known(const DatasetState* dataset, const EntryId& id) const {
  Known known;
  if (dataset != nullptr) known.in_memory = memory_.peek(dataset->ref(id.key));
  known.in_files = index().find(id);
  if (known.in_memory.resident) known.version = known.in_memory.resident->entry.version;
  if (known.in_files) known.version = std::max(known.version, known.in_files->version);
  known.erased = journal_->erased_below(id).value_or(Version{});
  Lock lock(mutex_);
  const auto gone = withdrawn_.find(id);
  if (gone == withdrawn_.end()) return known;
  known.withdrawn = gone->second.version;
  if (gone->second.what == Withdrawn::What::all_older_ones) known.given_up = known.withdrawn;
  return known;
}

bool LocalTiers::hides(const EntryId& id, Version version) const {
  const auto erased = journal_->erased_below(id);
  return erased && version < *erased;
}

FileReadResult LocalTiers::read_file(const EntryId& id) {
  FileReadResult file = files_.read(id);
  index_pinned(id);  // the index has by now what the file has, which may be older
  const auto erased = journal_->erased_below(id);
  if (file.entry && erased && file.entry->version < *erased) {
    auto tombstone = std::make_shared<Entry>();
    tombstone->kind = EntryKind::tombstone;
    tombstone->version = *erased;
    file.entry = std::move(tombstone);
  }
  return file;
}

EntryPtr LocalTiers::find(DatasetState& dataset, const EntryId& id) {
  const MemoryTier::Found found = memory_.peek(dataset.ref(id.key));
  if (!found.resident || found.resident->kind == ResidentKind::not_found)
    return read_file(id).entry;
  const Entry& entry = found.resident->entry;
  const bool trusted = !found.outdated && runtime_.coarse_ticks() < found.lifetimes.trusted_until;
  if (!trusted) {
    const FileReadResult file = read_file(id);
    // Unless memory's entry is still on its way to its file, the file is right, even if it is
    // older: then another process has put the store's row there, because the store refused what
    // memory has.
    const bool stands = file.entry && (!found.pinned || file.entry->version > entry.version);
    const bool removed = file.status == FileReadResult::Status::absent && found.outdated;
    if (stands || (removed && !found.pinned)) return file.entry;
  }
  return std::make_shared<Entry>(entry);
}

std::vector<std::string> LocalTiers::keys(const std::string& dataset,
                                          std::optional<std::string_view> after,
                                          std::size_t limit) const {
  std::vector<std::string> keys;
  std::optional<std::string> last;
  if (after) last = std::string(*after);
  while (keys.size() < limit) {
    const std::size_t wanted = limit - keys.size();
    std::vector<std::string> page = index().page(dataset, last, wanted);
    const bool more = page.size() == wanted;
    if (!page.empty()) last = page.back();
    for (std::string& key : page) {
      const auto item = index().find({dataset, key});
      if (!item || !hides({dataset, key}, item->version)) keys.push_back(std::move(key));
    }
    if (!more) break;
  }
  return keys;
}

bool LocalTiers::is_in_memory(const DatasetState* dataset, std::string_view key) const {
  return dataset != nullptr && memory_.peek(dataset->ref(key)).resident != nullptr;
}

std::optional<Entry> LocalTiers::newest(const EntryId& id) {
  std::optional<Entry> newest;
  const auto take = [&](const Entry& entry) {
    if (!newest || newest->version < entry.version) newest = entry;
  };
  if (const DatasetState* dataset = runtime_.datasets.find(id.dataset)) {
    const ResidentPtr resident = memory_.peek(dataset->ref(id.key)).resident;
    if (resident && resident->kind != ResidentKind::not_found) take(resident->entry);
  }
  if (const EntryPtr kept = unwritten(id)) take(*kept);
  if (const EntryPtr in_file = files_.read(id).entry) take(*in_file);
  return newest;
}

Clocks LocalTiers::believable_clocks(const EntryId& id, const Entry& entry) const {
  const WallTime wall = runtime_.now().wall;
  Clocks clocks = believable(entry.clocks, wall);
  clocks.merge(believable(journal_->live_clocks(id), wall));
  return clocks;
}

WallTime LocalTiers::fetch_time(const EntryId& id) const {
  const WallTime wall = runtime_.versions.now();
  const auto known = index().find(id);
  if (!known) return wall;
  const auto invalidated = believable(known->clocks, wall).invalidated_at;
  return invalidated ? std::max(wall, *invalidated + std::chrono::milliseconds(1)) : wall;
}

// --- The directory ---

bool LocalTiers::stands() const {
  return owns_directory(runtime_) && journal_->stands() &&
         (files_.stands() || !files_.away().ok()) && counters_.stand();
}

IoStatus LocalTiers::away() const {
  const IoStatus files = files_.away();
  return files.ok() ? journal_->away() : files;
}

void LocalTiers::share_counters_again() {
  const std::shared_ptr<std::uint32_t> counters = counters_.map();
  if (!counters) return;
  generations_->share(counters);
  write_order_.share(counters, slot_in_order());
}

bool LocalTiers::keep_note(const std::string& path, std::string_view head,
                           const std::string& text) {
  return files_.stands() && keep_text(*runtime_.file_system, path, head, text, files_.slot());
}

void LocalTiers::commit() {
  if (journal_->commit()) return;
  runtime_.tasks.post(Lane::disk, [this] { commit(); });
}

}  // namespace tiercache::detail
