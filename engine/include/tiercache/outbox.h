// The writes that the store has not confirmed: which of them wait, which were refused for good, and
// what can be done about those.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tiercache/entry.h"
#include "tiercache/time.h"
#include "tiercache/version.h"

namespace tiercache {

namespace detail {
class Core;
}

// Where a write of the outbox stands.
enum class OutboxState : std::uint8_t {
  pending,  // it waits for the store, or is on its way there
  parked,   // the store refused it for good, or the disk can no longer read it
};

// What a write of the outbox does.
enum class OutboxKind : std::uint8_t {
  document,        // a `put`, or a refresh that brought a new document
  tombstone,       // an `erase`
  clocks,          // an `invalidate`, or a refresh that brought the document that was there already
  erase_matching,  // then `id.key` is the glob
};

// Returns the enumerator's name as text, for people. Thread-safe.
std::string_view to_string(OutboxKind kind);

// One write, without its document.
struct OutboxWrite {
  EntryId id;       // which entry; for `erase_matching` the glob is in the key's place
  Version version;  // the write's own; for `clocks` that of the content they belong to
  OutboxKind kind = OutboxKind::document;    // what it does
  OutboxState state = OutboxState::pending;  // where it stands
  std::uint64_t bytes = 0;                   // how much room it takes in the journal
  WallTime since;                            // when it was written
  // Text for people, without secrets. For a parked write: what the store said. For a pending one
  // that timed out when it was sent alone: how often it did; the store is still tried, beside the
  // other writes. Empty otherwise.
  std::string why;
};

// What `Outbox::list` lists.
//
// | field   | meaning                                    | default | zero or empty |
// |---------|--------------------------------------------|---------|---------------|
// | state   | the writes in this state                   | parked  |               |
// | dataset | only those of this dataset                 | empty   | of all        |
// | limit   | how many writes a page has at most         | 100     | an empty page |
// | after   | `next` of the previous page                | none    | the first one |
struct OutboxQuery {
  OutboxState state = OutboxState::parked;
  std::string dataset = {};
  std::size_t limit = 100;
  std::optional<OutboxWrite> after = {};
};

// One page of `Outbox::list`.
struct OutboxPage {
  std::vector<OutboxWrite> writes;  // oldest version first
  std::optional<OutboxWrite> next;  // pass it as `after` for the next page; absent at the end
};

// Names the parked writes of one key or glob.
struct OutboxId {
  EntryId id;            // which entry, or the glob in the key's place
  Version version = {};  // as it was listed; zero: whatever is parked under this name
};

// What became of one parked write that was to be retried or discarded.
enum class OutboxOutcome : std::uint8_t {
  done,               // it is in the queue again, or discarded
  not_parked,         // nothing of that name is parked, perhaps because it was settled
  store_unavailable,  // the store did not say in time what it has of the key: it is still parked
  disk_failed,        // the disk did not take the store's row in its place, or not durably: it is
                      // still parked, or will be after the next open; discard it again then
};

// Returns the enumerator's name as text, for people. Thread-safe.
std::string_view to_string(OutboxOutcome outcome);

// How many writes had each outcome.
struct OutboxCounts {
  // Named like the outcomes that they count.
  std::uint64_t done = 0, not_parked = 0, store_unavailable = 0, disk_failed = 0;
};

// A handle to the outbox, made by `Cache::outbox`. It may be copied freely and may outlive the
// cache. Parked writes are on disk, and stay parked when the service restarts. All calls are
// thread-safe, and throw `Closed` once the cache is closed.
class Outbox {
 public:
  // For `Cache`.
  explicit Outbox(std::shared_ptr<detail::Core> core) : core_(std::move(core)) {}

  // Returns one page of the writes that the query names. Asks neither the disk nor the store.
  OutboxPage list(const OutboxQuery& query = {}) const;

  // Puts parked writes back into the queue and sends them at once. The local tiers go on serving
  // them. If the store refuses one again, it is parked again with the new reason. Returns the
  // outcomes in the order of the ids: `done` or `not_parked`.
  std::vector<OutboxOutcome> retry(std::span<const OutboxId> ids) const;
  // The same for one write.
  OutboxOutcome retry(const OutboxId& id) const { return retry({&id, 1}).front(); }
  // Retries all parked writes of a dataset, or of all datasets if it is empty. Counts only `done`.
  OutboxCounts retry_all(std::string_view dataset = {}) const;

  // Gives parked writes up. The journal lets go of them, and the local tiers take what the store
  // has of the key, or drop the entry if the store has none. So the store is asked first, and
  // nothing is discarded while it does not answer: otherwise the entry would silently differ from
  // the store. Neither is a write discarded while the disk does not take the change (`disk_failed`;
  // the log says why): then it is served as before. A later write of the key is left alone. Returns
  // the outcomes in the order of the ids.
  std::vector<OutboxOutcome> discard(
      std::span<const OutboxId> ids,
      std::chrono::milliseconds deadline = std::chrono::seconds(10)) const;
  // The same for one write.
  OutboxOutcome discard(const OutboxId& id,
                        std::chrono::milliseconds deadline = std::chrono::seconds(10)) const {
    return discard({&id, 1}, deadline).front();
  }
  // Discards all parked writes of a dataset, or of all datasets if it is empty.
  OutboxCounts discard_all(std::string_view dataset = {},
                           std::chrono::milliseconds deadline = std::chrono::seconds(10)) const;

 private:
  std::shared_ptr<detail::Core> core_;
};

}  // namespace tiercache
