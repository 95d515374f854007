#include "cache/writing/write_receipts.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/breaker.h"
#include "cache/runtime/named_item.h"
#include "tiercache/error.h"

namespace tiercache::detail {

namespace {

PutReceipt with_verdict(PutReceipt receipt, const Settled& settled) {
  receipt.stored = settled.how == Settled::How::stored;
  receipt.superseded = settled.how == Settled::How::superseded;
  receipt.in_doubt = settled.in_doubt;
  return receipt;
}

// Why a write that is journaled is not in the store, as an exception.
[[noreturn]] void throw_refused(const DatasetState& dataset, const std::string& why) {
  throw NotDurable(NotDurable::State::unknown,
                   "a write to dataset \"" + dataset.name +
                       "\" is kept here, but the store refused it: it is parked, and "
                       "`Cache::outbox` lists it",
                   why);
}

std::string_view what_comes_of_it(const StoreOutlook& outlook) {
  if (outlook.identity.keeps_outbox_waiting()) {
    return "it waits in the outbox, since the store is another one than the directory belongs to: "
           "start with that one, or say that this one is meant (Cache::accept_store)";
  }
  if (!outlook.runtime.options.flags.background_retry) {
    return "it waits in the outbox for Cache::flush or the next open, since the flag "
           "background_retry is off";
  }
  return "it stays in the outbox, and is sent until the store takes it, has a newer one or refuses "
         "it for good";
}

// What is known of why the store has not confirmed a write: for details, since it may quote the
// store.
std::string last_word_of_store(const StoreOutlook& outlook, const OutboxWrite& write) {
  if (outlook.identity.keeps_outbox_waiting()) {
    const StoreIdentity::Names names = outlook.identity.names();
    return "the directory belongs to the store " + names.expected + ", this one is " + names.met;
  }
  if (const Breaker::State store = outlook.calls.breaker()->state(); store.open)
    return "the store: " + store.why;
  const std::string alone = outlook.store_writer.describe_slow(write);
  return alone.empty() ? "no answer to this write had come by then" : alone;
}

}  // namespace

// --- Written, or not ---

PutReceipt receipt_or_throw(const DatasetState& dataset, const ChangeResult& result) {
  using Status = ChangeResult::Status;
  const std::string what = "a write to dataset \"" + dataset.name + "\"";
  switch (result.status) {
    case Status::durable:
      return {.version = result.version, .journaled = true, .stored = false, .superseded = false};
    case Status::stored:
      return {.version = result.version, .journaled = false, .stored = true, .superseded = false};
    case Status::superseded:
      return {.version = result.version, .journaled = false, .stored = false, .superseded = true};
    case Status::conflict:
      throw VersionConflict(what + ": " + result.why +
                            ". Nothing was stored; read again and decide.");
    case Status::full:
      throw NotDurable(NotDurable::State::not_applied, what + " was refused: " + result.why + ".");
    case Status::not_applied:
      throw NotDurable(NotDurable::State::not_applied,
                       what +
                           " could not be made durable and was not applied: no durable tier took "
                           "it. Free space or repair the disk, then write again.",
                       result.why);
    case Status::in_the_way:
      throw NotDurable(NotDurable::State::not_applied,
                       what + " was not applied: " + result.why +
                           ". Write again; give it a longer deadline if that does not help.");
    case Status::unknown:
      throw NotDurable(
          NotDurable::State::unknown,
          what + " may or may not have been made durable. It may appear later" +
              (result.version.is_zero() ? "." : ", as version " + result.version.to_string() + "."),
          result.why);
  }
  throw Error(what + " ended in no known way");
}

PutReceipt receipt_of_item(const ChangeResult& result) {
  using Status = ChangeResult::Status;
  PutReceipt receipt;
  receipt.journaled = result.is_journaled();
  receipt.stored = result.status == Status::stored;
  receipt.superseded = result.status == Status::superseded;
  receipt.in_doubt = result.is_in_doubt();
  if (result.succeeded() || result.is_in_doubt()) receipt.version = result.version;
  receipt.why = result.why;
  return receipt;
}

void throw_none_written(const DatasetState& dataset, const std::vector<ChangeResult>& results) {
  const auto in_doubt = std::ranges::find_if(results, &ChangeResult::is_in_doubt);
  const auto told = in_doubt == results.end() ? results.begin() : in_doubt;
  named_item("values", static_cast<std::size_t>(told - results.begin()),
             [&] { receipt_or_throw(dataset, *told); });
  throw Error("no write to dataset \"" + dataset.name + "\" was made");
}

// --- What the store has of it ---

OutboxWrite written_as(const DatasetState& dataset, const std::string& key, Version version,
                       RecordKind kind) {
  OutboxWrite write;
  write.id = dataset.id(key);
  write.version = version;
  if (kind == RecordKind::clocks) write.kind = OutboxKind::clocks;
  if (kind == RecordKind::erase_matching) write.kind = OutboxKind::erase_matching;
  return write;
}

PutReceipt settled_or_throw(const DatasetState& dataset, const PutReceipt& receipt,
                            const Settled& settled) {
  if (settled.how == Settled::How::refused) throw_refused(dataset, settled.why);
  if (settled.how == Settled::How::closed) {
    throw Closed(
        "a write to dataset \"" + dataset.name + "\" is journaled as version " +
        receipt.version.to_string() +
        ", but the cache was closed before the store confirmed it; it is in the outbox, which the "
        "next open with that store sends");
  }
  return with_verdict(receipt, settled);
}

PutReceipt settled_receipt(PutReceipt receipt, const Settled& settled) {
  receipt = with_verdict(std::move(receipt), settled);
  if (settled.how == Settled::How::refused) receipt.why = "the store refused it: " + settled.why;
  if (settled.how == Settled::How::closed) receipt.why = "the cache was closed first";
  return receipt;
}

void throw_not_stored_in_time(const StoreOutlook& outlook, const DatasetState& dataset,
                              const OutboxWrite& write) {
  throw DeadlineExceeded("a write to dataset \"" + dataset.name + "\" is journaled as version " +
                             write.version.to_string() +
                             ", but the store has not confirmed it in time; " +
                             std::string(what_comes_of_it(outlook)) + ".",
                         last_word_of_store(outlook, write));
}

void throw_base_unconfirmed(const StoreOutlook& outlook, const DatasetState& dataset,
                            const OutboxWrite& base) {
  throw NotDurable(
      NotDurable::State::not_applied,
      "a write to dataset \"" + dataset.name +
          "\" was not applied by its deadline: the store has not confirmed the version "
          "that it is compared with. Write again once the store answers.",
      last_word_of_store(outlook, base));
}

std::string not_stored_in_time(const StoreOutlook& outlook, const OutboxWrite& write) {
  return "the store has not confirmed it in time (" + last_word_of_store(outlook, write) + "); " +
         std::string(what_comes_of_it(outlook));
}

}  // namespace tiercache::detail
