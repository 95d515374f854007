// How a cache, a dataset and a call are configured. All defaults are meant for production.
#pragma once

#include <spdlog/fwd.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "tiercache/clock.h"
#include "tiercache/codec.h"
#include "tiercache/executor.h"
#include "tiercache/file_system.h"
#include "tiercache/refresh.h"
#include "tiercache/store.h"
#include "tiercache/version.h"

namespace tiercache {

// | field     | meaning                                     | default | zero                |
// |-----------|---------------------------------------------|---------|---------------------|
// | max_bytes | budget: keys, documents, values, overhead   | 64 MiB  | only pending writes |
// | ttl       | how long memory is trusted without its file | 5 min   | every read looks    |
struct MemoryOptions {
  std::size_t max_bytes = 64 << 20;
  std::chrono::milliseconds ttl = std::chrono::minutes(5);
};

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

// | field         | meaning                                               | default | zero        |
// |---------------|-------------------------------------------------------|---------|-------------|
// | max_bytes     | live bytes of unconfirmed writes; at it `put` throws  | 1 GiB   | not allowed |
// | segment_bytes | size of a segment file                                | 4 MiB   | not allowed |
struct JournalLimits {
  std::uint64_t max_bytes = 1ull << 30;
  std::uint64_t segment_bytes = 4 << 20;
};

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

// | field              | meaning                                      | default | zero        |
// |--------------------|----------------------------------------------|---------|-------------|
// | max_document_bytes | larger documents are refused                 | 16 MiB  | not allowed |
// | max_depth          | deeper nesting is refused                    | 256     | not allowed |
// | max_key_bytes      | longer keys are refused                      | 1,024   | not allowed |
struct Limits {
  std::size_t max_document_bytes = 16 << 20;
  std::size_t max_depth = 256;
  std::size_t max_key_bytes = 1024;
};

// Switches for operation; none of them breaks a promise. The names of the environment variables in
// which services keep them stand behind each.
struct Flags {
  bool store_enabled = true;      // SUPABASE_ENABLED: off: memory and files only, the outbox waits
  bool emergency_refresh = true;  // EMERGENCY_REFRESH: off: a miss does not call the source
  bool background_retry =
      true;  // BACKGROUND_RETRY: off: one attempt, then `flush` or the next open
  bool graceful_shutdown = true;  // GRACEFUL_SHUTDOWN: off: close does not wait, the outbox stays
};

// Replaceable parts; null means the machine's own.
struct Ports {
  std::shared_ptr<Clock> clock = {};
  std::shared_ptr<Executor> executor = {};
  std::shared_ptr<FileSystem> file_system = {};
};

struct CacheOptions {
  std::string project = {};  // one application's namespace; 1 to 100 bytes, required
  std::filesystem::path directory =
      {};  // where files and journal live; made when missing, required
  MemoryOptions memory = {};
  std::shared_ptr<Store> store = {};  // null: memory and files alone
  FileOptions files = {};
  JournalLimits journal = {};
  StoreOptions store_calls = {};
  Limits limits = {};
  Flags flags = {};
  // How long an erase is remembered in files and store; a machine that was away for longer has its
  // older writes parked. At least 1 day.
  std::chrono::milliseconds tombstone_retention = std::chrono::hours(24 * 30);
  int concurrent_refreshes = 8;                 // callbacks at once over all datasets; at least 1
  std::shared_ptr<spdlog::logger> logger = {};  // null: silent
  Ports ports = {};
  std::uint64_t seed = 0;  // of jitter and names; 0: from the system's entropy
};

// How much of the store is brought in when a dataset is opened.
struct Hydrate {
  std::size_t most_recent = 10'000;  // 0: nothing

  static constexpr Hydrate none() { return {0}; }
  static constexpr Hydrate recent(std::size_t n) { return {n}; }
  static constexpr Hydrate all() { return {SIZE_MAX}; }
};

// A typed answer of a refresh callback with its metadata and lifetime.
template <class Value>
struct Refreshed {
  Value value;
  std::string metadata = "{}";  // a JSON object, kept with the entry; as `PutOptions::metadata`
  // Of this entry; absent: the dataset's. Negative, as of a source that says it is old already:
  // zero.
  std::optional<std::chrono::milliseconds> fresh_for = {};
};

// What a typed refresh callback may return: the value itself, `Refreshed`, `NotModified`,
// `NotFound`. That of an untyped dataset returns JSON text, as a std::string.
template <class Value>
class RefreshAnswer {
 public:
  template <class V>
  requires std::convertible_to<V&&, Value> RefreshAnswer(V&& value)
      : answer_(Refreshed<Value>{
            .value = Value(std::forward<V>(value)), .metadata = "{}", .fresh_for = {}}) {
    static_assert(!std::same_as<Value, std::string> || detail::Text<std::remove_cvref_t<V>>,
                  "tiercache: the callback of an untyped dataset returns JSON text, as "
                  "nlohmann::json::dump() gives it; to return values, open dataset<T>");
  }
  RefreshAnswer(Refreshed<Value> refreshed) : answer_(std::move(refreshed)) {}
  RefreshAnswer(NotModified not_modified) : answer_(std::move(not_modified)) {}
  RefreshAnswer(NotFound not_found) : answer_(not_found) {}

  std::variant<Refreshed<Value>, NotModified, NotFound>& get() { return answer_; }

 private:
  std::variant<Refreshed<Value>, NotModified, NotFound> answer_;
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

// How far a read may go.
enum class Reach : std::uint8_t { memory, local, store, source };

struct GetOptions {
  std::chrono::milliseconds deadline{2'000};  // of the whole call; 0: what needs no waiting
  Reach reach = Reach::source;
  std::optional<std::chrono::milliseconds> max_stale = {};  // instead of `stale_for`; 0: only fresh
};

enum class Durability : std::uint8_t {
  journal,  // the call returns when the write survives power loss here
  store,    // … and the store has confirmed it
};

struct PutOptions {
  // This entry's lifetime (TTL); absent: the dataset's. Negative, as of what is over already: zero.
  std::optional<std::chrono::milliseconds> fresh_for = {};
  Durability durability = Durability::journal;
  std::chrono::milliseconds deadline{10'000};  // of waits on the disk and the store
  // Only if this is the entry's version; zero: only if there is none.
  std::optional<Version> if_version = {};
  // A JSON object of at most 32 KiB that any store can hold: without \u0000, duplicate members and
  // numbers beyond Postgres' numeric, which count written out. Copied by the call.
  std::string_view metadata = "{}";
};

}  // namespace tiercache
