// Not for direct use: turns what has a type into what the engine takes, which knows no types:
// documents, values behind `void`, and functions that make the one out of the other.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>

#include "tiercache/codec.h"
#include "tiercache/detail/dataset_core.h"
#include "tiercache/detail/refresh_result.h"
#include "tiercache/error.h"
#include "tiercache/options.h"
#include "tiercache/refresh.h"

namespace tiercache::detail {

// Whether values of T are encoded and decoded. That is false for JSON text, and for a type without
// a codec: `Dataset` reports that one, and more errors would only hide its message.
template <class T>
inline constexpr bool kCoded = Documented<T> && !std::is_same_v<T, JsonText>;

// Returns what memory is charged for a value, as codec.h says.
template <class T>
std::size_t memory_bytes(const ValueType<T>& value, std::size_t document_bytes) {
  if constexpr (std::is_same_v<T, JsonText>) {
    return 0;
  } else if constexpr (TellsMemory<T>) {
    return Codec<T>::memory_bytes(value);
  } else {
    return sizeof(ValueType<T>) + 2 * document_bytes;
  }
}

// Throws what the codec throws.
template <class T>
Decoded decode(const std::string& document) {
  auto value = std::make_shared<const ValueType<T>>(Codec<T>::decode(document));
  const std::size_t bytes = memory_bytes<T>(*value, document.size());
  return {std::move(value), bytes};
}

// Fills in the item's document and value. Throws what the codec throws.
template <class T>
void encode(const ValueType<T>& value, PutItem* item) {
  if constexpr (std::is_same_v<T, JsonText>) {
    item->document = std::make_shared<const std::string>(value);
  } else if constexpr (kCoded<T>) {
    item->document = std::make_shared<const std::string>(Codec<T>::encode(value));
    item->value_bytes = memory_bytes<T>(value, item->document->size());
    item->value = std::make_shared<const ValueType<T>>(value);
  }
}

// Makes the item for a put. What the codec throws becomes its `fault`, so that the call reports it
// in the same way as others.
template <class T>
PutItem put_item(std::string_view key, const ValueType<T>& value) {
  PutItem item;
  item.key = std::string(key);
  try {
    encode<T>(value, &item);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    item.fault = std::current_exception();
  }
  return item;
}

// --- A refresh callback ---

// Encodes the answer of a callback.
template <class T>
NewDocument new_document(Refreshed<ValueType<T>> refreshed) {
  NewDocument made;
  if constexpr (std::is_same_v<T, JsonText>) {
    made.document = std::make_shared<const std::string>(std::move(refreshed.value));
  } else if constexpr (kCoded<T>) {
    made.document = std::make_shared<const std::string>(Codec<T>::encode(refreshed.value));
    made.value = std::make_shared<const ValueType<T>>(std::move(refreshed.value));
  }
  made.metadata = std::move(refreshed.metadata);
  made.fresh_for = refreshed.fresh_for;
  return made;
}

// Takes the type out of a callback. An empty one stays empty.
template <class T>
Callback untyped_callback(std::function<RefreshAnswer<ValueType<T>>(RefreshContext&)> function) {
  if (!function) return {};
  return [function = std::move(function)](RefreshContext& context) -> RefreshResult {
    auto answer = std::move(function(context).get());
    if (auto* not_modified = std::get_if<NotModified>(&answer)) return std::move(*not_modified);
    if (std::holds_alternative<NotFound>(answer)) return NotFound{};
    return new_document<T>(std::move(std::get<Refreshed<ValueType<T>>>(answer)));
  };
}

// --- A dataset's options ---

// Makes the resident of a dataset's fallback. Throws `BadConfiguration` for a value that the codec
// refuses.
template <class T>
ResidentPtr fallback_of(const ValueType<T>& value) {
  PutItem item;
  try {
    encode<T>(value, &item);
  } catch (const std::exception& error) {
    throw BadConfiguration(std::string("the options of a dataset cannot work:\n  fallback: ") +
                           error.what());
  }
  auto resident = std::make_shared<Resident>();
  resident->entry.document = std::move(item.document);
  resident->value = std::move(item.value);
  return resident;
}

// Copies the options that do not depend on the type.
template <class Value>
BasicDatasetOptions<std::string> plain_options(const BasicDatasetOptions<Value>& options) {
  BasicDatasetOptions<std::string> plain;
  plain.keyed = options.keyed;
  plain.refresh_every = options.refresh_every;
  plain.refresh_jitter = options.refresh_jitter;
  plain.rich_refresh_every = options.rich_refresh_every;
  plain.fresh_for = options.fresh_for;
  plain.stale_for = options.stale_for;
  plain.soft_timeout = options.soft_timeout;
  plain.hard_timeout = options.hard_timeout;
  plain.retry_first = options.retry_first;
  plain.not_found_for = options.not_found_for;
  plain.not_found_erases = options.not_found_erases;
  plain.cache_version = options.cache_version;
  plain.retention = options.retention;
  plain.hydrate = options.hydrate;
  return plain;
}

// Takes the type out of a dataset's options. Throws `BadConfiguration` for a fallback that the
// codec refuses.
template <class T>
DatasetPolicy untyped_policy(BasicDatasetOptions<ValueType<T>> options) {
  DatasetPolicy policy;
  policy.options = plain_options(options);
  policy.type = typeid(T);
  if constexpr (kCoded<T>) policy.decode = decode<T>;
  if (options.validate) {
    policy.validate = [validate = std::move(options.validate)](const void* value) {
      return validate(*static_cast<const ValueType<T>*>(value));
    };
  }
  policy.refresh = untyped_callback<T>(std::move(options.refresh));
  policy.rich_refresh = untyped_callback<T>(std::move(options.rich_refresh));
  if (options.fallback) policy.fallback = fallback_of<T>(*options.fallback);
  return policy;
}

}  // namespace tiercache::detail
