// What the caller of a write is told of it: a receipt, or an exception that says what there is now
// and what to do.
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
// Of one among many, where nothing is thrown.
PutReceipt receipt_of_item(const ChangeResult& result);
// Where none of many was written. One that may appear later says more than one that never will.
[[noreturn]] void throw_none_written(const DatasetState& dataset,
                                     const std::vector<ChangeResult>& results);

// A write as the outbox lists it.
OutboxWrite written_as(const DatasetState& dataset, const std::string& key, Version version,
                       RecordKind kind);
// The receipt of a write that the store has settled, or what went wrong with it.
PutReceipt settled_or_throw(const DatasetState& dataset, const PutReceipt& receipt,
                            const Settled& settled);
// The same of one among many.
PutReceipt settled_receipt(PutReceipt receipt, const Settled& settled);

// The store has not confirmed the write in time: DeadlineExceeded, whose details say what is known
// of why.
[[noreturn]] void throw_not_stored_in_time(const StoreOutlook& outlook, const DatasetState& dataset,
                                           const OutboxWrite& write);
// The same for one among many, in a sentence that may quote the store.
std::string not_stored_in_time(const StoreOutlook& outlook, const OutboxWrite& write);
// Nor the version that the write is compared with: NotDurable, and nothing was applied.
[[noreturn]] void throw_base_unconfirmed(const StoreOutlook& outlook, const DatasetState& dataset,
                                         const OutboxWrite& base);

}  // namespace tiercache::detail
