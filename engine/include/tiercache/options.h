// How a cache, a dataset and a call are configured: `CacheOptions`, `BasicDatasetOptions`,
// `GetOptions` and `PutOptions`. All defaults are meant for production. Plain values without
// locks; what cannot work is refused by the call that takes them.
//
//     CacheOptions{.project = "shop", .directory = "cache", .memory = {.max_bytes = 1 << 30}}
//     DatasetOptions<Rates>{.refresh_every = 1h, .stale_for = 24h, .refresh = fetch_rates}
//     GetOptions{.deadline = 50ms, .reach = Reach::local}
//     PutOptions{.durability = Durability::store, .if_version = snapshot.version()}
#pragma once

#include <spdlog/fwd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tiercache/clock.h"
#include "tiercache/executor.h"
#include "tiercache/file_system.h"
#include "tiercache/refresh.h"
#include "tiercache/store.h"
#include "tiercache/version.h"

namespace tiercache {

// --- A cache ---

// The memory tier.
//
// | field     | meaning                                     | default | zero                |
// |-----------|---------------------------------------------|---------|---------------------|
// | max_bytes | budget: keys, documents, values, overhead   | 64 MiB  | only pending writes |
// | ttl       | how long memory is trusted without its file | 5 min   | every read looks    |
struct MemoryOptions {
  std::size_t max_bytes = 64 << 20;
  std::chrono::milliseconds ttl = std::chrono::minutes(5);
};

// The file tier.
//
// | field                | meaning                                         | default | zero        |
// |----------------------|-------------------------------------------------|---------|-------------|
// | write_behind         | until a write is in its file, at most 50 ms     | 20 ms   | at once     |
// | sync_every           | until files are synced and leave the journal    | 5 s     | not allowed |
// | allow_remote         | accept NFS, SMB, FUSE, where locks may not hold | false   |             |
// | max_bytes            | of documents in files; past it some are evicted | 0       | no bound    |
// | max_entries          | documents in files; past it some are evicted    | 0       | no bound    |
// | max_quarantine_bytes | of files kept aside; past it the oldest go      | 64 MiB  | none kept   |
//
// What is evicted for the two bounds is what the store was just seen to have, first what memory
// does not hold and was last fetched longest ago: nothing while the store is away, and nothing
// without one. So files may exceed them until the store is back.
struct FileOptions {
  std::chrono::milliseconds write_behind{20};
  std::chrono::milliseconds sync_every{5'000};
  bool allow_remote = false;
  std::uint64_t max_bytes = 0;
  std::uint64_t max_entries = 0;
  std::uint64_t max_quarantine_bytes = 64 << 20;
};

// The write-ahead log.
//
// | field         | meaning                                              | default | zero        |
// |---------------|------------------------------------------------------|---------|-------------|
// | max_bytes     | live bytes of unconfirmed writes; at it `put` throws | 1 GiB   | not allowed |
// | segment_bytes | size of a segment file                               | 4 MiB   | not allowed |
struct JournalLimits {
  std::uint64_t max_bytes = 1ull << 30;
  std::uint64_t segment_bytes = 4 << 20;
};

// How background work calls the store. Back-off is exponential with full jitter.
//
// | field        | meaning                                             | default | zero        |
// |--------------|-----------------------------------------------------|---------|-------------|
// | call_timeout | deadline of one call of background work             | 10 s    | not allowed |
// | batch_items  | writes sent in one call                             | 100     | not allowed |
// | retry_first  | bound of the first back-off while the store is away | 100 ms  | not allowed |
// | retry_cap    | no back-off is longer                               | 5 min   | not allowed |
// | poll_every   | pause between looks at the store's change feed      | 1 s     | never looks |
struct StoreOptions {
  std::chrono::milliseconds call_timeout{10'000};
  std::size_t batch_items = 100;
  std::chrono::milliseconds retry_first{100};
  std::chrono::milliseconds retry_cap{300'000};
  std::chrono::milliseconds poll_every{1'000};
};

// What documents and keys may be. The store's own limits count too.
//
// | field              | meaning                      | default | zero        |
// |--------------------|------------------------------|---------|-------------|
// | max_document_bytes | larger documents are refused | 16 MiB  | not allowed |
// | max_depth          | deeper nesting is refused    | 256     | not allowed |
// | max_key_bytes      | longer keys are refused      | 1,024   | not allowed |
struct Limits {
  std::size_t max_document_bytes = 16 << 20;
  std::size_t max_depth = 256;
  std::size_t max_key_bytes = 1024;
};

// Switches for operation; none of them breaks a promise. The library reads no environment; the
// variable is the one in which services usually keep the switch.
//
// | field             | usual variable    | false                                      | default |
// |-------------------|-------------------|--------------------------------------------|---------|
// | store_enabled     | SUPABASE_ENABLED  | memory and files alone; the outbox waits   | true    |
// | emergency_refresh | EMERGENCY_REFRESH | a miss does not call the source            | true    |
// | background_retry  | BACKGROUND_RETRY  | one attempt, then `flush` or the next open | true    |
// | graceful_shutdown | GRACEFUL_SHUTDOWN | `close` does not wait, the outbox stays    | true    |
struct Flags {
  bool store_enabled = true;
  bool emergency_refresh = true;
  bool background_retry = true;
  bool graceful_shutdown = true;
};

// Replaceable parts. The cache shuts its own executor down when it is closed, and leaves alone one
// that it was given.
//
// | field       | meaning                      | null                                          |
// |-------------|------------------------------|-----------------------------------------------|
// | clock       | where the cache reads time   | `system_clock()`                              |
// | executor    | where it runs work and waits | threads of its own, `concurrent_refreshes` of |
// |             |                              | them for callbacks                            |
// | file_system | how it touches its directory | `posix_file_system()`                         |
struct Ports {
  std::shared_ptr<Clock> clock = {};
  std::shared_ptr<Executor> executor = {};
  std::shared_ptr<FileSystem> file_system = {};
};

// What a cache is opened with.
//
// | field                | meaning                                     | default       | zero, null   |
// |----------------------|---------------------------------------------|---------------|--------------|
// | project              | one application's namespace; 1 to 100 bytes | required      | not allowed  |
// | directory            | local; files and journal; made when missing | required      | not allowed  |
// | memory               | the memory tier                             | see above     |              |
// | store                | the durable shared tier                     | null          | no such tier |
// | files                | the file tier                               | see above     |              |
// | journal              | the write-ahead log                         | see above     |              |
// | store_calls          | how background work calls the store         | see above     |              |
// | limits               | what documents and keys may be              | see above     |              |
// | flags                | switches for operation                      | all on        |              |
// | tombstone_retention  | how long erases are remembered; from 1 day  | 30 days       | not allowed  |
// | concurrent_refreshes | callbacks at once, over all datasets        | 8             | not allowed  |
// | logger               | your service's own                          | null          | silent       |
// | ports                | replaceable clock, executor, file system    | the machine's |              |
// | seed                 | of jitter and names, for tests that repeat  | 0             | from entropy |
//
// `tombstone_retention` is that of files and store. A machine that was away for longer has its
// older writes parked.
struct CacheOptions {
  std::string project = {};
  std::filesystem::path directory = {};
  MemoryOptions memory = {};
  std::shared_ptr<Store> store = {};
  FileOptions files = {};
  JournalLimits journal = {};
  StoreOptions store_calls = {};
  Limits limits = {};
  Flags flags = {};
  std::chrono::milliseconds tombstone_retention = std::chrono::hours(24 * 30);
  int concurrent_refreshes = 8;
  std::shared_ptr<spdlog::logger> logger = {};
  Ports ports = {};
  std::uint64_t seed = 0;
};

// --- A dataset ---

// How much of a dataset is brought from the store into the files when it is opened.
struct Hydrate {
  std::size_t most_recent = 10'000;  // how many entries, those updated last first; 0: none

  // Nothing is brought; what is read comes one by one.
  static constexpr Hydrate none() { return {0}; }
  // The `n` entries that were updated last.
  static constexpr Hydrate recent(std::size_t n) { return {n}; }
  // All entries of the dataset.
  static constexpr Hydrate all() { return {SIZE_MAX}; }
};

// The policy of one dataset.
//
// | field              | meaning                                           | default       |
// |--------------------|---------------------------------------------------|---------------|
// | keyed              | many documents by key; false: one, the empty key  | false         |
// | refresh_every      | turns of `refresh`; 0: only on demand             | 0             |
// | refresh_jitter     | each turn moves by up to this, either way         | every / 20    |
// | rich_refresh_every | turns of `rich_refresh`; 0: in an emergency only  | 0             |
// | fresh_for          | age until which an entry is fresh                 | see below     |
// | stale_for          | how much longer it is served while a refresh runs | 0: not at all |
// | soft_timeout       | how long its reader waits for a fresh one         | 0: not at all |
// | hard_timeout       | after it a refresh has failed                     | 30 s          |
// | retry_first        | bound of the first back-off after a failure       | 1 s           |
// | not_found_for      | how long «not found» is remembered; 0: not        | 1 min         |
// | not_found_erases   | such an answer erases an existing entry           | false         |
// | cache_version      | format of the documents; others do not decode     | "1.0"         |
// | retention          | deleted when last fetched so long ago; 0: never   | 0: never      |
// | hydrate            | what is brought from the store at open            | 10,000 newest |
// | refresh            | rebuilds a document from its source; may throw    | none          |
// | rich_refresh       | the costlier second kind of refresh               | none          |
// | validate           | false or throws: the document is refused          | none          |
// | fallback           | returned when all else failed, never saved        | none          |
//
// `fresh_for` defaults to refresh_every + refresh_jitter + hard_timeout, and to 5 min without a
// schedule. `retention` deletes in rounds some hours apart, from files and store, also an entry
// whose own lifetime (`PutOptions::fresh_for`) is longer; it must be at least fresh_for +
// stale_for.
template <class Value>
struct BasicDatasetOptions {
  bool keyed = false;
  std::chrono::milliseconds refresh_every{0};
  std::optional<std::chrono::milliseconds> refresh_jitter = {};
  std::chrono::milliseconds rich_refresh_every{0};
  std::optional<std::chrono::milliseconds> fresh_for = {};
  std::chrono::milliseconds stale_for{0};
  std::chrono::milliseconds soft_timeout{0};
  std::chrono::milliseconds hard_timeout{30'000};
  std::chrono::milliseconds retry_first{1'000};
  std::chrono::milliseconds not_found_for{60'000};
  bool not_found_erases = false;
  std::string cache_version = "1.0";
  std::chrono::milliseconds retention{0};
  Hydrate hydrate = {};
  std::function<RefreshAnswer<Value>(RefreshContext&)> refresh = {};
  std::function<RefreshAnswer<Value>(RefreshContext&)> rich_refresh = {};
  std::function<bool(const Value&)> validate = {};
  std::optional<Value> fallback = {};
};

// --- One call ---

// How far down a read may go. Each includes those before it.
enum class Reach : std::uint8_t {
  memory,  // no wait and no I/O
  local,   // also the files of this machine
  store,   // also the store
  source,  // also the refresh callback
};

// How one read goes.
//
// | field     | meaning                                                 | default     | zero        |
// |-----------|---------------------------------------------------------|-------------|-------------|
// | deadline  | of the whole call                                       | 2 s         | never waits |
// | reach     | how far the read may go                                 | source      |             |
// | max_stale | how far past fresh the value may be; may be longer than | `stale_for` | only fresh  |
// |           | the dataset's `stale_for`, which it replaces            |             |             |
struct GetOptions {
  std::chrono::milliseconds deadline{2'000};
  Reach reach = Reach::source;
  std::optional<std::chrono::milliseconds> max_stale = {};
};

// When a write returns.
enum class Durability : std::uint8_t {
  journal,  // when it survives power loss on this machine
  store,    // when the store has confirmed it, too; `BadConfiguration` where there is no store
};

// How one write goes. `erase`, `erase_matching` and `invalidate` take no notice of `fresh_for` and
// `metadata`, the last two none of `if_version` either.
struct PutOptions {
  // The lifetime (TTL) of this entry; absent: the dataset's. A negative one counts as zero: stale
  // at once.
  std::optional<std::chrono::milliseconds> fresh_for = {};
  Durability durability = Durability::journal;  // when the call returns
  std::chrono::milliseconds deadline{10'000};   // of waits on the disk and the store
  // Compare-and-set: the write is made only if this is the entry's version, zero only if there is
  // no entry; else `VersionConflict`. Absent: it is made in any case.
  std::optional<Version> if_version = {};
  // A JSON object of at most 32 KiB that any store can hold: without \u0000, duplicate members and
  // numbers beyond Postgres' numeric, which count written out. Copied by the call.
  std::string_view metadata = "{}";
};

}  // namespace tiercache
