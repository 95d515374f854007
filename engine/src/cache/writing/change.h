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
#include "journal/record.h"
#include "tiercache/entry.h"
#include "tiercache/store.h"

namespace tiercache::detail {

// The caller fills in the first block, the way of a write the second.
struct Change {
  DatasetState* dataset = nullptr;
  RecordKind kind = RecordKind::content;
  std::string key;  // with `erase_matching`: the glob
  Entry entry;      // without version; checksum filled in
  std::shared_ptr<const void> value;
  std::size_t value_bytes = 0;
  std::optional<Version> if_version;   // a caller's compare-and-set: `conflict` when it is another
  std::optional<Version> base;         // a refresh's: `superseded` when another is there
  Version begun = {};                  // with `base`: a matching erase after it supersedes as well
  std::optional<Version> guard;        // the store's: see StoreWrite::not_newer_than
  Settlements::WaiterPtr waiter = {};  // of a call that waits for the store; null: none does

  Lineage made_from = {};        // with `guard`
  std::uint64_t place = 0;       // its time, where it was taken before the write was compared
  std::uint32_t generation = 0;  // others' changes of its file before it was stamped

  EntryId id() const { return dataset->id(key); }
};

struct ChangeResult {
  enum class Status : std::uint8_t {
    durable,      // journaled and visible
    stored,       // the disk refused, the store took it; visible
    conflict,     // `if_version` is not the entry's version, which is `version`
    superseded,   // a newer write came first; nothing was done
    full,         // the journal holds as much as it may
    not_applied,  // no durable tier took it
    in_the_way,   // another process was, until the deadline; nothing was done
    unknown,      // it may appear later, as `version`
  };
  Status status = Status::durable;
  Version version;
  std::string why;
};

inline ChangeResult result_of(ChangeResult::Status status, Version version, std::string why = {}) {
  return {status, version, std::move(why)};
}

}  // namespace tiercache::detail
