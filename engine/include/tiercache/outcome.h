// What a read or write came to: closed enums and plain structs, never exceptions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "tiercache/version.h"

namespace tiercache {

// Where a value came from.
enum class Tier : std::uint8_t { none, memory, files, store, source };

// How old a served value is, counted from the entry's `last_fetch`.
enum class Freshness : std::uint8_t {
  fresh,    // within `fresh_for`
  stale,    // past it or invalidated, within `stale_for`: served while a refresh runs behind
  expired,  // past both: never served but as the dataset's fallback document
};

// What one tier said to a read that passed it.
enum class TierAnswer : std::uint8_t {
  not_asked,    // the read ended before, did not reach so far, or there is no such tier
  hit,          // it served
  miss,         // it has nothing
  stale,        // it has a stale entry that this call did not want yet
  expired,      // it has an expired entry
  gone,         // the entry was erased
  not_found,    // the source says there is no such document
  undecodable,  // the document does not decode or fails `validate`, or is of another
                // `cache_version`
  corrupt,      // a checksum does not hold; kept aside and reported
  unavailable,  // the tier does not work right now
  timed_out,    // it did not answer by the deadline
  failed,       // the refresh callback failed
  throttled,    // the source is not asked again so soon after a failure
  disabled,     // switched off by a flag
};

std::string_view to_string(Tier tier);
std::string_view to_string(Freshness freshness);
std::string_view to_string(TierAnswer answer);

// What each tier said to one read.
struct Passage {
  TierAnswer memory = TierAnswer::not_asked;
  TierAnswer files = TierAnswer::not_asked;
  TierAnswer store = TierAnswer::not_asked;
  TierAnswer source = TierAnswer::not_asked;
  std::string why;  // details of failures, for a person; no documents, no secrets

  // "memory: miss; files: corrupt; store: unavailable; source: failed (…)"
  std::string to_string() const;
};

// Where a write is by the time `put` returns, of this very write.
struct PutReceipt {
  // Zero for an item of `put_many` that was not written.
  Version version;
  bool journaled = false;   // on disk, synced: survives kill -9 and power loss
  bool stored = false;      // the store confirmed it
  bool superseded = false;  // a newer write won; this one is settled and not visible
  // An answer was lost. With `superseded`: the write may have stood in the store until the newer one came.
  // With neither `journaled` nor `stored`: it may appear later, as this version.
  bool in_doubt = false;
  // Of an item of `put_many` that is not where it was to be: the reason, for a person.
  std::string why = {};
};

// What `close` left behind.
struct CloseReceipt {
  std::uint64_t confirmed = 0;            // writes that the store took, or had newer ones of, meanwhile
  std::uint64_t left_in_outbox = 0;       // on disk; the next open sends them
  std::uint64_t parked = 0;               // on disk; the store refused them
  std::uint64_t abandoned_callbacks = 0;  // refresh callbacks that ignored cancellation
  std::uint64_t dropped = 0;              // always 0: nothing acknowledged is dropped
  bool files_complete = true;             // every entry file is written and synced

  std::string to_string() const;
};

}  // namespace tiercache
