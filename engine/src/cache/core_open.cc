// Opening: the ports, the tiers, what stopped caches left in the journal, the datasets.
#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

#include "base/glob.h"
#include "cache/config_check.h"
#include "cache/core.h"
#include "cache/file_writer.h"
#include "cache/refresh_path.h"
#include "cache/store_reader.h"
#include "cache/write_path.h"
#include "files/directory.h"
#include "system/coarse_clock.h"
#include "system/process.h"
#include "tiercache/error.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

// Room for the envelope's header around the largest document.
constexpr std::size_t kHeaderRoom = 128 << 10;
constexpr milliseconds kAdoptEvery{5'000};
constexpr milliseconds kAdoptPatience{10'000};
// Between tries for what another process holds for a moment, and how many.
constexpr milliseconds kTurnPause{2};
constexpr int kTurnTries = 1'000;

std::string hex_name(std::uint64_t value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string name(16, '0');
  for (int i = 15; i >= 0; --i, value >>= 4)
    name[static_cast<std::size_t>(i)] = kDigits[value & 15];
  return name;
}

}  // namespace

// --- Opening ---

std::shared_ptr<Core> Core::open(CacheOptions options) {
  check_cache_options(options);
  std::shared_ptr<Core> core(new Core(std::move(options)));
  core->choose_ports();
  core->open_tiers();
  core->make_paths();
  core->start_drain();
  core->adopt_later();
  core->log->info(
      LogTopic::lifecycle, "cache of project {} is open: {} keys in files, {} writes in the outbox",
      core->options.project, core->files->index().size(), core->journal->stats().unsettled);
  return core;
}

Core::Core(CacheOptions cache_options) : options(std::move(cache_options)) {}

Core::~Core() = default;

void Core::choose_ports() {
  clock = options.ports.clock ? options.ports.clock : system_clock();
  file_system = options.ports.file_system ? options.ports.file_system : posix_file_system();
  owns_executor = options.ports.executor == nullptr;
  executor = owns_executor ? thread_executor({.callback = options.concurrent_refreshes})
                           : options.ports.executor;
  seed_ = options.seed != 0 ? options.seed : random_seed();
  forks_at_open = forks_so_far();
  log = std::make_unique<Log>(options.logger, *clock);
  Random random(seed_);
  versions = std::make_unique<VersionClock>(*clock, static_cast<std::uint32_t>(random.next()) | 1);
  if (options.flags.store_enabled) store = options.store;
  rules.max_bytes = options.limits.max_document_bytes;
  rules.max_depth = options.limits.max_depth;
  if (options.store) {
    const StoreLimits limits = options.store->limits();
    rules.max_bytes = std::min(rules.max_bytes, limits.max_document_bytes);
    rules.refuse_nul_escape = limits.refuses_nul_escape;
    rules.refuse_unbounded_numbers = limits.refuses_unbounded_numbers;
  }
}

void Core::open_tiers() {
  const std::string directory = options.directory.string();
  open_directory(
      *file_system,
      {.path = directory, .project = options.project, .allow_remote = options.files.allow_remote});
  memory = std::make_unique<MemoryTier>(options.memory.max_bytes);
  files = std::make_unique<EntryFiles>(*file_system, directory, options.project,
                                       options.limits.max_document_bytes + kHeaderRoom);
  bool rebuilt = false;
  if (const IoStatus status = files->open(&rebuilt); !status.ok()) {
    throw BadDirectory("the entry files of " + directory + " cannot be read: " + status.what);
  }
  std::unique_ptr<Journal> opened;
  Adopted adopted;
  const JournalOptions journal_options{.directory = directory + "/journal",
                                       .name = hex_name(Random(seed_).next()),
                                       .seed = seed_ + 4,
                                       .segment_bytes = options.journal.segment_bytes,
                                       .max_bytes = options.journal.max_bytes,
                                       .has_store = options.store != nullptr};
  const auto recovered = [&](const Record& record) { replay(record, adopted); };
  IoStatus status = Journal::open(file_system, journal_options, recovered, &opened);
  if (!opened) {
    throw BadDirectory("the journal of " + directory + " cannot be opened: " + status.what +
                       ". Nothing in it was changed; make the directory readable and writable for "
                       "this user, with space left.");
  }
  journal = std::move(opened);
  // Another process may be adopting what this cache's last life has acknowledged.
  const SteadyTime patience = after(kAdoptPatience);
  while (status.error == EAGAIN && clock->steady_now() < patience) {
    pause(kTurnPause);
    status = journal->adopt(recovered);
  }
  if (!status.ok()) {
    journal_health.failed(now().wall, status.what);
    log->error(LogTopic::journal, "a stopped cache's journal was left as it is: {}", status.what);
  }
  settle_adopted(adopted);
}

void Core::pause(milliseconds span) const {
  executor->make_event()->wait_until(after(span));
}

// What was replayed is in its files: once they are synced, the journal may let go of it.
void Core::settle_adopted(const Adopted& adopted) {
  // Where the sync fails nothing is told: the records stay in the journal until the next open.
  if (adopted.empty() || !files->sync().ok()) return;
  for (const AdoptedRecord& record : adopted) {
    if (record.kind == RecordKind::erase_matching) {
      journal->files_erased(record.id, record.version);
    } else {
      journal->file_written(record.id, record.version, record.clocks);
    }
  }
  journal->files_synced(journal->files_mark());
}

void Core::adopt_later() {
  executor->schedule(after(kAdoptEvery), Lane::disk, [weak = weak_from_this()] {
    const auto core = weak.lock();
    if (!core || !core->is_open()) return;
    core->adopt_orphans();
    core->adopt_later();
  });
}

// Another process on this directory died: its writes are ours to finish.
void Core::adopt_orphans() {
  Adopted adopted;
  const IoStatus status = journal->adopt([&](const Record& record) {
    replay(record, adopted);
    DatasetState* dataset = find_dataset(record.id.dataset);
    if (dataset == nullptr) return;
    if (record.kind == RecordKind::erase_matching) {
      memory->remove_matching(dataset->number, record.entry.version, [&](std::string_view key) {
        return glob_matches(record.id.key, key);
      });
    } else if (const auto found = memory->peek(dataset->ref(record.id.key));
               found.resident && !found.pinned) {
      memory->remove(dataset->ref(record.id.key), record.entry.version);  // the file has it
    }
  });
  if (!status.ok() && status.error != EAGAIN)
    log->warn(LogTopic::journal, "a stopped cache's journal was not adopted: {}", status.what);
  settle_adopted(adopted);
  serve_unwritten();
  if (!adopted.empty() && drain) drain->wake();
}

// The store refused this write by its guard and the winner, of a lower version, took its place (I5).
bool Core::superseded_in_files(const Record& record) const {
  if (!record.not_newer_than) return false;
  const EntryPtr there = files->read(record.id).entry;
  return there && there->version > *record.not_newer_than && there->version < record.entry.version;
}

// A write that a stopped cache had journaled: its file may lack it.
void Core::replay(const Record& record, Adopted& adopted) {
  const AdoptedRecord done{record.kind, record.id, record.entry.version, record.entry.clocks};
  versions->observe(record.entry.version);
  if (record.kind == RecordKind::erase_matching) {
    if (erase_files_matching(record.id.dataset, record.id.key, record.entry.version)) {
      adopted.push_back(done);
    }
    return;
  }
  Entry entry = record.entry;
  if (record.kind == RecordKind::clocks) {
    const FileReadResult file = files->read(record.id);
    if (!file.entry || file.entry->kind != EntryKind::document) return adopted.push_back(done);
    entry = *file.entry;
    entry.clocks.merge(record.entry.clocks);
    if (entry.version == record.entry.version) entry.metadata = record.entry.metadata;
  } else if (record.kind != RecordKind::content && record.kind != RecordKind::parked) {
    return;
  } else if (superseded_in_files(record)) {
    return adopted.push_back(done);
  }
  const FileWriteResult written = write_in_turn(record.id, entry);
  if (written.status == FileWriteResult::Status::failed ||
      written.status == FileWriteResult::Status::busy) {
    files_health.failed(now().wall, written.io.what);
    Lock lock(mutex_);
    unwritten_.insert_or_assign(record.id, std::move(entry));
    return;
  }
  adopted.push_back(done);
}

// Others hold a key's turn only for a moment.
FileWriteResult Core::write_in_turn(const EntryId& id, const Entry& entry) {
  FileWriteResult written = files->write(id, entry, EntryFiles::Sync::none);
  for (int i = 0; i < kTurnTries && written.status == FileWriteResult::Status::busy; ++i) {
    pause(kTurnPause);
    written = files->write(id, entry, EntryFiles::Sync::none);
  }
  return written;
}

// What was replayed and is in no file is served from memory, and written when that is possible.
void Core::serve_unwritten() {
  std::map<EntryId, Entry> unwritten;
  {
    Lock lock(mutex_);
    std::erase_if(unwritten_, [&](const auto& item) {
      if (!datasets_.contains(item.first.dataset)) return false;
      unwritten.insert(item);
      return true;
    });
  }
  for (const auto& [id, entry] : unwritten) {
    DatasetState& dataset = *find_dataset(id.dataset);
    if (const auto found = memory->peek(dataset.ref(id.key));
        found.resident && found.resident->entry.version >= entry.version) {
      continue;
    }
    auto resident = std::make_shared<Resident>();
    resident->kind =
        entry.kind == EntryKind::tombstone ? ResidentKind::tombstone : ResidentKind::document;
    resident->entry = entry;
    try {
      if (entry.document) {
        Decoded decoded = dataset.decode(*entry.document);
        resident->value = std::move(decoded.value);
        resident->value_bytes = decoded.bytes;
      }
    } catch (const std::exception&) {
      continue;  // undecodable: stays in the journal
    }
    memory->put(dataset.ref(id.key), std::move(resident), judge(entry, dataset.ages, now()),
                MemoryTier::Pin::yes);
    file_writer->dirty(id);
  }
}

void Core::make_paths() {
  changed = std::make_unique<Signal>(*executor);
  file_writer = std::make_unique<FileWriter>(*this);
  store_reader = std::make_unique<StoreReader>(*this);
  write_path = std::make_unique<WritePath>(*this);
  refresh_path = std::make_unique<RefreshPath>(*this);
  flights = std::make_shared<SingleFlight>(*executor, *clock, *log, options.concurrent_refreshes,
                                           seed_ + 1);
  scheduler = std::make_shared<Scheduler>(
      *executor, *clock,
      [weak = weak_from_this()](const EntryId& id, Cadence cadence, milliseconds lateness) {
        if (const auto core = weak.lock()) core->refresh_path->due(id, cadence, lateness);
      },
      seed_ + 2);
}

void Core::start_drain() {
  if (!store) return;
  const DrainOptions drain_options{
      .project = options.project,
      .batch_items = options.store_calls.batch_items,
      .call_timeout = options.store_calls.call_timeout,
      .backoff = {.first = options.store_calls.retry_first, .cap = options.store_calls.retry_cap},
      .retry = options.flags.background_retry};
  DrainEvents events;
  events.settled = [weak = weak_from_this()](const UnsettledWrite& write,
                                             const SaveResult& result) {
    if (const auto core = weak.lock()) core->on_settled(write, result);
  };
  events.called = [weak = weak_from_this()](const StoreReply& reply,
                                            std::chrono::nanoseconds took) {
    if (const auto core = weak.lock()) {
      core->store_saves.add();
      core->store_answered(reply, took);
      core->changed->notify();
    }
  };
  events.rested = [weak = weak_from_this()] {
    if (const auto core = weak.lock()) core->changed->notify();
  };
  drain = std::make_shared<OutboxDrain>(journal, store, *executor, clock, drain_options,
                                        std::move(events), seed_ + 3);
  drain->wake();
}

DatasetState& Core::open_dataset(const std::string& name, DatasetPolicy policy) {
  check_open();
  check_dataset_options(name, policy);
  DatasetState* opened = nullptr;
  {
    Lock lock(mutex_);
    const auto there = datasets_.find(name);
    if (there != datasets_.end()) {
      if (there->second->policy.type == policy.type) return *there->second;
      throw BadConfiguration("dataset \"" + name +
                             "\" is open with another type: each dataset has one");
    }
    const auto number = static_cast<std::uint32_t>(datasets_.size() + 1);
    auto state =
        std::make_unique<DatasetState>(name, number, std::move(policy), options.memory.ttl);
    opened = datasets_.emplace(name, std::move(state)).first->second.get();
  }
  serve_unwritten();
  refresh_path->hydrate(*opened);
  return *opened;
}

DatasetState* Core::find_dataset(const std::string& name) const {
  Lock lock(mutex_);
  const auto there = datasets_.find(name);
  return there == datasets_.end() ? nullptr : there->second.get();
}

}  // namespace tiercache::detail
