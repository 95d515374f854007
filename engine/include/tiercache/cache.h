// The multi-tier cache of one application: memory, files, store, refresh callback.
//
//     tiercache::Cache cache({.project = "price-service",
//                             .directory = "/var/lib/price-service/cache",
//                             .store = tiercache::postgres::open(url)});
//     auto rates = cache.dataset("rates", {.refresh_every = 1h, .refresh = fetch_rates});
//     if (auto snapshot = rates.get()) use(*snapshot);
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tiercache/dataset.h"
#include "tiercache/detail/untyped.h"
#include "tiercache/error.h"
#include "tiercache/options.h"
#include "tiercache/outbox.h"
#include "tiercache/scrub.h"
#include "tiercache/stats.h"

namespace tiercache {

// One open cache. Open one per process and keep it. Thread-safe. The destructor is `close(0)`. A
// child made by fork() cannot use its parent's: there every call throws `Error`.
class Cache {
 public:
  // Does local I/O only and serves at once, with the store down too. Throws `BadConfiguration`,
  // with all faults at once, or `BadDirectory`.
  explicit Cache(CacheOptions options);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // The dataset of this name. The first call opens it, and starts its hydration and its schedule. A
  // later call gets a handle to it: it names the same type, and gives no options, or only default
  // ones, or those of the first call; else it throws `BadConfiguration`, which says what differs.
  // Functions cannot be compared: it only counts whether there is one, and those of the first call
  // stay. A name is 1 to 100 bytes of UTF-8 without control characters.
  template <class T>
  Dataset<T> dataset(const std::string& name, DatasetOptions<T> options = {}) {
    return Dataset<T>(open_dataset(name, detail::untyped_policy<T>(std::move(options))));
  }
  // Untyped: documents are JSON text.
  Dataset<JsonText> dataset(const std::string& name, DatasetOptions<JsonText> options = {}) {
    return dataset<JsonText>(name, std::move(options));
  }

  // Waits until every write so far is in its file and settled by the store: confirmed, superseded,
  // or refused and parked (`Health::parked`). Retries at once what waits. False when the deadline
  // passed first, or the disk did not take the files; nothing is lost then.
  bool flush(std::chrono::milliseconds deadline = std::chrono::seconds(10));
  // Waits until the hydration of the datasets opened so far and their overdue refreshes have ended,
  // as a service does before it reports ready; with the store or a source away they end without
  // success, which `health` tells. False when the deadline passed first.
  bool warm_up(std::chrono::milliseconds deadline = std::chrono::seconds(10));

  // A handle to the writes that the store has not confirmed, above all those that it refused.
  Outbox outbox() const { return Outbox(core_); }

  // Compares memory, files, index and store key by key, on this thread, while the cache serves. For
  // a quiet hour, and after the store was reset, restored or replaced: with `repair` the entries
  // and erases that it lacks are sent again. What only the store has is left to reads and
  // hydration. Throws `BadConfiguration` for a page size out of range, or a dataset that is neither
  // open nor in the directory.
  ScrubReport scrub(const ScrubOptions& options = {});

  // The store is another one than the directory belongs to (`Health::store_replaced_since`), and it
  // is the right one: from now on the directory belongs to it, the outbox is sent there, and what
  // it has that is newer is taken. What it lacks of what was confirmed before, erases included,
  // stays here and is not sent; `scrub` of all datasets with `repair` sends that, and accepts the
  // store too. False when the disk refuses, or the store has not told yet which one it is.
  bool accept_store();

  // What was counted since the cache was opened. Works on a closed cache too; does no I/O.
  Stats stats() const;
  // How the tiers, the sources and the outbox are doing, from the calls that were made. Works on a
  // closed cache too; does no I/O.
  Health health() const;

  // Stops refreshes, writes files, drains the outbox until `deadline`, lets go of the directory. A
  // second call returns the first one's receipt. Afterwards reads that memory can serve, `stats`
  // and `health` still work; other calls throw `Closed`, or hand it to their handler.
  CloseReceipt close(std::chrono::milliseconds deadline = std::chrono::seconds(10));

 private:
  std::shared_ptr<detail::DatasetCore> open_dataset(const std::string& name,
                                                    detail::DatasetPolicy policy);

  std::shared_ptr<detail::Core> core_;
};

}  // namespace tiercache
