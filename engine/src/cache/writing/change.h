// One change of one key on its way in, or one matching erase, and what became of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cache/runtime/dataset_state.h"
#include "cache/writing/settlements.h"
#include "journal/format/record.h"
#include "tiercache/entry.h"
#include "tiercache/store.h"

namespace tiercache::detail {

// The caller fills in the first block. `WriteStamps::stamp` fills in the second, and completes the
// first: the version and the clocks of `entry`, the guard of a write that is compared, and `kind`,
// since a refresh that brought the document that stands only moves its clocks.
struct Change {
  DatasetState* dataset = nullptr;
  RecordKind kind = RecordKind::content;
  std::string key;  // with `erase_matching`: the glob
  Entry entry;      // without version; checksum filled in
  std::shared_ptr<const void> value;
  std::size_t value_bytes = 0;
  std::optional<Version> if_version;   // a caller's compare-and-set: `conflict` if it is another
  std::optional<Version> base;         // a refresh's: `superseded` if another is there
  Version begun = {};                  // with `base`: a matching erase after it supersedes as well
  std::optional<Version> guard;        // the store's: see StoreWrite::not_newer_than
  Settlements::WaiterPtr waiter = {};  // of a call that waits for the store; null: none does

  Lineage made_from = {};           // with `guard`
  std::uint64_t reserved_time = 0;  // version time reserved before comparing; 0: none
  std::uint32_t generation = 0;     // others' changes of its file before it was stamped

  EntryId id() const { return dataset->id(key); }
};

// What became of a change. Whoever decides by it asks the functions, so that a new status is sorted
// here once; write_receipts.h says what the caller is told of each.
struct ChangeResult {
  enum class Status : std::uint8_t {
    durable,      // journaled and visible
    stored,       // the disk refused, the store took it; visible
    conflict,     // `if_version` is not the entry's version, which is `version`
    superseded,   // a newer write came first; nothing was done
    full,         // the journal holds as much as it may
    not_applied,  // no durable tier took it
    in_the_way,   // another process was, until the deadline; nothing was done
    unknown,      // it may appear later, as `version` unless that is zero
  };
  Status status = Status::durable;
  Version version;
  std::string why;

  // The journal has the write, and will bring it to the store.
  bool is_journaled() const { return status == Status::durable; }
  // The write was made and is visible here.
  bool is_made() const { return is_journaled() || status == Status::stored; }
  // The write was made, or something newer stands, so there is nothing to do again. The caller gets
  // a receipt, and a refresh has its answer.
  bool succeeded() const { return is_made() || status == Status::superseded; }
  // Nobody knows whether the write was made.
  bool is_in_doubt() const { return status == Status::unknown; }
};

inline ChangeResult result_of(ChangeResult::Status status, Version version, std::string why = {}) {
  return {status, version, std::move(why)};
}

// Of a write that the disk still had at the call's deadline.
inline ChangeResult still_being_written() {
  return result_of(ChangeResult::Status::unknown, {}, "the deadline passed while it was written");
}

}  // namespace tiercache::detail
