// How a C++ type becomes a document and back.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace tiercache {

// Specialise for your own type, or include "tiercache/json.h", which serves every type that
// nlohmann's to_json and from_json serve:
//
//     template <> struct tiercache::Codec<Quota> {
//       static std::string encode(const Quota& value);          // JSON text
//       static Quota decode(std::string_view document);         // throws when it is not a Quota
//       static std::size_t memory_bytes(const Quota& value);    // optional: heap and object, in
//       bytes
//     };
//
// What `encode` throws refuses the value: `InvalidDocument` from a put, a failed refresh from a
// callback. It must throw for what `decode` could not read again, as json.h does for NaN: a put
// does not try that out.
//
// Without `memory_bytes` a decoded value is charged sizeof(T) plus twice its document.
template <class T>
struct Codec;

// Names the untyped dataset: values are JSON text, kept as they were put.
struct JsonText {};

namespace detail {

template <class T>
struct ValueOf {
  using type = T;
};
template <>
struct ValueOf<JsonText> {
  using type = std::string;
};

// The type of an untyped dataset, or one with a codec.
template <class T>
concept Documented = std::same_as<T, JsonText> || requires(const T& value, std::string_view text) {
  { Codec<T>::encode(value) } -> std::convertible_to<std::string>;
  { Codec<T>::decode(text) } -> std::convertible_to<T>;
};

// JSON text as it stands. Not nlohmann::json, which converts itself to the string that it holds,
// and throws where it holds none; its text is what `dump()` gives.
template <class V>
concept Text = std::same_as<V, std::string> || std::convertible_to<const V&, std::string_view>;

// What converts to a std::string and is no text.
template <class V>
concept Untold = !Text<V> && std::convertible_to<const V&, std::string>;

// For a `static_assert` in a template that must not be instantiated.
template <class>
inline constexpr bool kFails = false;

template <class T>
concept TellsMemory = requires(const T& value) {
  { Codec<T>::memory_bytes(value) } -> std::convertible_to<std::size_t>;
};

}  // namespace detail

// What a dataset of T gives and takes: T itself, std::string for JsonText.
template <class T>
using ValueType = typename detail::ValueOf<T>::type;

}  // namespace tiercache
