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

template <class T>
concept TellsMemory = requires(const T& value) {
  { Codec<T>::memory_bytes(value) } -> std::convertible_to<std::size_t>;
};

}  // namespace detail

// What a dataset of T gives and takes: T itself, std::string for JsonText.
template <class T>
using ValueType = typename detail::ValueOf<T>::type;

}  // namespace tiercache
