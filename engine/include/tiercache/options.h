// How a cache, a dataset and a call are configured: `CacheOptions`, `BasicDatasetOptions`,
// `GetOptions` and `PutOptions`. All defaults are meant for production. All options are plain
// values. Opening a cache or a dataset throws `BadConfiguration` for options that cannot work; a
// write throws `InvalidDocument` for metadata that cannot be kept, `VersionConflict` if its
// `if_version` does not hold, and `BadConfiguration` if it asks for a store that there is not. A
// negative time is refused in the options of a cache or dataset, and counts as zero in those of a
// call.
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
// | field     | meaning                                         | default | zero                 |
// |-----------|-------------------------------------------------|---------|----------------------|
// | max_bytes | budget for keys, documents, values and overhead | 64 MiB  | only pending writes  |
// | ttl       | how long memory is trusted without a look at    | 5 min   | each read looks at   |
// |           | the file; it says nothing of the data's age     |         | the file             |
//
// The budget does not cover the index of the files, which keeps what is known of every key of the
// directory in RAM: a few hundred bytes each, and the key. `FileOptions::max_entries` bounds it as
// far as entries may be evicted.
struct MemoryOptions {
  std::size_t max_bytes = 64 << 20;
  std::chrono::milliseconds ttl = std::chrono::minutes(5);
};

// The file tier.
//
// | field                | meaning                                      | default | zero        |
// |----------------------|----------------------------------------------|---------|-------------|
// | write_behind         | how soon a write is in its file; up to 50 ms | 20 ms   | at once     |
// | sync_every           | how soon files are synced; only then may the | 5 s     | not allowed |
// |                      | journal let go of their writes               |         |             |
// | allow_remote         | accept NFS, SMB, FUSE, whose locks may fail  | false   |             |
// | max_bytes            | of documents in files; past it, eviction     | 0       | no bound    |
// | max_entries          | documents in files; past it, eviction        | 0       | no bound    |
// | max_quarantine_bytes | of damaged files kept aside; past it the     | 64 MiB  | none kept   |
// |                      | oldest are deleted                           |         |             |
//
// For the two bounds only those documents are evicted that the store was just seen to have, first
// those that memory does not hold and that were fetched longest ago. Without a store nothing is
// evicted, and nothing while it is away; until it is back, files may exceed the bounds.
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
// | max_bytes     | of the writes it must keep; when it is full, `put`   | 1 GiB   | not allowed |
// |               | throws and nothing is deleted; from `segment_bytes`  |         |             |
// | segment_bytes | size of a segment file; from 4,096, at most 1 GiB    | 4 MiB   | not allowed |
struct JournalLimits {
  std::uint64_t max_bytes = 1ull << 30;
  std::uint64_t segment_bytes = 4 << 20;
};

// How background work calls the store. Back-off is exponential with full jitter.
//
// | field        | meaning                                              | default | zero        |
// |--------------|------------------------------------------------------|---------|-------------|
// | call_timeout | deadline of one call of background work; at most     | 10 s    | not allowed |
// |              | 24 h                                                 |         |             |
// | batch_items  | how many writes one call sends at most               | 100     | not allowed |
// | retry_first  | upper bound of the first pause while the store is    | 100 ms  | not allowed |
// |              | away                                                 |         |             |
// | retry_cap    | upper bound of all pauses; from `retry_first`        | 5 min   | not allowed |
// | poll_every   | pause between two looks at the store's change feed   | 1 s     | never looks |
struct StoreOptions {
  std::chrono::milliseconds call_timeout{10'000};
  std::size_t batch_items = 100;
  std::chrono::milliseconds retry_first{100};
  std::chrono::milliseconds retry_cap{300'000};
  std::chrono::milliseconds poll_every{1'000};
};

// What documents and keys may be. The store's own limits (`Store::limits`) apply too.
//
// | field              | meaning                                        | default | zero        |
// |--------------------|------------------------------------------------|---------|-------------|
// | max_document_bytes | larger documents are refused; 2 bytes to 1 GiB | 16 MiB  | not allowed |
// | max_depth          | deeper nesting is refused; up to 1,024 levels  | 256     | not allowed |
// | max_key_bytes      | longer keys are refused; up to 4,096 bytes     | 1,024   | not allowed |
struct Limits {
  std::size_t max_document_bytes = 16 << 20;
  std::size_t max_depth = 256;
  std::size_t max_key_bytes = 1024;
};

// Switches for operation; none of them breaks a promise. The library itself reads no environment
// variables. The table names those in which the services that it was written for keep the switches,
// as the example service does; SUPABASE_ENABLED is the switch of whichever store the cache has.
//
// | field             | service variable  | what false means                         | default |
// |-------------------|-------------------|------------------------------------------|---------|
// | store_enabled     | SUPABASE_ENABLED  | only memory and files are used, and the  | true    |
// |                   |                   | outbox waits; a write that asks for      |         |
// |                   |                   | `Durability::store` throws               |         |
// | emergency_refresh | EMERGENCY_REFRESH | a miss does not call the source          | true    |
// | background_retry  | BACKGROUND_RETRY  | a write is sent once, and then again by  | true    |
// |                   |                   | `flush` or after the next open           |         |
// | graceful_shutdown | GRACEFUL_SHUTDOWN | `close` does not wait for the store: the | true    |
// |                   |                   | outbox stays on disk                     |         |
struct Flags {
  bool store_enabled = true;
  bool emergency_refresh = true;
  bool background_retry = true;
  bool graceful_shutdown = true;
};

// Replaceable parts. When the cache is closed it shuts down an executor of its own, but not one
// that it was given.
//
// | field       | meaning                         | what null means                               |
// |-------------|---------------------------------|-----------------------------------------------|
// | clock       | where the cache reads the time  | `system_clock()`                              |
// | executor    | where it runs work and waits    | threads of its own, `concurrent_refreshes` of |
// |             |                                 | them for callbacks                            |
// | file_system | how it works with its directory | `posix_file_system()`                         |
struct Ports {
  std::shared_ptr<Clock> clock = {};
  std::shared_ptr<Executor> executor = {};
  std::shared_ptr<FileSystem> file_system = {};
};

// What a cache is opened with.
//
// | field                | meaning                                 | default       | zero, null   |
// |----------------------|-----------------------------------------|---------------|--------------|
// | project              | the application's name; 1 to 100 bytes  | required      | not allowed  |
// | directory            | a local one; it is made if missing      | required      | not allowed  |
// | memory               | the memory tier                         | see above     |              |
// | store                | the durable shared tier                 | null          | no such tier |
// | files                | the file tier                           | see above     |              |
// | journal              | the write-ahead log                     | see above     |              |
// | store_calls          | how background work calls the store     | see above     |              |
// | limits               | what documents and keys may be          | see above     |              |
// | flags                | switches for operation                  | all on        |              |
// | tombstone_retention  | how long erases are kept; from 1 day    | 30 days       | not allowed  |
// | concurrent_refreshes | callbacks at once, over all datasets    | 8             | not allowed  |
// | logger               | your service's own, for the cache's log | null          | silent       |
// | ports                | clock, executor and file system         | the machine's |              |
// | seed                 | of random numbers; for repeatable tests | 0             | a random one |
//
// `tombstone_retention` holds for files and store. If a machine was away for longer, its older
// writes are parked.
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

// How much of a dataset is brought from the store into the files when the dataset is opened. It
// stops sooner, without an error, once the files exceed `FileOptions::max_bytes` or `max_entries`.
// If the store does not answer, it is asked again, with growing pauses, until it has.
struct Hydrate {
  std::size_t most_recent = 10'000;  // how many entries, those updated last first; 0: none

  // Brings nothing: entries come one by one as they are read.
  static constexpr Hydrate none() { return {0}; }
  // Brings the `n` entries that were updated last.
  static constexpr Hydrate recent(std::size_t n) { return {n}; }
  // Brings all entries of the dataset, as far as the bounds of the files allow.
  static constexpr Hydrate all() { return {SIZE_MAX}; }
};

// The policy of one dataset. Mind its default lifetime: without a schedule an entry is fresh for 5
// minutes, and after that no read returns it, unless with a `max_stale`, although it is still on
// disk, in the store and in `Dataset::keys`. Where nothing refreshes the entries, set `fresh_for`
// to how long they are good; std::chrono::years(100) stands for ever.
//
// | field              | meaning                                         | default       |
// |--------------------|-------------------------------------------------|---------------|
// | keyed              | many documents by key; false: only one          | false         |
// | refresh_every      | how often `refresh` runs; 0: only on demand     | 0             |
// | refresh_jitter     | each turn moves by up to this, either way; at   | refresh_every |
// |                    | most `refresh_every`                            | / 20          |
// | rich_refresh_every | how often `rich_refresh` runs; 0: only in an    | 0             |
// |                    | emergency                                       |               |
// | fresh_for          | the age up to which an entry is fresh; 0: it    | see below     |
// |                    | is stale at once                                |               |
// | stale_for          | how much longer it is served, while a refresh   | 0: not at all |
// |                    | runs                                            |               |
// | soft_timeout       | how long a reader of a stale entry waits for    | 0: not at all |
// |                    | a fresh one                                     |               |
// | hard_timeout       | when a refresh that has not ended counts as     | 30 s          |
// |                    | failed; from 1 ms                               |               |
// | retry_first        | upper bound of the first pause after a failure; | 1 s           |
// |                    | from 1 ms                                       |               |
// | not_found_for      | how long «not found» is remembered; 0: not      | 1 min         |
// | not_found_erases   | such an answer erases an existing entry         | false         |
// | cache_version      | the documents' format, 1 to 100 bytes; those    | "1.0"         |
// |                    | of another format do not decode                 |               |
// | retention          | how long after their last fetch entries are     | 0: never      |
// |                    | deleted                                         |               |
// | hydrate            | what is brought from the store at open          | 10,000 newest |
// | refresh            | rebuilds a document from its source; may throw  | none          |
// | rich_refresh       | the slower, costlier second kind of refresh     | none          |
// | validate           | refuses a document: returns false, or throws    | none          |
// | fallback           | returned when all else failed; never saved      | none          |
//
// `fresh_for` defaults to refresh_every + refresh_jitter + hard_timeout, and to 5 min without a
// schedule. `retention` is enforced in rounds some hours apart, in files and store, even for an
// entry whose own lifetime (`PutOptions::fresh_for`) is longer; it must be at least fresh_for +
// stale_for. The functions may be called by several threads at once.
//
// A schedule needs its callback. In a keyed dataset it refreshes every document that the directory
// has, whether anybody reads it or not: with the default hydration that is up to 10,000 calls of
// the source in each period, and more as keys are added.
//
// `soft_timeout` counts from when memory and files have been asked, so it bounds the wait for the
// store as well as for the source. `hard_timeout` counts from the start of the callback; a refresh
// that has waited in line for as long before that is throttled. More than 24 h counts as 24 h.
//
// An answer "not found" for a key that has an entry is remembered like any other: for
// `not_found_for` readers do not ask the source again. With `not_found_erases` a dataset of one
// document is still asked for by its turns, an interval after it was erased, in case it is back.
//
// `fallback` is not checked by `validate`. It is also returned for a key that was erased or not
// found, so `Snapshot::gone` and `not_found` are false then. Its age and version are zero, its
// freshness is `expired`, and `Snapshot::is_fallback` is true.
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

// How far down a read may go. Each of these includes those before it.
enum class Reach : std::uint8_t {
  memory,  // no wait and no I/O
  local,   // also the files of this machine
  store,   // also the store
  source,  // also the refresh callback
};

// The options of one read.
//
// | field     | meaning                                        | default     | zero              |
// |-----------|------------------------------------------------|-------------|-------------------|
// | deadline  | how long the whole call may take               | 2 s         | no wait for store |
// |           |                                                |             | or source         |
// | reach     | how far the read may go                        | source      |                   |
// | max_stale | how long past fresh the value may be, in place | `stale_for` | only fresh        |
// |           | of the dataset's `stale_for`; may be longer    |             |                   |
//
// A stale value that is read with a shorter `reach` than `source` is not refreshed in the
// background. If all reads of a key are such, it ages until it expires, or until a schedule has its
// turn. `max_stale` counts from the end of `fresh_for`, or from an invalidation if that was sooner.
struct GetOptions {
  std::chrono::milliseconds deadline{2'000};
  Reach reach = Reach::source;
  std::optional<std::chrono::milliseconds> max_stale = {};
};

// When a write returns.
enum class Durability : std::uint8_t {
  journal,  // once it survives power loss on this machine
  store,    // once the store has confirmed it too; throws `BadConfiguration` if there is no store,
            // or it is switched off
};

// The options of one write. `erase`, `erase_matching` and `invalidate` ignore `fresh_for` and
// `metadata`; the last two ignore `if_version` too.
struct PutOptions {
  // The lifetime (TTL) of this entry; absent: the dataset's. Zero means stale at once, and so does
  // a negative one.
  std::optional<std::chrono::milliseconds> fresh_for = {};
  Durability durability = Durability::journal;  // when the call returns
  // Of all waits for the disk and the store, counted from the call, also from `put_async`.
  std::chrono::milliseconds deadline{10'000};
  // Compare-and-set: the write is made only if the entry has this version, or, with a zero version,
  // only if there is no entry. Otherwise the call throws `VersionConflict`. Absent: the write is
  // made in any case.
  std::optional<Version> if_version = {};
  // A JSON object of at most 32 KiB, with its numbers written out, that any store can hold: without
  // \u0000, duplicate members and numbers beyond Postgres' numeric. The call copies it.
  std::string_view metadata = "{}";
};

}  // namespace tiercache
