// How a C++ type becomes a document and back.
#pragma once

#include <string>
#include <type_traits>

namespace tiercache {

// Specialise it for your own type, or include "tiercache/json.h", which serves every type that
// nlohmann's to_json and from_json serve:
//
//     template <>
//     struct tiercache::Codec<Quota> {
//       static std::string encode(const Quota& value);        // JSON text
//       static Quota decode(std::string_view document);       // throws when it is not a Quota
//       static std::size_t memory_bytes(const Quota& value);  // optional: bytes, object and heap
//     };
//
// What `encode` throws refuses the value: `InvalidDocument` from a put, a failed refresh from a
// callback. It must throw for what `decode` could not read again, as json.h does for NaN: a put
// does not try that out. Several threads may call each of them at once.
//
// Without `memory_bytes` a decoded value is charged sizeof(T) plus twice its document.
template <class T>
struct Codec;

// Names the untyped dataset: values are JSON text, kept as they were put.
struct JsonText {};

// What a dataset of T gives and takes: T itself, std::string for JsonText.
template <class T>
using ValueType = std::conditional_t<std::is_same_v<T, JsonText>, std::string, T>;

}  // namespace tiercache

#include "tiercache/detail/value_types.h"
