// What the caller of a write is told of it: a receipt, or an exception that says what there is now
// and what to do. One write among many throws nothing: its receipt says the same by its fields and
// in `why`, unless none of the writes succeeded (`throw_none_written`).
//
//     ChangeResult::Status      one write                       one among many
//     durable                   journaled                       journaled
//     stored                    stored                          stored
//     superseded                superseded                      superseded
//     conflict                  VersionConflict                 no version, no field
//     full, not_applied,        NotDurable, `not_applied`       no version, no field
//       in_the_way
//     unknown                   NotDurable, `unknown`           in_doubt
//
// With `Durability::store` a journaled write then waits for what the store says of it:
//
//     Settled::How              one write                       one among many
//     stored                    journaled, stored               journaled, stored
//     superseded                journaled, superseded           journaled, superseded
//       if the store may        and in_doubt                    and in_doubt
//       have had it before
//     refused                   NotDurable, `unknown`           journaled, and why
//     closed                    Closed                          journaled, and why
//     nothing in time           DeadlineExceeded                journaled, and why
//
// Nothing here waits or does I/O.
#pragma once

#include <string>
#include <vector>

#include "cache/runtime/runtime.h"
#include "cache/store/store_calls.h"
#include "cache/store/store_identity.h"
#include "cache/writing/change.h"
#include "cache/writing/settlements.h"
#include "cache/writing/store_writer.h"
#include "tiercache/outbox.h"
#include "tiercache/outcome.h"

namespace tiercache::detail {

// The parts that together tell what becomes of a write that still waits for the store.
struct StoreOutlook {
  const Runtime& runtime;
  const StoreCalls& calls;
  const StoreIdentity& identity;
  const StoreWriter& store_writer;
};

PutReceipt receipt_or_throw(const DatasetState& dataset, const ChangeResult& result);
// The same for one write among many.
PutReceipt receipt_of_item(const ChangeResult& result);
// Called if no write among many succeeded. Throws what the first of them would throw alone, but
// prefers one that may appear later, since the caller has to know of that.
[[noreturn]] void throw_none_written(const DatasetState& dataset,
                                     const std::vector<ChangeResult>& results);

// A write as the outbox lists it.
OutboxWrite written_as(const DatasetState& dataset, const std::string& key, Version version,
                       RecordKind kind);
// The receipt of a write that the store has settled, or what went wrong with it.
PutReceipt settled_or_throw(const DatasetState& dataset, const PutReceipt& receipt,
                            const Settled& settled);
// The same for one write among many.
PutReceipt settled_receipt(PutReceipt receipt, const Settled& settled);

// Throws DeadlineExceeded, because the store has not confirmed the write in time. The details say
// what is known of why.
[[noreturn]] void throw_not_stored_in_time(const StoreOutlook& outlook, const DatasetState& dataset,
                                           const OutboxWrite& write);
// The same as a sentence, for one write among many. It may quote the store.
std::string not_stored_in_time(const StoreOutlook& outlook, const OutboxWrite& write);
// Throws NotDurable, because the store has not confirmed the version that a write was to be
// compared with. The write was not applied.
[[noreturn]] void throw_base_unconfirmed(const StoreOutlook& outlook, const DatasetState& dataset,
                                         const OutboxWrite& base);

}  // namespace tiercache::detail
