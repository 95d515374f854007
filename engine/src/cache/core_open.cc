// Opening: the ports, the tiers, what stopped caches left in the journal, the datasets.
#include <algorithm>
#include <cerrno>
#include <exception>
#include <set>
#include <utility>

#include "base/disk_refusal.h"
#include "base/same_file.h"
#include "base/spoken.h"
#include "cache/change_feed.h"
#include "cache/checked_store.h"
#include "cache/config_check.h"
#include "cache/core.h"
#include "cache/directory_keeper.h"
#include "cache/file_eviction.h"
#include "cache/file_writer.h"
#include "cache/kept_text.h"
#include "cache/refresh_path.h"
#include "cache/replay.h"
#include "cache/retention.h"
#include "cache/store_identity.h"
#include "cache/store_reader.h"
#include "cache/write_path.h"
#include "files/directory.h"
#include "system/coarse_clock.h"
#include "system/process.h"
#include "tiercache/error.h"
#include "tiercache/store_rules.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

// Room for the envelope's header around the largest document.
constexpr std::size_t kHeaderRoom = 128 << 10;

// The largest entry file. A store that keeps values gives a document back with a blank behind each
// comma and colon, which of the densest ones makes half as much again.
std::size_t max_file_bytes(const Limits& limits) {
  return limits.max_document_bytes + limits.max_document_bytes / 2 + kHeaderRoom;
}
constexpr milliseconds kAdoptEvery{5'000};
constexpr milliseconds kAdoptPatience{10'000};
constexpr milliseconds kAdoptPause{2};
constexpr milliseconds kLongestAdoptPause{256};

std::string counters_path(const CacheOptions& options) {
  return options.directory.string() + "/generations";
}

std::string hex_name(std::uint64_t value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string name(16, '0');
  for (int i = 15; i >= 0; --i, value >>= 4)
    name[static_cast<std::size_t>(i)] = kDigits[value & 15];
  return name;
}

BackoffOptions store_pauses(const StoreOptions& options) {
  return {.first = options.retry_first, .cap = options.retry_cap};
}

}  // namespace

// --- Opening ---

std::shared_ptr<Core> Core::open(CacheOptions options) {
  check_cache_options(options);
  const std::shared_ptr<Core> core(new Core(std::move(options)), &Core::leave);
  core->choose_ports();
  core->fix_directory();
  core->own_directory();
  try {
    core->open_files();
    core->make_paths();
    core->open_journal();
  } catch (const BadDirectory&) {
    // Deleted meanwhile: without the marker the next open would take what was made since for
    // another's.
    if (!has_marker(*core->file_system, core->options.directory.string())) {
      core->own_directory_again();
    }
    throw;
  }
  core->directory_keeper->look();
  core->start_drain();
  core->change_feed->start();
  core->retention->start();
  core->file_eviction->look();
  if (core->files->save_due()) core->file_writer->touched();
  core->adopt_later();
  core->log->info(
      LogTopic::lifecycle,
      "cache of project {} is open: {} in files, {} of their headers read, {} in the outbox",
      core->options.project, counted(core->files->index().size(), "key"),
      core->files->headers_read(), counted(core->journal->stats().unsettled, "write"));
  return core;
}

Core::Core(CacheOptions cache_options)
    : options(std::move(cache_options)), forks_at_open(forks_so_far()) {}

Core::~Core() = default;

void Core::leave(Core* core) {
  std::unique_ptr<Core> left(core);
  if (forks_so_far() != core->forks_at_open) keep_for_ever(std::move(left));
}

// Whoever changes the working directory later leaves the cache where it is.
void Core::fix_directory() {
  std::string fixed;
  const IoStatus status = file_system->absolute(options.directory.string(), &fixed);
  if (!status.ok()) {
    throw BadDirectory("cannot tell where the cache directory \"" + options.directory.string() +
                       "\" is: " + status.what + ". Give an absolute path.");
  }
  options.directory = fixed;
}

void Core::choose_ports() {
  clock = options.ports.clock ? options.ports.clock : system_clock();
  file_system = options.ports.file_system ? options.ports.file_system : posix_file_system();
  owns_executor = options.ports.executor == nullptr;
  executor = owns_executor ? thread_executor({.callback = options.concurrent_refreshes})
                           : options.ports.executor;
  seed_ = options.seed != 0 ? options.seed : random_seed();
  log = std::make_unique<Log>(options.logger, *clock);
  marks = std::make_unique<Marks>(*log, *clock);
  Random random(seed_);
  versions = std::make_unique<VersionClock>(*clock, static_cast<std::uint32_t>(random.next()) | 1);
  if (options.flags.store_enabled && options.store) {
    store = std::make_shared<CheckedStore>(options.store);
  }
  if (store) {
    breaker = std::make_shared<Breaker>(clock, store_pauses(options.store_calls), seed_ + 5);
  }
  rules.max_bytes = options.limits.max_document_bytes;
  rules.max_depth = options.limits.max_depth;
  key_rules.max_bytes = options.limits.max_key_bytes;
  if (options.store) {
    const StoreLimits limits = options.store->limits();
    key_rules.max_bytes_with_dataset = limits.max_key_bytes;
    rules.max_bytes = std::min(rules.max_bytes, limits.max_document_bytes);
    rules.numbers_written_out = limits.writes_numbers_out;
    rules.refuse_nul_escape = limits.refuses_nul_escape;
    rules.refuse_unbounded_numbers = limits.refuses_unbounded_numbers;
  }
}

// Without them others' writes are seen within `memory.ttl`.
std::shared_ptr<std::uint32_t> Core::share_counters() {
  const std::string directory = options.directory.string();
  std::shared_ptr<std::uint32_t> shared;
  bool remote = false;
  IoStatus status = file_system->is_remote(directory, &remote);
  if (status.ok() && !remote) {
    status = file_system->map_counters(counters_path(options),
                                       Generations::kCounters + WriteOrder::kCells, &shared);
  }
  counters_identity_ = shared ? identity_of(*file_system, counters_path(options)) : 0;
  if (!status.ok()) {
    log->warn(LogTopic::files, "other processes' writes are seen within memory.ttl only: {}",
              status.what);
  }
  return shared;
}

bool Core::counters_stand() const {
  const std::uint64_t identity = counters_identity_;
  return identity == 0 || still_leads_to(*file_system, counters_path(options), identity);
}

bool Core::keep_note(const std::string& path, std::string_view head,
                     const std::string& text) const {
  return files->stands() && keep_text(*file_system, path, head, text, files->slot());
}

void Core::share_counters_again() {
  const std::shared_ptr<std::uint32_t> counters = share_counters();
  if (!counters) return;
  generations->share(counters);
  write_order->share(counters, slot_in_order());
}

void Core::own_directory() {
  open_directory(*file_system, {.path = options.directory.string(),
                                .project = options.project,
                                .allow_remote = options.files.allow_remote});
}

void Core::own_directory_again() {
  open_directory(*file_system, {.path = options.directory.string(),
                                .project = options.project,
                                .allow_remote = options.files.allow_remote,
                                .was_ours = true});
}

void Core::open_files() {
  const std::string directory = options.directory.string();
  const std::shared_ptr<std::uint32_t> counters = share_counters();
  generations = std::make_shared<Generations>(counters);
  // What runs from a seed has to run alike on every machine.
  const unsigned shards =
      owns_executor ? MemoryTier::shards_for(options.memory.max_bytes, processors()) : 0;
  memory = std::make_unique<MemoryTier>(options.memory.max_bytes, shards, generations);
  quarantine = std::make_shared<Quarantine>(*file_system, directory + "/quarantine",
                                            options.files.max_quarantine_bytes);
  quarantine->trim();
  files = std::make_unique<EntryFiles>(*file_system, directory, options.project,
                                       max_file_bytes(options.limits), quarantine, generations);
  bool rebuilt = false;
  if (const IoStatus status = files->open(&rebuilt); !status.ok()) {
    throw BadDirectory("the entry files of " + directory + " cannot be read: " + status.what);
  }
  write_order = std::make_unique<WriteOrder>(counters, slot_in_order());
}

// Who only reads files has none.
std::uint64_t Core::slot_in_order() const {
  return files->away().ok() ? files->slot() : WriteOrder::kSlots;
}

void Core::open_journal() {
  const std::string directory = options.directory.string();
  std::unique_ptr<Journal> opened;
  Replay replay(*this);
  const JournalOptions journal_options{.directory = directory + "/journal",
                                       .name = hex_name(Random(seed_).next()),
                                       .seed = seed_ + 4,
                                       .segment_bytes = options.journal.segment_bytes,
                                       .max_bytes = options.journal.max_bytes,
                                       .has_store = options.store != nullptr,
                                       .quarantine = quarantine};
  const auto recovered = [&](const Record& record) { replay.take(record); };
  const auto all_recovered = [&] { replay.write_files(); };
  IoStatus status = Journal::open(file_system, journal_options, recovered, all_recovered, &opened);
  if (!opened) {
    throw BadDirectory("the journal of " + directory + " cannot be opened: " + status.what +
                       ". Nothing in it was changed; make the directory readable and writable for "
                       "this user, with space left.");
  }
  journal = std::move(opened);
  // Another process may be adopting what this cache's last life has acknowledged, or the disk may
  // not read it just now. A journal of a later format stays as it is, however long one waits, and a
  // disk that takes nothing new may stay so for hours.
  const SteadyTime patience = after(kAdoptPatience);
  milliseconds rest = kAdoptPause;
  const auto may_yet_be = [&] { return status.error != ENOTSUP && !refuses_for_now(status.error); };
  while (!status.ok() && may_yet_be() && clock->steady_now() < patience) {
    pause(rest);
    if (status.error != EAGAIN) rest = std::min(2 * rest, kLongestAdoptPause);
    status = journal->adopt(recovered, all_recovered);
  }
  adopted(status);
  replay.finish();
}

void Core::keep_unwritten(const EntryId& id, EntryPtr entry) {
  Lock lock(mutex_);
  EntryPtr& kept = unwritten_[id];
  if (!kept || kept->version <= entry->version) kept = std::move(entry);
}

EntryPtr Core::unwritten(const EntryId& id) const {
  Lock lock(mutex_);
  const auto kept = unwritten_.find(id);
  return kept != unwritten_.end() ? kept->second : nullptr;
}

bool Core::has_unwritten() const {
  Lock lock(mutex_);
  return !unwritten_.empty();
}

std::optional<Entry> Core::newest_known(const EntryId& id) const {
  std::optional<Entry> newest;
  const auto take = [&](const Entry& entry) {
    if (!newest || newest->version < entry.version) newest = entry;
  };
  if (const DatasetState* dataset = find_dataset(id.dataset)) {
    const ResidentPtr resident = memory->peek(dataset->ref(id.key)).resident;
    if (resident && resident->kind != ResidentKind::not_found) take(resident->entry);
  }
  if (const EntryPtr kept = unwritten(id)) take(*kept);
  if (const EntryPtr in_file = files->read(id).entry) take(*in_file);
  return newest;
}

void Core::pause(milliseconds span) const {
  executor->make_event()->wait_until(after(span));
}

void Core::adopt_later() {
  executor->schedule(after(kAdoptEvery), Lane::disk, [weak = weak_from_this()] {
    const auto core = weak.lock();
    if (!core || !core->is_open()) return;
    core->adopt_orphans();
    core->adopt_later();
  });
}

// What was acknowledged by caches that stopped is served only once their journals are read.
void Core::adopted(const IoStatus& status) {
  if (status.ok()) return marks->adoption.worked();
  marks->adoption.failed(
      "older values may be served: a stopped cache's journal cannot be read (" + status.what + ')',
      kAdoptEvery);
}

// Another process on this directory died: its writes are ours to finish.
bool Core::adopt_orphans() {
  if (!directory_keeper->look()) return false;
  Replay replay(*this);
  const IoStatus status = journal->adopt([&](const Record& record) { replay.take(record); },
                                         [&] { replay.write_files(); });
  if (status.error != EAGAIN) adopted(status);
  if (replay.finish()) {
    serve_unwritten();
    if (drain) drain->wake();
  }
  return status.ok();
}

// What was replayed and is in no file is served from memory, and written when that is possible.
void Core::serve_unwritten() {
  std::map<EntryId, EntryPtr> unwritten;
  {
    Lock lock(mutex_);
    for (auto item = unwritten_.begin(); item != unwritten_.end();) {
      const auto next = std::next(item);
      if (datasets_.contains(item->first.dataset)) unwritten.insert(unwritten_.extract(item));
      item = next;
    }
  }
  for (const auto& [id, entry] : unwritten) {
    DatasetState& dataset = *find_dataset(id.dataset);
    auto resident = std::make_shared<Resident>();
    resident->kind =
        entry->kind == EntryKind::tombstone ? ResidentKind::tombstone : ResidentKind::document;
    resident->entry = *entry;
    if (const ResidentPtr known = memory->peek(dataset.ref(id.key)).resident) {
      if (known->entry.version > entry->version) continue;
      if (known->entry.version == entry->version) {
        merge_clocks(&resident->entry, known->entry.clocks, known->entry.metadata, true);
      }
    }
    try {
      if (entry->document) {
        Decoded decoded = dataset.decode(*entry->document);
        resident->value = std::move(decoded.value);
        resident->value_bytes = decoded.bytes;
      }
    } catch (const std::exception&) {
      continue;  // undecodable: stays in the journal
    }
    const Lifetimes lifetimes = judge(resident->entry, dataset.ages, now());
    memory->put(dataset.ref(id.key), std::move(resident), lifetimes, MemoryTier::Pin::yes);
    file_writer->dirty(id);
  }
}

void Core::make_paths() {
  changed = std::make_unique<Signal>(*executor);
  file_writer = std::make_unique<FileWriter>(*this);
  directory_keeper = std::make_unique<DirectoryKeeper>(*this);
  file_eviction = std::make_unique<FileEviction>(*this);
  store_reader = std::make_unique<StoreReader>(*this);
  write_path = std::make_unique<WritePath>(*this);
  refresh_path = std::make_unique<RefreshPath>(*this);
  change_feed = std::make_unique<ChangeFeed>(*this);
  store_identity = std::make_unique<StoreIdentity>(*this);
  retention = std::make_unique<Retention>(*this, seed_ + 6);
  flights =
      std::make_shared<SingleFlight>(*executor, *clock, options.concurrent_refreshes, seed_ + 1);
  scheduler = std::make_shared<Scheduler>(
      *executor, *clock,
      [weak = weak_from_this()](const EntryId& id, Cadence cadence, milliseconds lateness) {
        if (const auto core = weak.lock()) core->refresh_path->due(id, cadence, lateness);
      },
      seed_ + 2);
}

void Core::start_drain() {
  if (!store) return;
  breaker->on_failure([weak = weak_from_this()](const Breaker::State& state) {
    if (const auto core = weak.lock()) core->marks->store.failed(state.why, state.pause);
  });
  breaker->on_close([weak = weak_from_this()] {
    const auto core = weak.lock();
    if (!core) return;
    core->marks->store.worked();
    core->drain->hurry();
    core->changed->notify();
  });
  const DrainOptions drain_options{.project = options.project,
                                   .batch_items = options.store_calls.batch_items,
                                   .call_timeout = options.store_calls.call_timeout,
                                   .backoff = store_pauses(options.store_calls),
                                   .retry = options.flags.background_retry};
  DrainEvents events;
  events.settled = [weak = weak_from_this()](const UnsettledWrite& write,
                                             const SaveResult& result) {
    if (const auto core = weak.lock()) core->on_settled(write, result);
  };
  events.may_settle = [weak = weak_from_this()](const UnsettledWrite& write,
                                                const SaveResult& result) {
    const auto core = weak.lock();
    return core && core->may_settle(write, result.current);
  };
  events.outdated = [weak = weak_from_this()](const UnsettledWrite& write) {
    const auto core = weak.lock();
    return core && core->sends_tombstone_instead(write);
  };
  events.may_send = [weak = weak_from_this()](Breaker::Urgency urgency) {
    const auto core = weak.lock();
    return core && core->store_identity->may_send(urgency);
  };
  events.in_doubt = [weak = weak_from_this()](const UnsettledWrite& write) {
    if (const auto core = weak.lock()) core->settlements.in_doubt(write);
  };
  events.slow = [weak = weak_from_this()](const UnsettledWrite& write, const std::string& why) {
    const auto core = weak.lock();
    if (!core) return;
    core->marks->saves.failed("one write of dataset " + write.write.id.dataset +
                              " is not answered for in time: " + why);
  };
  events.called = [weak = weak_from_this()](const StoreReply& reply,
                                            std::chrono::nanoseconds took) {
    if (const auto core = weak.lock()) {
      core->store_saves.add();
      core->store_answered(reply, took);
      if (reply.status == StoreStatus::ok) core->marks->saves.worked();
      core->changed->notify();
    }
  };
  events.rested = [weak = weak_from_this()] {
    if (const auto core = weak.lock()) core->changed->notify();
  };
  drain = std::make_shared<OutboxDrain>(journal, store, breaker, *executor, clock, drain_options,
                                        std::move(events), seed_ + 3);
  drain->wake();
}

DatasetState& Core::open_dataset(const std::string& name, DatasetPolicy policy) {
  check_open();
  check_dataset_options(name, policy, rules);
  DatasetState* opened = nullptr;
  {
    Lock lock(mutex_);
    const auto there = datasets_.find(name);
    if (there != datasets_.end()) {
      const DatasetPolicy& known = there->second->policy;
      if (known.type != policy.type) {
        throw BadConfiguration("dataset \"" + name +
                               "\" is open with another type: each dataset has one");
      }
      check_same_options(name, known, policy);
      return *there->second;
    }
    std::set<std::uint32_t> taken;
    for (const auto& [other, state] : datasets_) taken.insert(state->number);
    std::uint32_t number = dataset_number(name);
    while (taken.contains(number)) ++number;
    auto state = std::make_unique<DatasetState>(name, number, std::move(policy), options.memory.ttl,
                                                *log, *clock);
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

std::vector<std::string> Core::dataset_names() const {
  std::vector<std::string> names;
  Lock lock(mutex_);
  for (const auto& [name, dataset] : datasets_) names.push_back(name);
  return names;
}

}  // namespace tiercache::detail
