// How a read or write ended: closed enums and plain structs, never exceptions. All of them are
// plain values.
//
//     const auto order = orders.get("42");
//     if (!order) logger->warn("order 42: {}", order.passage().to_string());
//     const PutReceipt receipt = orders.put("43", text);
//     if (receipt.journaled && !receipt.stored && !receipt.superseded) {
//       ++on_their_way;  // safe on this disk, and not yet in the store
//     }
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "tiercache/version.h"

namespace tiercache {

// Where a value came from.
enum class Tier : std::uint8_t {
  none,    // from no tier: a miss, or the dataset's fallback document
  memory,  // this process's memory
  files,   // the entry's file, or a write that waits for it
  store,   // the durable shared tier
  source,  // the refresh callback
};

// How old a served value is, counted from the entry's `last_fetch`.
enum class Freshness : std::uint8_t {
  fresh,    // within `fresh_for`
  stale,    // past that or invalidated, but within `stale_for`: served while a refresh runs behind
  expired,  // past both: not served, unless `max_stale` allows it; also that of a fallback document
};

// What one tier answered to a read.
enum class TierAnswer : std::uint8_t {
  not_asked,    // the read ended before it, did not reach so far, or there is no such tier
  hit,          // it has a fresh entry, which was served; the source: has brought or confirmed one
  miss,         // it has nothing, or nothing newer
  stale,        // it has a stale entry; memory also says so of a fresh one that it does not trust
                // without a look at the file. `Snapshot::tier` says whether it was served after all
  expired,      // it has an expired entry, which is served only if `max_stale` allows it
  gone,         // the entry was erased
  not_found,    // the source says there is no such document
  undecodable,  // the document does not decode, fails `validate` or is of another `cache_version`
  corrupt,      // a checksum does not match; the bytes are kept aside and reported
  unavailable,  // the tier does not work right now
  timed_out,    // it did not answer by the deadline
  failed,       // the refresh failed: the callback did, or its answer could not be accepted
  throttled,    // the source is not asked now: too soon after a failure or `RetryAfter`, too many
                // refreshes are in line, no callback thread came free, or an earlier callback hangs
  disabled,     // switched off by a flag
  refreshing,   // a refresh runs or begins, and this read did not wait for its end
};

// Each returns the enumerator's name in words, such as "timed out", for logs and messages.
// Thread-safe.
std::string_view to_string(Tier tier);
std::string_view to_string(Freshness freshness);
std::string_view to_string(TierAnswer answer);

// What each tier answered to one read, and why.
//
// The reasons are for those who run the service: they quote what disks, servers and callbacks said,
// and so may name hosts, databases, users and paths. They hold no documents and no secrets. Show
// others only `summary()`.
struct Passage {
  TierAnswer memory = TierAnswer::not_asked;  // the answer of memory
  TierAnswer files = TierAnswer::not_asked;   // of the files, and of writes not yet in theirs
  TierAnswer store = TierAnswer::not_asked;   // of the store
  TierAnswer source = TierAnswer::not_asked;  // of the refresh callback, or why it was not asked
  // The reasons; empty if the answer says it all. If something stale or nothing was served, the
  // source's reason says why no refresh has helped: how the key's last refresh failed, and when the
  // next one is tried.
  std::string memory_why, files_why, store_why, source_why;
  // Why `get_async` did not read at all, in a case in which `get` would throw. Empty otherwise.
  std::string call_why;

  // Returns the reasons, each with its tier: "store: connection refused; source: HTTP 503". Empty
  // if there are none. If the call was not made, this text and the next two are `call_why`.
  std::string why() const;
  // Returns answers and reasons, for logs: "memory: stale; store: unavailable (connection refused);
  // source: throttled (last failure 12 s ago: HTTP 503; next try in 48 s)". A tier that was not
  // asked and has no reason is left out.
  std::string to_string() const;
  // Returns the answers alone, for outsiders such as the client of an HTTP service: "memory: stale;
  // store: unavailable; source: throttled". Nothing in it comes from a server, a disk or a
  // callback.
  std::string summary() const;
};

// Where a write is by the time `put` returns. It speaks of this very write only, and says no more
// than is known of it.
struct PutReceipt {
  // The version that was stamped for the write. Zero for an item of `put_many` that was not
  // written. `invalidate` stamps none: this is then the version of the content that is there, or
  // zero if there is none.
  Version version;
  bool journaled = false;  // it is on disk and synced: it survives kill -9 and power loss
  // The store has confirmed it, or a later write that was made from it (`if_version`).
  bool stored = false;
  bool superseded = false;  // a newer write won; this one is settled and not visible
  // An answer of the store was lost. With `superseded`: the write may have stood in the store until
  // the newer one came. With neither `journaled` nor `stored`: it may appear later, as this
  // version.
  bool in_doubt = false;
  // Why an item of `put_many` is not where it was meant to be. It may quote the disk or the store,
  // and so is for those who run the service. Empty otherwise.
  std::string why = {};
};

// What `close` did and what it left behind.
struct CloseReceipt {
  // Writes of the outbox that the store confirmed during the call, or for which it had something
  // newer. A write that a later one of its key has replaced in the outbox counts with that one.
  std::uint64_t confirmed = 0;
  std::uint64_t left_in_outbox = 0;  // writes on disk that the next open sends
  std::uint64_t parked = 0;          // writes on disk that the store refused
  // Refresh callbacks that still run: they ignored cancellation.
  std::uint64_t abandoned_callbacks = 0;
  std::uint64_t dropped = 0;   // always 0: nothing acknowledged is dropped
  bool files_complete = true;  // every entry file is written and synced

  // Returns it as one line of text for people.
  std::string to_string() const;
};

}  // namespace tiercache
