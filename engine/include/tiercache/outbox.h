// The writes that the store has not confirmed: what waits, what was refused for good, and what to
// do about it.
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
  pending,  // waits for the store, or is on its way to it
  parked,   // the store refused it for good, or the disk does not give it back
};

// What a write of the outbox does.
enum class OutboxKind : std::uint8_t {
  document,        // a `put`, or a refresh that brought a new document
  tombstone,       // an `erase`
  clocks,          // an `invalidate`, or a refresh that brought the document that was there already
  erase_matching,  // then `id.key` is the glob
};

// The enumerator's name as text, for a person. Thread-safe.
std::string_view to_string(OutboxKind kind);

// One write, without its document.
struct OutboxWrite {
  EntryId id;       // which entry; of `erase_matching` the glob is in the key's place
  Version version;  // the write's own; of `clocks` that of the content they belong to
  OutboxKind kind = OutboxKind::document;    // what it does
  OutboxState state = OutboxState::pending;  // where it stands
  std::uint64_t bytes = 0;                   // what it takes in the journal
  WallTime since;                            // when it was written
  // For a person, no secrets. Of a parked one: what the store said. Of one that is pending and that
  // the store did not answer for when it was sent alone: how often that was; it is tried on, beside
  // the others.
  std::string why;
};

// What `Outbox::list` is to list.
//
// | field   | meaning                                                     | default | zero or empty |
// |---------|-------------------------------------------------------------|---------|---------------|
// | state   | which writes                                                | parked  |               |
// | dataset | of this dataset alone                                       | empty   | all           |
// | limit   | at most so many                                             | 100     | none          |
// | after   | `next` of the page before                                   | none    | the start     |
struct OutboxQuery {
  OutboxState state = OutboxState::parked;
  std::string dataset = {};
  std::size_t limit = 100;
  std::optional<OutboxWrite> after = {};
};

// One page of `Outbox::list`.
struct OutboxPage {
  std::vector<OutboxWrite> writes;  // oldest version first
  std::optional<OutboxWrite> next;  // pass as `after` for the next page; absent at the end
};

// Names the parked writes of one key or glob.
struct OutboxId {
  EntryId id;            // which entry, or the glob in the key's place
  Version version = {};  // as listed; zero: whichever is parked
};

// What became of one parked write that was to be retried or discarded.
enum class OutboxOutcome : std::uint8_t {
  done,               // it is in the queue again, or discarded
  not_parked,         // nothing of that name is parked: settled, replaced by a later write, unknown
  store_unavailable,  // the store did not say in time what stands there: still parked
  disk_failed,        // the disk did not take the store's row in its place, or not for good: parked
                      // still, or again after the next open; discard it again once the disk works
};

// The enumerator's name as text, for a person. Thread-safe.
std::string_view to_string(OutboxOutcome outcome);

// How many of each outcome there were.
struct OutboxCounts {
  // Named like the outcomes that they count.
  std::uint64_t done = 0, not_parked = 0, store_unavailable = 0, disk_failed = 0;
};

// A handle, copied freely, made by `Cache::outbox`; it shares the cache's inside and may outlive
// it. Parked writes are on disk and stay parked over restarts. All calls are thread-safe, and throw
// `Closed` once the cache is closed.
class Outbox {
 public:
  // For `Cache`.
  explicit Outbox(std::shared_ptr<detail::Core> core) : core_(std::move(core)) {}

  // One page of the writes that the query names. Asks neither the disk nor the store.
  OutboxPage list(const OutboxQuery& query = {}) const;

  // Back into the queue, and sent at once. Local tiers serve the write as they did. Where the store
  // refuses it again it is parked again, with the reason of then. Outcomes in order: `done` or
  // `not_parked`.
  std::vector<OutboxOutcome> retry(std::span<const OutboxId> ids) const;
  OutboxOutcome retry(const OutboxId& id) const { return retry({&id, 1}).front(); }
  // All of a dataset; of all datasets when it is empty.
  OutboxCounts retry_all(std::string_view dataset = {}) const;

  // Gives the write up: the journal lets go of it, and the local tiers take what the store has of
  // the key, or drop the entry where it has none. So the store is asked first; as long as it does
  // not answer nothing is discarded, for an entry that silently differed from the store would stay
  // so. Nor is it while the disk does not give up the write's file (`disk_failed`; the log says
  // why): it is served as before then. A later write of the key is left alone. Outcomes in order.
  std::vector<OutboxOutcome> discard(
      std::span<const OutboxId> ids,
      std::chrono::milliseconds deadline = std::chrono::seconds(10)) const;
  OutboxOutcome discard(const OutboxId& id,
                        std::chrono::milliseconds deadline = std::chrono::seconds(10)) const {
    return discard({&id, 1}, deadline).front();
  }
  // Discards all parked writes of a dataset; of all datasets when it is empty.
  OutboxCounts discard_all(std::string_view dataset = {},
                           std::chrono::milliseconds deadline = std::chrono::seconds(10)) const;

 private:
  std::shared_ptr<detail::Core> core_;
};

}  // namespace tiercache
