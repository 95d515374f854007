// A dataset: a named kind of document with one policy, typed by what its documents decode to.
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

#include "tiercache/codec.h"
#include "tiercache/detail/dataset_core.h"
#include "tiercache/options.h"
#include "tiercache/outcome.h"
#include "tiercache/snapshot.h"
#include "tiercache/stats.h"

namespace tiercache {

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

  // For `Cache`.
  explicit Dataset(std::shared_ptr<detail::DatasetCore> core) : core_(std::move(core)) {}

  // The name that it was opened with.
  const std::string& name() const { return core_->name(); }

  // --- Reading ---

  // Looks in memory, in the files and in the store, and at last asks the refresh callback, as far
  // as `options.reach` goes. A stale value is served at once, or after the dataset's
  // `soft_timeout`, and refreshed behind. At the deadline the read ends with what there is, perhaps
  // nothing.
  Snapshot<T> get(std::string_view key = {}, const GetOptions& options = {}) const {
    return Snapshot<T>(core_->get(key, options));
  }
  // Looks in memory alone; never waits, never does I/O. Works on a closed cache too.
  Snapshot<T> peek(std::string_view key = {}) const { return Snapshot<T>(core_->peek(key)); }
  // Reads all keys side by side; what is missing is loaded from the store in batches. The results
  // are in the order of the keys. A key that is not acceptable throws, and its place is named:
  // "keys[3]: …".
  std::vector<Snapshot<T>> get_many(std::span<const std::string> keys,
                                    const GetOptions& options = {}) const {
    std::vector<Snapshot<T>> snapshots;
    snapshots.reserve(keys.size());
    for (auto& result : core_->get_many(keys, options)) snapshots.emplace_back(std::move(result));
    return snapshots;
  }
  // As `get`; `handler` is called exactly once: on the executor, never from inside this call, or,
  // once the cache is closed, wherever the call ends. It must not throw. Where `get` would throw (a
  // bad key, a closed cache), it gets a snapshot without a value whose `passage().call_why` says
  // why. This call throws in a forked child alone.
  void get_async(std::string key, const GetOptions& options,
                 std::function<void(Snapshot<T>)> handler) const {
    core_->get_async(std::move(key), options, [handler = std::move(handler)](detail::ReadResult r) {
      handler(Snapshot<T>(std::move(r)));
    });
  }
  // As `get` with this call's own source: what `callback` returns is saved with the lifetime `ttl`
  // (absent: the dataset's; negative: zero). One callback per key runs at a time.
  //
  // The callback outlives the call: it runs on when the deadline ends the call, and begins behind
  // it where something stale was served. So it must own what it uses: capture by value, or a
  // shared_ptr, and no reference to what the caller has on its stack. `tiercache::owning`
  // (refresh.h) makes a callback that cannot do otherwise.
  Snapshot<T> get_or_load(std::string_view key, RefreshFunction callback,
                          std::optional<std::chrono::milliseconds> ttl = {},
                          const GetOptions& options = {}) const {
    return Snapshot<T>(core_->get_or_load(key, erase_type(std::move(callback)), ttl, options));
  }
  // Asks the source now, whatever the age, ignoring the throttle of earlier failures. Serves what
  // it brought or confirmed, also where that is stale already by the time it is here; where the
  // refresh failed or is not over by the deadline, what the entry is then (see `passage()`). Throws
  // `BadConfiguration` where the dataset has no refresh callback.
  Snapshot<T> refresh(std::string_view key = {},
                      std::chrono::milliseconds deadline = std::chrono::seconds(30)) const {
    return Snapshot<T>(core_->refresh(key, deadline));
  }

  // --- Writing ---

  // Returns once the write is in the journal (I1), or in the store where the disk does not take it:
  // then readers of this cache see it, and it is on its way to its file and the store. It is always
  // a write of its own, even of the document that is there already.
  PutReceipt put(std::string_view key, const value_type& value,
                 const PutOptions& options = {}) const {
    return core_->put(item(key, value), options);
  }
  PutReceipt put(const value_type& value, const PutOptions& options = {}) const
      requires(!std::is_convertible_v<const value_type&, std::string_view>) {
    return core_->put(item({}, value), options);
  }
  // Does not compile: nlohmann::json is no JSON text until `dump()` writes it.
  template <detail::Untold V>
  PutReceipt put(std::string_view /*key*/, const V& /*value*/,
                 const PutOptions& = {}) const requires std::is_same_v<T, JsonText> {
    static_assert(detail::kFails<V>,
                  "tiercache: an untyped dataset takes JSON text, as nlohmann::json::dump() gives "
                  "it; to put values, open dataset<T>");
    return {};
  }
  // Many with one sync. All are validated first: one bad key or document refuses all, and what is
  // thrown names its place: "values[3]: …". Then each item's receipt says what became of it, and
  // nothing is thrown but where none could be written.
  std::vector<PutReceipt> put_many(std::span<const std::pair<std::string, value_type>> values,
                                   const PutOptions& options = {}) const {
    std::vector<detail::PutItem> items;
    items.reserve(values.size());
    for (const auto& [key, value] : values) items.push_back(item(key, value));
    return core_->put_many(std::move(items), options);
  }
  // As `put`; `handler` gets the receipt, or what `put` would throw, exactly once and where that of
  // `get_async` is called. It must not throw. This call throws in a forked child alone.
  void put_async(std::string key, const value_type& value, const PutOptions& options,
                 std::function<void(PutReceipt, std::exception_ptr)> handler) const {
    core_->put_async(item(key, value), options, std::move(handler));
  }
  template <detail::Untold V>
  void put_async(std::string key, const V& value, const PutOptions&,
                 std::function<void(PutReceipt, std::exception_ptr)>)
      const requires std::is_same_v<T, JsonText> {
    put(key, value);
  }
  // Leaves a tombstone: nothing written before comes back (I4).
  PutReceipt erase(std::string_view key = {}, const PutOptions& options = {}) const {
    return core_->erase(key, options);
  }
  // Erases every key that matches, as in "session:*". `*` any run, `?` one byte, `\` the next
  // literally. Waits until what other processes on the directory had under way is in files, where
  // it is erased too; throws NotDurable (not_applied) when that takes them longer than the
  // deadline.
  PutReceipt erase_matching(std::string_view glob, const PutOptions& options = {}) const {
    return core_->erase_matching(glob, options);
  }
  // The entry is stale from now on, until it is fetched or put again; its document is kept.
  PutReceipt invalidate(std::string_view key = {}, const PutOptions& options = {}) const {
    return core_->invalidate(key, options);
  }

  // --- Looking ---

  // Whether there is a document in memory or files, however old.
  bool contains(std::string_view key = {}) const { return core_->contains(key); }
  // The entry's clocks, size, version and metadata, as memory or its file has them; the store is
  // not asked. Absent when there is no document here.
  std::optional<EntryInfo> info(std::string_view key = {}) const { return core_->info(key); }
  // A page of the keys that have a document in the directory, in byte order: at most `limit`, from
  // behind `after` on, from the first where that is absent.
  KeyPage keys(std::optional<std::string_view> after = {}, std::size_t limit = 1'000) const {
    return core_->keys(after, limit);
  }

  // For `Cache`: the type's functions, for the engine.
  static detail::DatasetPolicy make_policy(DatasetOptions<T> options);

 private:
  static detail::Callback erase_type(RefreshFunction function);
  // With the codec's fault where it has one: the call reports it as it does others.
  static detail::PutItem item(std::string_view key, const value_type& value);
  static void encode(const value_type& value, detail::PutItem* item);
  static detail::Decoded decode(const std::string& document);
  static std::size_t memory_bytes(const value_type& value, std::size_t document_bytes);

  std::shared_ptr<detail::DatasetCore> core_;

  // Last, since Clang takes no note of what follows it where it fails.
  static_assert(
      detail::Documented<T>,
      "tiercache: this type has no codec. Include \"tiercache/json.h\" and give it to_json "
      "and from_json (NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE does), or specialise "
      "tiercache::Codec<T>, before the dataset is named");
};

// --- Implementation ---

// Where the type has no codec, the class says so; more errors would only hide that.

template <class T>
std::size_t Dataset<T>::memory_bytes(const value_type& value, std::size_t document_bytes) {
  if constexpr (std::is_same_v<T, JsonText>) {
    return 0;
  } else if constexpr (detail::TellsMemory<T>) {
    return Codec<T>::memory_bytes(value);
  } else {
    return sizeof(value_type) + 2 * document_bytes;
  }
}

template <class T>
detail::Decoded Dataset<T>::decode(const std::string& document) {
  if constexpr (std::is_same_v<T, JsonText> || !detail::Documented<T>) {
    return {};
  } else {
    auto value = std::make_shared<const value_type>(Codec<T>::decode(document));
    const std::size_t bytes = memory_bytes(*value, document.size());
    return {std::move(value), bytes};
  }
}

template <class T>
void Dataset<T>::encode(const value_type& value, detail::PutItem* item) {
  if constexpr (std::is_same_v<T, JsonText>) {
    item->document = std::make_shared<const std::string>(value);
  } else if constexpr (detail::Documented<T>) {
    item->document = std::make_shared<const std::string>(Codec<T>::encode(value));
    item->value_bytes = memory_bytes(value, item->document->size());
    item->value = std::make_shared<const value_type>(value);
  }
}

template <class T>
detail::PutItem Dataset<T>::item(std::string_view key, const value_type& value) {
  detail::PutItem item;
  item.key = std::string(key);
  try {
    encode(value, &item);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    item.fault = std::current_exception();
  }
  return item;
}

template <class T>
detail::Callback Dataset<T>::erase_type(RefreshFunction function) {
  if (!function) return {};
  return [function = std::move(function)](RefreshContext& context) -> RefreshResult {
    auto answer = std::move(function(context).get());
    if (auto* not_modified = std::get_if<NotModified>(&answer)) return std::move(*not_modified);
    if (std::holds_alternative<NotFound>(answer)) return NotFound{};
    auto& refreshed = std::get<Refreshed<value_type>>(answer);
    NewDocument document;
    if constexpr (std::is_same_v<T, JsonText>) {
      document.document = std::make_shared<const std::string>(std::move(refreshed.value));
    } else if constexpr (detail::Documented<T>) {
      document.document = std::make_shared<const std::string>(Codec<T>::encode(refreshed.value));
      document.value = std::make_shared<const value_type>(std::move(refreshed.value));
    }
    document.metadata = std::move(refreshed.metadata);
    document.fresh_for = refreshed.fresh_for;
    return document;
  };
}

template <class T>
detail::DatasetPolicy Dataset<T>::make_policy(DatasetOptions<T> options) {
  detail::DatasetPolicy policy;
  policy.type = typeid(T);
  if constexpr (!std::is_same_v<T, JsonText> && detail::Documented<T>) {
    policy.decode = [](const std::string& document) { return decode(document); };
  }
  if (options.validate) {
    policy.validate = [validate = std::move(options.validate)](const void* value) {
      return validate(*static_cast<const value_type*>(value));
    };
  }
  policy.refresh = erase_type(std::move(options.refresh));
  policy.rich_refresh = erase_type(std::move(options.rich_refresh));
  if (options.fallback) {
    detail::PutItem fallback;
    try {
      encode(*options.fallback, &fallback);
    } catch (const std::exception& error) {
      throw BadConfiguration(std::string("the options of a dataset cannot work:\n  fallback: ") +
                             error.what());
    }
    auto resident = std::make_shared<detail::Resident>();
    resident->entry.document = std::move(fallback.document);
    resident->value = std::move(fallback.value);
    policy.fallback = std::move(resident);
  }
  policy.options.keyed = options.keyed;
  policy.options.refresh_every = options.refresh_every;
  policy.options.refresh_jitter = options.refresh_jitter;
  policy.options.rich_refresh_every = options.rich_refresh_every;
  policy.options.fresh_for = options.fresh_for;
  policy.options.stale_for = options.stale_for;
  policy.options.soft_timeout = options.soft_timeout;
  policy.options.hard_timeout = options.hard_timeout;
  policy.options.retry_first = options.retry_first;
  policy.options.not_found_for = options.not_found_for;
  policy.options.not_found_erases = options.not_found_erases;
  policy.options.cache_version = std::move(options.cache_version);
  policy.options.retention = options.retention;
  policy.options.hydrate = options.hydrate;
  return policy;
}

}  // namespace tiercache
