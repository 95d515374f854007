// The ground of a test that makes one part of an open cache without the rest: the ports in memory,
// a `Runtime` on them, and above it one struct per room with the room's parts, each handed what it
// needs and telling what happened to a list that the test reads.
//
//     Ground  <--  StoreRoom, LocalRoom  <--  WritingRoom  <--  RefreshingRoom  <--  ReadingRoom
//                                                          <--  UpkeepRoom
//
// A test makes the room it is about; the rooms below come with it, and none of those above.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cache/local/cache_directory.h"
#include "cache/local/corrupt_rows.h"
#include "cache/local/file_writer.h"
#include "cache/local/local_tiers.h"
#include "cache/reading/background_reads.h"
#include "cache/reading/read_op.h"
#include "cache/refreshing/refreshes.h"
#include "cache/runtime/kept_text.h"
#include "cache/runtime/runtime.h"
#include "cache/store/purge_horizon.h"
#include "cache/store/store_calls.h"
#include "cache/store/store_identity.h"
#include "cache/store/store_reader.h"
#include "cache/upkeep/file_bounds.h"
#include "cache/upkeep/scrub.h"
#include "cache/upkeep/upkeep.h"
#include "cache/upkeep/upkeep_parts.h"
#include "cache/writing/outbox_calls.h"
#include "cache/writing/settlements.h"
#include "cache/writing/store_writer.h"
#include "cache/writing/write_path.h"
#include "cache/writing/write_stamps.h"
#include "engine/cache/entries.h"
#include "files/entry_files.h"
#include "refresh/single_flight.h"
#include "tiercache/testing/manual_clock.h"
#include "tiercache/testing/memory_file_system.h"
#include "tiercache/testing/memory_store.h"
#include "tiercache/testing/seeded_executor.h"

namespace tiercache::detail {

using testing::ManualClock;
using testing::MemoryDisk;
using testing::MemoryStore;
using testing::SeededExecutor;
using testing::StoreFault;

struct Ground {
  using Adjust = std::function<void(CacheOptions&)>;

  explicit Ground(const Adjust& adjust = {}) : runtime(options(adjust)) {
    runtime.tasks.belong_to(owner);
  }
  // Another process on the same directory and store, which runs by the same executor.
  struct Beside {
    const Ground& first;
  };
  explicit Ground(Beside beside, const Adjust& adjust = {})
      : clock(beside.first.clock),
        executor(beside.first.executor),
        disk(beside.first.disk),
        store(beside.first.store),
        seed(beside.first.seed + 100),
        runtime(options(adjust)) {
    runtime.tasks.belong_to(owner);
  }
  // What still waits is never run: the rooms have gone by now.
  ~Ground() { executor->shutdown(clock->steady_now()); }
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;

  // The untyped dataset "d", or another one.
  DatasetState& open(const std::string& name = "d",
                     const std::function<void(DatasetPolicy&)>& adjust = {}) {
    DatasetPolicy policy;
    policy.options.keyed = true;
    policy.options.fresh_for = 24h;
    policy.options.stale_for = 24h;
    if (adjust) adjust(policy);
    return runtime.datasets.open(name, std::move(policy)).dataset;
  }
  void run_ready() { executor->run_ready(); }
  void run_for(std::chrono::nanoseconds by) { executor->run_for(by); }
  SteadyTime in(std::chrono::milliseconds delay) const { return clock->steady_now() + delay; }

  void store_does(StoreFault fault) {
    store->set_fault([fault](const std::string&) { return fault; });
  }
  EntryPtr row(const EntryId& id = kId) const { return store->row("test", id); }
  void put_row(Entry entry, const EntryId& id = kId) {
    store->put_row("test", id, std::move(entry));
  }
  // The store has purged a tombstone of this version, which is its horizon now.
  void purge_up_to(std::uint64_t time) {
    put_row(tombstone(time), {"d", "purged"});
    PurgeRequest request;
    request.tombstones_below = version(time + 1);
    request.limit = 1;
    EXPECT_EQ(store->purge("test", request, kNever).tombstones, 1u);
  }
  // The disk refuses these operations on paths that hold `part`.
  void refuse(int error, std::vector<std::string> operations, std::string part) {
    disk->set_fault([error, operations = std::move(operations), part = std::move(part)](
                        const std::string& operation, const std::string& path) {
      const bool hit = std::ranges::find(operations, operation) != operations.end();
      return hit && path.find(part) != std::string::npos ? error : 0;
    });
  }
  // No entry file is written any more; those that are there can be removed.
  void refuse_new_files() { refuse(ENOSPC, {"open"}, "/cache/tmp/"); }
  // Nor removed.
  void refuse_files() { refuse(EROFS, {"open", "rename", "exchange", "remove_file"}, "/cache/"); }
  void disk_works() { disk->set_fault({}); }

  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>(kStart);
  std::shared_ptr<SeededExecutor> executor = std::make_shared<SeededExecutor>(clock, 1);
  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>(clock);
  const std::uint64_t seed = 1;
  // Whoever resets it is a cache that has gone.
  std::shared_ptr<int> owner = std::make_shared<int>(0);
  Runtime runtime;

 private:
  CacheOptions options(const Adjust& adjust) const {
    store->set_limits({});
    CacheOptions options;
    options.project = "test";
    options.directory = "/cache";
    options.store = store;
    options.ports = {.clock = clock, .executor = executor, .file_system = disk->boot()};
    options.seed = seed;
    if (adjust) adjust(options);
    return options;
  }
};

struct StoreRoom {
  explicit StoreRoom(Ground& ground)
      : calls(ground.runtime),
        identity(
            ground.runtime, calls,
            [this, &ground](const std::string& path, std::string_view head,
                            const std::string& text) {
              FileSystem& file_system = *ground.runtime.file_system;
              return keeps_notes &&
                     file_system.make_directories(ground.runtime.options.directory.string()).ok() &&
                     keep_text(file_system, path, head, text, 0);
            },
            [this](bool was_another) { accepted.push_back(was_another); }),
        horizon(calls, identity),
        reader(ground.runtime, calls) {
    calls.tell({
        .named =
            [this](const std::string& incarnation) {
              named.push_back(incarnation);
              identity.seen(incarnation);
            },
        .corrupt_row = [this](const EntryId& id,
                              const auto& text) { corrupt.emplace_back(id, *text); },
        .back = [this] { ++back; },
    });
  }

  // What the room told.
  std::vector<std::string> named;
  std::vector<std::pair<EntryId, std::string>> corrupt;
  int back = 0;
  std::vector<bool> accepted;
  bool keeps_notes = true;  // false: the directory takes none

  StoreCalls calls;
  StoreIdentity identity;
  PurgeHorizon horizon;
  StoreReader reader;
};

struct LocalRoom {
  // `closed`: until somebody opens it.
  enum class JournalIs : std::uint8_t { open, closed };
  explicit LocalRoom(Ground& ground, JournalIs journal_is = JournalIs::open)
      : ground_(ground),
        tiers(own(ground.runtime), events),
        file_writer(ground.runtime, tiers),
        corrupt_rows(ground.runtime, tiers) {
    events = {
        .moved =
            [this](DatasetState& dataset, const EntryId& id) {
              moved.push_back(id.key);
              const auto standing = tiers.known(&dataset, id).standing();
              if (!standing || standing->kind == EntryKind::tombstone) left.push_back(id.key);
            },
        .grew = [this] { ++grew; },
        .gone = [this] { ++gone; },
        .filed = [this] { return !on_filed || on_filed(); },
    };
    tiers.tell_writer({
        .unfiled =
            [this](const EntryId& id) {
              unfiled.push_back(id.key);
              file_writer.write_soon(id);
            },
        .touched =
            [this] {
              ++touched;
              file_writer.sync_soon();
            },
    });
    if (journal_is == JournalIs::closed) return;
    IoStatus unread;
    tiers.open_journal([](const Record&) {}, [] {}, &unread);
  }
  // What a test watches the disk with may have left with the test's own variables.
  ~LocalRoom() { ground_.disk->on_operation({}); }
  LocalRoom(const LocalRoom&) = delete;
  LocalRoom& operator=(const LocalRoom&) = delete;

  // Journals the entry and shows it, as a write does.
  AppendStatus write(DatasetState& dataset, Entry entry, const EntryId& id = kId,
                     std::optional<Version> guard = {}) {
    Record record;
    record.id = id;
    record.entry = entry;
    record.not_newer_than = guard;
    const AppendStatus status = journal(std::move(record));
    if (status == AppendStatus::durable) show(dataset, std::move(entry), id);
    return status;
  }
  AppendStatus journal(Record record) {
    AppendStatus status = AppendStatus::unknown;
    tiers.journal().append(std::move(record),
                           [&](const AppendResult& result) { status = result.status; });
    tiers.journal().commit();
    return status;
  }
  void show(DatasetState& dataset, Entry entry, const EntryId& id = kId) {
    const std::uint32_t generation = tiers.memory().seen(dataset.ref(id.key)).generation;
    tiers.show(dataset, id, dataset.resident_of(entry), generation);
  }
  // A matching erase that is journaled, and not yet visible.
  AppendStatus journal_erase(const std::string& glob, std::uint64_t time) {
    Record record;
    record.kind = RecordKind::erase_matching;
    record.id = {kId.dataset, glob};
    record.entry.version = version(time);
    return journal(std::move(record));
  }
  // Written to its file without the journal, as what the store or another process has is.
  void into_file(const Entry& entry, const EntryId& id = kId) {
    EXPECT_TRUE(tiers.files().write(id, entry, EntryFiles::Sync::before).is_there());
  }
  // Memory has it, as a read leaves it there.
  void into_memory(const DatasetState& dataset, const Entry& entry, const EntryId& id = kId,
                   MemoryTier::Pin pin = MemoryTier::Pin::no) {
    const Lifetimes lifetimes = judge(entry, dataset.ages, ground_.runtime.now());
    EXPECT_TRUE(
        tiers.memory().put(dataset.ref(id.key), dataset.resident_of(entry), lifetimes, pin));
  }
  static std::string path(const EntryId& id = kId) { return "/cache/data/" + entry_path(id); }
  // The directory is one of another incarnation of the store, which is called `name`, or has not
  // said how it is called.
  void belong_to_another_store(const std::string& name = {}) {
    EXPECT_TRUE(tiers.keep_note("/cache/store", "tiercache-store 1\n", "another life"));
    if (name.empty()) return;
    EXPECT_TRUE(tiers.keep_note("/cache/store-name", "tiercache-store-name 1\n", name));
  }
  // The store has all that the journal holds.
  void settle_all() {
    for (;;) {
      const auto writes = tiers.journal().take_unsettled(100, 1 << 20);
      if (writes.empty()) return;
      for (const UnsettledWrite& write : writes) tiers.journal().settled(write);
    }
  }
  std::string file(const EntryId& id = kId) { return text_of(tiers.files().read(id).entry); }
  std::string found(DatasetState& dataset, const EntryId& id = kId) {
    return text_of(tiers.find(dataset, id));
  }
  std::string in_memory(const DatasetState& dataset, const EntryId& id = kId) const {
    const ResidentPtr resident = tiers.memory().peek(dataset.ref(id.key)).resident;
    if (resident && resident->kind == ResidentKind::not_found) return "<not found>";
    return text_of(resident ? EntryPtr(resident, &resident->entry) : nullptr);
  }
  bool is_pinned(const DatasetState& dataset, const EntryId& id = kId) const {
    return tiers.memory().peek(dataset.ref(id.key)).pinned;
  }

  // What the room told, keys for entries.
  std::vector<std::string> moved, left, unfiled;  // `left`: of those moved, what is gone
  int grew = 0, gone = 0, touched = 0;
  std::function<bool()> on_filed;

  Ground& ground_;
  LocalEvents events;
  LocalTiers tiers;
  FileWriter file_writer;
  CorruptRows corrupt_rows;

 private:
  static Runtime& own(Runtime& runtime) {
    own_directory(runtime);
    return runtime;
  }
};

// The drain sends once `store_writer.start` was called.
struct WritingRoom {
  explicit WritingRoom(Ground& ground, LocalRoom::JournalIs journal_is = LocalRoom::JournalIs::open)
      : store(ground),
        local(ground, journal_is),
        store_writer(ground.runtime, local.tiers, local.file_writer, store.calls, store.identity,
                     settlements),
        stamps(ground.runtime, local.tiers, local.file_writer,
               [this] {
                 ++adoptions;
                 return true;
               }),
        writes(ground.runtime, local.tiers, local.file_writer, store.calls, store_writer,
               settlements, stamps),
        outbox(ground.runtime, local.tiers, local.file_writer, store.calls, store_writer),
        ground_(ground) {
    local.on_filed = [this] { return stamps.release_filed(); };
  }

  // A document of the key, as a put makes it.
  static Change change(DatasetState& dataset, std::string text, const std::string& key = "k") {
    Change change;
    change.dataset = &dataset;
    change.key = key;
    change.entry = document(0, std::move(text));
    return change;
  }
  static Change erase(DatasetState& dataset, const std::string& key = "k") {
    Change change;
    change.dataset = &dataset;
    change.key = key;
    change.entry.kind = EntryKind::tombstone;
    return change;
  }
  static Change erase_matching(DatasetState& dataset, const std::string& glob) {
    Change change;
    change.dataset = &dataset;
    change.kind = RecordKind::erase_matching;
    change.key = glob;
    return change;
  }
  ChangeResult write(Change change, std::chrono::milliseconds deadline = 10s) {
    std::vector<Change> changes;
    changes.push_back(std::move(change));
    return writes.write_and_wait(std::move(changes), deadline).front();
  }
  bool run_until_idle() {
    return ground_.executor->run_until([this] { return store_writer.is_idle(); });
  }

  int adoptions = 0;  // that a write asked for

  StoreRoom store;
  LocalRoom local;
  Settlements settlements;
  StoreWriter store_writer;
  WriteStamps stamps;
  WritePath writes;
  OutboxCalls outbox;

 private:
  Ground& ground_;
};

struct RefreshingRoom {
  explicit RefreshingRoom(Ground& ground)
      : writing(ground),
        flights(*ground.runtime.executor, *ground.runtime.clock, 8, ground.runtime.seed),
        turns(ground.runtime, writing.local.tiers, flights,
              [this](const EntryId& id, Cadence cadence, std::chrono::milliseconds lateness) {
                due.emplace_back(id.key, cadence);
                if (on_due) on_due(id, cadence, lateness);
              }),
        answers(ground.runtime, writing.local.tiers, writing.writes, writing.stamps),
        refreshes(ground.runtime, flights, answers, turns) {}

  std::vector<std::pair<std::string, Cadence>> due;  // the turns that came
  Turns::Due on_due;

  WritingRoom writing;
  SingleFlight flights;
  Turns turns;
  Answers answers;
  Refreshes refreshes;
};

struct ReadingRoom {
  explicit ReadingRoom(Ground& ground)
      : refreshing(ground),
        parts{.runtime = ground.runtime,
              .local = refreshing.writing.local.tiers,
              .file_writer = refreshing.writing.local.file_writer,
              .calls = refreshing.writing.store.calls,
              .store_reader = refreshing.writing.store.reader,
              .identity = refreshing.writing.store.identity,
              .horizon = refreshing.writing.store.horizon,
              .refreshes = refreshing.refreshes,
              .served_stale = [this](const ReadRequest& read) { stale.push_back(read.key); }},
        background_reads(ground.runtime, parts, refreshing.turns) {}

  std::vector<std::string> stale;  // what reads served so, and want looked at behind them

  RefreshingRoom refreshing;
  ReadParts parts;
  BackgroundReads background_reads;
};

struct UpkeepRoom {
  explicit UpkeepRoom(Ground& ground, LocalRoom::JournalIs journal_is = LocalRoom::JournalIs::open)
      : writing(ground, journal_is),
        bounds(ground.runtime, writing.local.tiers.index()),
        parts(UpkeepParts{ground.runtime, writing.local.tiers, writing.local.file_writer, bounds,
                          writing.store.calls, writing.store.identity, writing.store.horizon,
                          writing.store_writer},
              [this](DatasetState& dataset) { hydrated.push_back(dataset.name); }) {}

  ScrubReport scrub(ScrubOptions options = {}) {
    return Scrub(parts.works_with, std::move(options)).run();
  }

  std::vector<std::string> hydrated;

  WritingRoom writing;
  FileBounds bounds;
  Upkeep parts;
};

}  // namespace tiercache::detail
