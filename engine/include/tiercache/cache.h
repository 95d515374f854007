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

// One open cache. Open one per process and keep it. Thread-safe. The destructor calls `close(0)`.
// A child process made by fork() cannot use its parent's cache: every call there throws `Error`.
class Cache {
 public:
  // Opens the cache. Does local I/O only, so it works while the store is down, and serves at once.
  // Throws `BadConfiguration`, which lists all faults together, or `BadDirectory`.
  explicit Cache(CacheOptions options);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // Returns the dataset of this name. The first call opens it, and starts its hydration and its
  // schedule. Later calls return another handle to it. They must name the same type, and give
  // either no options (or only default ones) or the same options as the first call; otherwise they
  // throw `BadConfiguration`, which says what differs. Functions cannot be compared, so it only
  // matters whether there is one, and those of the first call stay. A name has 1 to 100 bytes of
  // UTF-8 without control characters. Also throws `BadConfiguration` for invalid options, and
  // `Closed`.
  template <class T>
  Dataset<T> dataset(const std::string& name, DatasetOptions<T> options = {}) {
    return Dataset<T>(open_dataset(name, detail::untyped_policy<T>(std::move(options))));
  }
  // The same for an untyped dataset, whose documents are JSON text.
  Dataset<JsonText> dataset(const std::string& name, DatasetOptions<JsonText> options = {}) {
    return dataset<JsonText>(name, std::move(options));
  }

  // Waits until every write is in its file and the store has decided about it: has confirmed it,
  // has something newer, or has refused it, so that it is parked (`Health::parked`). What waits for
  // a retry is sent at once. Covers the writes acknowledged before the call. Writes made during it
  // may make it wait longer. Without a store, or while it is switched off, only the files count.
  // Returns false if the deadline passed first, or the disk did not take the files; nothing is lost
  // then. Throws `Closed`.
  bool flush(std::chrono::milliseconds deadline = std::chrono::seconds(10));
  // Waits until the datasets opened so far have been hydrated, those of one document have had their
  // overdue refresh, and no refresh callback runs any more, as a service does before it reports
  // that it is ready. Scheduled refreshes of keyed datasets and rich refreshes are waited for only
  // if their callbacks run already. If the store or a source is down, these steps fail and still
  // count as done: `true` does not mean that they worked; see `health`. Nor does it mean that the
  // directory now has all that the store has: a hydration that failed goes on being tried in the
  // background, and `Hydrate` has limits of its own. Returns false if the deadline passed first.
  // Throws `Closed`.
  bool warm_up(std::chrono::milliseconds deadline = std::chrono::seconds(10));

  // Returns a handle to the writes that the store has not confirmed, above all to those that it
  // refused.
  Outbox outbox() const { return Outbox(core_); }

  // Compares memory, files, index and store key by key, on the calling thread, while the cache goes
  // on serving. Use it in a quiet hour, and after the store was reset, restored or replaced: with
  // `repair` the entries and erases that the store lacks are sent again. What only the store has is
  // left to reads and hydration. Throws `BadConfiguration` for a page size out of range, and for a
  // dataset that is neither open nor in the directory; throws `Closed`.
  ScrubReport scrub(const ScrubOptions& options = {});

  // Accepts a store that is not the one the directory belongs to (`Health::store_replaced_since`).
  // From now on the directory belongs to this store: the outbox is sent there, and what is newer
  // there is taken. What was confirmed before and is missing there, erases included, stays here
  // and is not sent. A `scrub` of all datasets with `repair` sends that, and accepts the store too.
  // Returns false if there is no store, if it has not yet said which one it is, or if the disk
  // refuses. Throws `Closed`.
  bool accept_store();

  // Returns what was counted since the cache was opened. Works on a closed cache too; does no I/O.
  Stats stats() const;
  // Returns how the tiers, the sources and the outbox are doing, judged by the calls that were
  // made. Works on a closed cache too; does no I/O.
  Health health() const;

  // Stops refreshes, writes the files, drains the outbox until `deadline`, and lets go of the
  // directory. Zero does not wait for the store: what it has not confirmed stays in the outbox. A
  // second call waits for the first one and returns the same receipt.
  //
  // Afterwards `stats`, `health`, `peek` and `get` with `Reach::memory` still work, and so do `get`
  // and `get_or_load` of what memory has fresh and still trusts (`memory.ttl`). All other calls are
  // refused, `get_many` and `get_async` even for what memory has: they throw `Closed`, `put_async`
  // gives it to its handler, and `get_async` gives its handler a snapshot without a value whose
  // `passage().call_why` says so.
  CloseReceipt close(std::chrono::milliseconds deadline = std::chrono::seconds(10));

 private:
  std::shared_ptr<detail::DatasetCore> open_dataset(const std::string& name,
                                                    detail::DatasetPolicy policy);

  std::shared_ptr<detail::Core> core_;
};

}  // namespace tiercache
