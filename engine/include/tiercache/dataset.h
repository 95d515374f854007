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

// A handle to one dataset, made by `Cache::dataset`. Handles are cheap and may be copied freely;
// all calls are thread-safe. A keyed dataset takes keys of 1 to `limits.max_key_bytes` bytes of
// UTF-8 without NUL, as far as the store can hold them. A dataset of one document takes the empty
// key only, as in `get("", {.deadline = 50ms})`.
//
// Calls throw `InvalidKey`, `InvalidDocument`, `NotDurable`, `VersionConflict`, `DeadlineExceeded`
// and `Closed` as error.h explains them, and `BadConfiguration` if a write asks for
// `Durability::store` when there is no store, or it is switched off. A miss is never an exception.
template <class T>
class Dataset {
 public:
  // What is put and read: T, or std::string if the dataset is untyped.
  using value_type = ValueType<T>;
  // A refresh callback of this dataset.
  using RefreshFunction = std::function<RefreshAnswer<value_type>(RefreshContext&)>;

  // Returns the name that the dataset was opened with. Lives as long as the handle.
  const std::string& name() const;

  // --- Reading ---

  // Looks in memory, in the files and in the store, and at last asks the refresh callback, but goes
  // no further than `options.reach`. A stale value is served at once, or after the dataset's
  // `soft_timeout`, and refreshed in the background if the reach is `source`. At the deadline the
  // read ends with what there is, which may be nothing.
  Snapshot<T> get(std::string_view key = {}, const GetOptions& options = {}) const;
  // Looks in memory only. Never waits and never does I/O. Works on a closed cache too. Throws
  // `InvalidKey`.
  Snapshot<T> peek(std::string_view key = {}) const;
  // Reads all keys side by side, as `get` does; what is missing is loaded from the store in
  // batches. The results are in the order of the keys, and the deadline is that of the whole call.
  // If a key is not acceptable nothing is read, and the exception names its place: "keys[3]: …".
  std::vector<Snapshot<T>> get_many(std::span<const std::string> keys,
                                    const GetOptions& options = {}) const;
  // Reads as `get` does and calls `handler` with the result, exactly once: on the executor and
  // never from inside this call, or, once the cache is closed, wherever the call ends. The handler
  // must not throw. Where the call cannot be made (a bad key, a closed cache), it is given a
  // snapshot without a value whose `passage().call_why` says why. This call itself throws only in a
  // forked child.
  //
  // An empty handler is told nothing.
  //
  // The handler must not block. With the cache's own executor a single thread calls all handlers,
  // watches all deadlines and delivers the answers of all refreshes. A call that waits for the
  // source (`get`, `get_many`, `get_or_load`, `refresh`) and is made there cannot get its answer,
  // and holds up everything else until its deadline. Use the `_async` calls there, or go on with
  // the work on a thread of your own.
  void get_async(std::string key, const GetOptions& options,
                 std::function<void(Snapshot<T>)> handler) const;
  // Reads as `get` does, with a source of this call's own: what `callback` returns is saved with
  // the lifetime `ttl`, which overrides what the callback says in `Refreshed::fresh_for`. If `ttl`
  // is absent, the callback's applies, or else the dataset's; a negative one counts as zero. An
  // empty callback means the dataset's own, if it has one.
  //
  // Only one callback per key runs at a time. If one runs already, this call waits for that one,
  // and it is that one's answer and lifetime which are saved. The back-off after a failure and the
  // wait of a `RetryAfter` are those of the dataset's `refresh` too, whichever of them has failed.
  // With `Flags::emergency_refresh` off a miss does not call the callback.
  //
  // The callback may outlive the call. It goes on running when the deadline ends the call, and if
  // something stale is served it begins in the background. So it must own what it uses: capture by
  // value or by shared_ptr, and never refer to what is on the caller's stack. `tiercache::owning`
  // (refresh.h) makes callbacks that own everything they use; anything else does not compile.
  Snapshot<T> get_or_load(std::string_view key, RefreshFunction callback,
                          std::optional<std::chrono::milliseconds> ttl = {},
                          const GetOptions& options = {}) const;
  // Asks the source now, whatever the entry's age, and despite the throttle of earlier failures;
  // only a wait that the source itself asked for (`RetryAfter`) is respected. If a refresh of the
  // key runs already, waits for that one instead. Serves what the source brought or confirmed, even
  // if that is stale already by the time it arrives. If the refresh fails, or has not ended by the
  // deadline, the entry is served as it then is, and `passage()` says what happened. Throws
  // `BadConfiguration` if the dataset has no refresh callback.
  //
  // Runs the plain callback alone if there is an entry, and both callbacks if there is none; the
  // rich one cannot be asked for by itself. The default deadline is also the default of
  // `hard_timeout`, so whether a source that hangs is then told as "timed out" or as "failed" is a
  // matter of chance: give the call a longer deadline if you need to know.
  Snapshot<T> refresh(std::string_view key = {},
                      std::chrono::milliseconds deadline = std::chrono::seconds(30)) const;

  // --- Writing ---

  // Writes the document. Returns once the write is in the journal (I1), or in the store if the disk
  // does not take it. From then on readers of this cache see it, and it is on its way to its file
  // and to the store. It is always a write of its own, even if the same document is there already.
  PutReceipt put(std::string_view key, const value_type& value,
                 const PutOptions& options = {}) const;
  // The same for a dataset of one document.
  PutReceipt put(const value_type& value, const PutOptions& options = {}) const
      requires(!std::is_convertible_v<const value_type&, std::string_view>) {
    return put(std::string_view(), value, options);
  }
  // Writes many documents with a single sync of the disk. All of them are checked first: one bad
  // key or document refuses them all, and the exception names its place: "values[3]: …". After that
  // each item's receipt says what became of it, and the call throws only if none could be written.
  //
  // The options, `if_version`, `fresh_for` and `metadata` included, are those of every item. If a
  // key comes twice the later item wins; with `if_version` the later one is a conflict. With
  // `Durability::store` the call does not throw for an item that the store refused or has not
  // confirmed in time: that one's receipt is `journaled` and not `stored`, and its `why` says which
  // of the two it is.
  std::vector<PutReceipt> put_many(std::span<const std::pair<std::string, value_type>> values,
                                   const PutOptions& options = {}) const;
  // Writes as `put` does and calls `handler` with the receipt, or with what `put` would throw. It
  // is called exactly once, where the handler of `get_async` is, and must neither throw nor block.
  // The deadline counts from this call, so it also bounds the wait for other work of the disk. This
  // call itself throws only in a forked child.
  void put_async(std::string key, const value_type& value, const PutOptions& options,
                 std::function<void(PutReceipt, std::exception_ptr)> handler) const;
  // Erases the entry and leaves a tombstone, so that nothing written before comes back (I4). A key
  // without an entry gets a tombstone too. Returns when `put` would, and goes to the store as `put`
  // does if the disk does not take it.
  PutReceipt erase(std::string_view key = {}, const PutOptions& options = {}) const;
  // Erases every key that matches the glob, as in "session:*". `*` matches any run of bytes, `?`
  // one byte, and `\` takes the next byte literally (glob.h). First waits until what other
  // processes on the directory have under way is in files, so that it is erased too. Throws
  // `NotDurable` (`not_applied`) if that takes them longer than the deadline. Unlike other writes
  // it never goes to the store instead: if the disk does not take it, it throws `NotDurable`.
  PutReceipt erase_matching(std::string_view glob, const PutOptions& options = {}) const;
  // Makes the entry stale from now on, until it is fetched or put again. Its document is kept, and
  // is still served, as stale, for as long as it would have been served without this: up to the end
  // of its `fresh_for` and the dataset's `stale_for`. To have it served no more, use `erase`. Also
  // reaches a row that only the store has; a key that is nowhere stays so, and that is no error.
  // The receipt's `version` is that of the content which is there, or zero, for this writes none.
  PutReceipt invalidate(std::string_view key = {}, const PutOptions& options = {}) const;

  // --- Looking ---

  // Returns whether there is a document in memory or in the files, however old. Costs as much as
  // `info`, and throws the same.
  bool contains(std::string_view key = {}) const;
  // Returns the entry's clocks, size, version and metadata, as memory or its file has them; nullopt
  // if there is no document here. The store is not asked. Reads and checks the whole file unless
  // memory has the entry and trusts it. Throws `InvalidKey` and `Closed`.
  std::optional<EntryInfo> info(std::string_view key = {}) const;
  // Returns a page of the keys that have a document in the directory, in byte order: at most
  // `limit` keys that come after `after`, or the first ones if that is absent. A limit of 0 gives
  // an empty page. Throws `Closed`.
  KeyPage keys(std::optional<std::string_view> after = {}, std::size_t limit = 1'000) const;

  // --- Not for direct use ---

  // For `Cache`, which makes the handles.
  explicit Dataset(std::shared_ptr<detail::DatasetCore> core) : core_(std::move(core)) {}
  // Does not compile, and says why: nlohmann::json is no JSON text until `dump()` writes it out.
  template <detail::Untold V>
  PutReceipt put(std::string_view /*key*/, const V& /*value*/,
                 const PutOptions& = {}) const requires std::is_same_v<T, JsonText> {
    detail::must_be_json_text<V>();
    return {};
  }
  // The same for `put_async`.
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
