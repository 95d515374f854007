// Not for direct use: which types datasets may have, and what may be put into an untyped one.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

#include "tiercache/codec.h"

namespace tiercache::detail {

// A type that a dataset may have: that of untyped datasets, or one with a codec.
template <class T>
concept Documented = std::same_as<T, JsonText> || requires(const T& value, std::string_view text) {
  { Codec<T>::encode(value) } -> std::convertible_to<std::string>;
  { Codec<T>::decode(text) } -> std::convertible_to<T>;
};

// JSON text as it is. nlohmann::json is none: it converts to the string that it holds, and throws
// if it holds no string; its text is what `dump()` returns.
template <class V>
concept Text = std::same_as<V, std::string> || std::convertible_to<const V&, std::string_view>;

// What converts to a std::string but is no text.
template <class V>
concept Untold = !Text<V> && std::convertible_to<const V&, std::string>;

// For a `static_assert` in a template that must not be instantiated.
template <class>
inline constexpr bool kFails = false;

// The compile-time error for putting something that is no text into an untyped dataset.
template <class V>
constexpr void must_be_json_text() {
  static_assert(kFails<V>,
                "tiercache: an untyped dataset takes JSON text, as nlohmann::json::dump() gives "
                "it; to put values, open dataset<T>");
}

// A type whose codec says how much memory a value takes.
template <class T>
concept TellsMemory = requires(const T& value) {
  { Codec<T>::memory_bytes(value) } -> std::convertible_to<std::size_t>;
};

}  // namespace tiercache::detail
