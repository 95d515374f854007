// What becomes of the source's answer to a refresh. It counts only while what it was asked with
// still stands (I5): a flight remembers that at its start, and the answer is written as a change
// that is compared with it.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "cache/local/local_tiers.h"
#include "cache/runtime/runtime.h"
#include "cache/writing/write_path.h"
#include "cache/writing/write_stamps.h"
#include "refresh/single_flight.h"
#include "tiercache/detail/dataset_core.h"
#include "tiercache/detail/refresh_result.h"
#include "tiercache/entry.h"
#include "tiercache/refresh.h"

namespace tiercache::detail {

// A refresh to run.
struct RefreshRequest {
  DatasetState* dataset = nullptr;
  EntryId id;
  RefreshReason reason = RefreshReason::emergency;
  Cadence cadence = Cadence::normal;
  Callback callback = {};  // of this call (`get_or_load`); empty: the dataset's
  std::optional<std::chrono::milliseconds> ttl = {};  // of what `callback` returns
};

// What a flight remembers of its start.
struct RefreshStart {
  WallTime at;    // becomes the entry's `last_fetch`
  Version begun;  // what is erased from here on is newer than the answer (I4)
  Version base;   // of what was there then: the answer counts only while that still is (I5)
  Version known;  // the same, or of a matching erase that hid it
  Version guard;  // for the store: that, or for a key unknown here, a stamp of the start
  EntryPtr previous;
  bool both = false;  // the rich callback runs too
};

// Thread-safe.
class Answers {
 public:
  Answers(Runtime& runtime, LocalTiers& local, WritePath& writes, WriteStamps& stamps)
      : runtime_(runtime), local_(local), writes_(writes), stamps_(stamps) {}

  // To be taken before the source is asked.
  RefreshStart start(const RefreshRequest& request);
  // Why a document of the source is not acceptable; nullopt if it is.
  std::optional<std::string> fault_of(const RefreshRequest& request, const NewDocument& answer);
  // Applies the answer; `finish` is called once, when that is done or has failed.
  using Finish = std::function<void(FlightResult)>;
  void apply(const RefreshRequest& request, const RefreshStart& start, RefreshResult answer,
             const Finish& finish);

 private:
  EntryPtr previous(DatasetState& dataset, const EntryId& id);
  std::optional<std::string> decode(const RefreshRequest& request, const NewDocument& answer,
                                    Decoded* decoded);
  void apply_document(const RefreshRequest& request, const RefreshStart& start, NewDocument answer,
                      const Finish& finish);
  void apply_not_modified(const RefreshRequest& request, const RefreshStart& start,
                          const NotModified& answer, const Finish& finish);
  void apply_not_found(const RefreshRequest& request, const RefreshStart& start,
                       const Finish& finish);
  void remember_not_found(const RefreshRequest& request, const RefreshStart& start);
  void save(Change change, FlightResult saved, const char* what, const Finish& finish);

  Runtime& runtime_;
  LocalTiers& local_;
  WritePath& writes_;
  WriteStamps& stamps_;
};

}  // namespace tiercache::detail
