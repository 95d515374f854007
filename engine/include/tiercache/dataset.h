// A dataset: a named kind of document with one policy, typed by what its documents decode to.
//
//     auto sessions = cache.dataset<Session>("sessions", {.keyed = true, .fresh_for = 15min});
//     sessions.put("42", Session{.user = "ada"});                // durable when it returns
//     if (auto found = sessions.get("42")) greet(found->user);   // a miss is no exception
//     sessions.erase("42");
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "tiercache/codec.h"
#include "tiercache/options.h"
#include "tiercache/outcome.h"
#include "tiercache/snapshot.h"
#include "tiercache/stats.h"

namespace tiercache {

namespace detail {
class DatasetCore;
}

// The options of a dataset of T.
template <class T>
using DatasetOptions = BasicDatasetOptions<ValueType<T>>;

// A handle to one dataset, cheap and copied freely, made by `Cache::dataset`. All calls are
// thread-safe. Where a key is asked for, single-document datasets take none: the empty key, as in
// `get("", {.deadline = 50ms})`. Keys: 1 to `limits.max_key_bytes` bytes of UTF-8 without NUL, and
// what the store can hold.
//
// Errors: `InvalidKey`, `InvalidDocument`, `NotDurable`, `VersionConflict`, `DeadlineExceeded`,
// `Closed` as error.h explains them, and `BadConfiguration` where a write with `Durability::store`
// has no store. A miss is never an exception.
template <class T>
class Dataset {
 public:
  // What is put and read: T, or std::string where the dataset is untyped.
  using value_type = ValueType<T>;
  // A refresh callback of this dataset.
  using RefreshFunction = std::function<RefreshAnswer<value_type>(RefreshContext&)>;

  // The name that it was opened with.
  const std::string& name() const;

  // --- Reading ---

  // Looks in memory, in the files and in the store, and at last asks the refresh callback, as far
  // as `options.reach` goes. A stale value is served at once, or after the dataset's
  // `soft_timeout`, and refreshed behind. At the deadline the read ends with what there is, perhaps
  // nothing.
  Snapshot<T> get(std::string_view key = {}, const GetOptions& options = {}) const;
  // Looks in memory alone; never waits, never does I/O. Works on a closed cache too.
  Snapshot<T> peek(std::string_view key = {}) const;
  // Reads all keys side by side; what is missing is loaded from the store in batches. The results
  // are in the order of the keys. A key that is not acceptable throws, and its place is named:
  // "keys[3]: …".
  std::vector<Snapshot<T>> get_many(std::span<const std::string> keys,
                                    const GetOptions& options = {}) const;
  // As `get`; `handler` is called exactly once: on the executor, never from inside this call, or,
  // once the cache is closed, wherever the call ends. It must not throw. Where `get` would throw (a
  // bad key, a closed cache), it gets a snapshot without a value whose `passage().call_why` says
  // why. This call throws in a forked child alone.
  void get_async(std::string key, const GetOptions& options,
                 std::function<void(Snapshot<T>)> handler) const;
  // As `get` with this call's own source: what `callback` returns is saved with the lifetime `ttl`
  // (absent: the dataset's; negative: zero). One callback per key runs at a time.
  //
  // The callback outlives the call: it runs on when the deadline ends the call, and begins behind
  // it where something stale was served. So it must own what it uses: capture by value, or a
  // shared_ptr, and no reference to what the caller has on its stack. `tiercache::owning`
  // (refresh.h) makes a callback that cannot do otherwise.
  Snapshot<T> get_or_load(std::string_view key, RefreshFunction callback,
                          std::optional<std::chrono::milliseconds> ttl = {},
                          const GetOptions& options = {}) const;
  // Asks the source now, whatever the age, ignoring the throttle of earlier failures. Serves what
  // it brought or confirmed, also where that is stale already by the time it is here; where the
  // refresh failed or is not over by the deadline, what the entry is then (see `passage()`). Throws
  // `BadConfiguration` where the dataset has no refresh callback.
  Snapshot<T> refresh(std::string_view key = {},
                      std::chrono::milliseconds deadline = std::chrono::seconds(30)) const;

  // --- Writing ---

  // Returns once the write is in the journal (I1), or in the store where the disk does not take it:
  // then readers of this cache see it, and it is on its way to its file and the store. It is always
  // a write of its own, even of the document that is there already.
  PutReceipt put(std::string_view key, const value_type& value,
                 const PutOptions& options = {}) const;
  PutReceipt put(const value_type& value, const PutOptions& options = {}) const
      requires(!std::is_convertible_v<const value_type&, std::string_view>) {
    return put(std::string_view(), value, options);
  }
  // Many with one sync. All are validated first: one bad key or document refuses all, and what is
  // thrown names its place: "values[3]: …". Then each item's receipt says what became of it, and
  // nothing is thrown but where none could be written.
  std::vector<PutReceipt> put_many(std::span<const std::pair<std::string, value_type>> values,
                                   const PutOptions& options = {}) const;
  // As `put`; `handler` gets the receipt, or what `put` would throw, exactly once and where that of
  // `get_async` is called. It must not throw. This call throws in a forked child alone.
  void put_async(std::string key, const value_type& value, const PutOptions& options,
                 std::function<void(PutReceipt, std::exception_ptr)> handler) const;
  // Leaves a tombstone: nothing written before comes back (I4).
  PutReceipt erase(std::string_view key = {}, const PutOptions& options = {}) const;
  // Erases every key that matches, as in "session:*". `*` any run, `?` one byte, `\` the next
  // literally. Waits until what other processes on the directory had under way is in files, where
  // it is erased too; throws NotDurable (not_applied) when that takes them longer than the
  // deadline.
  PutReceipt erase_matching(std::string_view glob, const PutOptions& options = {}) const;
  // The entry is stale from now on, until it is fetched or put again; its document is kept.
  PutReceipt invalidate(std::string_view key = {}, const PutOptions& options = {}) const;

  // --- Looking ---

  // Whether there is a document in memory or files, however old.
  bool contains(std::string_view key = {}) const;
  // The entry's clocks, size, version and metadata, as memory or its file has them; the store is
  // not asked. Absent when there is no document here.
  std::optional<EntryInfo> info(std::string_view key = {}) const;
  // A page of the keys that have a document in the directory, in byte order: at most `limit`, from
  // behind `after` on, from the first where that is absent.
  KeyPage keys(std::optional<std::string_view> after = {}, std::size_t limit = 1'000) const;

  // --- Not for direct use ---

  // For `Cache`, which makes the handles.
  explicit Dataset(std::shared_ptr<detail::DatasetCore> core) : core_(std::move(core)) {}
  // Does not compile and says why: nlohmann::json is no JSON text until `dump()` writes it.
  template <detail::Untold V>
  PutReceipt put(std::string_view /*key*/, const V& /*value*/,
                 const PutOptions& = {}) const requires std::is_same_v<T, JsonText> {
    detail::must_be_json_text<V>();
    return {};
  }
  // As that `put`.
  template <detail::Untold V>
  void put_async(std::string /*key*/, const V& /*value*/, const PutOptions&,
                 std::function<void(PutReceipt, std::exception_ptr)>)
      const requires std::is_same_v<T, JsonText> {
    detail::must_be_json_text<V>();
  }

 private:
  std::shared_ptr<detail::DatasetCore> core_;

  // Last, since Clang takes no note of what follows it where it fails.
  static_assert(
      detail::Documented<T>,
      "tiercache: this type has no codec. Include \"tiercache/json.h\" and give it to_json "
      "and from_json (NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE does), or specialise "
      "tiercache::Codec<T>, before the dataset is named");
};

}  // namespace tiercache

#include "tiercache/detail/dataset_impl.h"
