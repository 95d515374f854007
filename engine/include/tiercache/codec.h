// How a C++ type becomes a document and back.
#pragma once

#include <string>
#include <type_traits>

namespace tiercache {

// How values of a type become documents and back. Specialise it for your own type, or include
// "tiercache/json.h", which has it for every type with nlohmann's to_json and from_json:
//
//     template <>
//     struct tiercache::Codec<Quota> {
//       static std::string encode(const Quota& value);        // JSON text
//       static Quota decode(std::string_view document);       // throws when it is not a Quota
//       static std::size_t memory_bytes(const Quota& value);  // optional: bytes, object and heap
//     };
//
// If `encode` throws, the value is refused: a put throws `InvalidDocument`, and a refresh that
// brought the value has failed. It must throw for everything that `decode` could not read again, as
// json.h does for NaN, because a put does not try whether it can. Several threads may call each of
// the functions at once.
//
// Without `memory_bytes` a decoded value is charged with sizeof(T) plus twice its document.
template <class T>
struct Codec;

// The type of an untyped dataset, whose values are JSON text and are kept as they were put.
struct JsonText {};

// What a dataset of T gives and takes: T itself, or std::string for JsonText.
template <class T>
using ValueType = std::conditional_t<std::is_same_v<T, JsonText>, std::string, T>;

}  // namespace tiercache

#include "tiercache/detail/value_types.h"
