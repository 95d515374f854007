// Not for direct use: what types datasets may have, and what may be put into an untyped one.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

#include "tiercache/codec.h"

namespace tiercache::detail {

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

// The error of who puts something that is no text into an untyped dataset.
template <class V>
constexpr void must_be_json_text() {
  static_assert(kFails<V>,
                "tiercache: an untyped dataset takes JSON text, as nlohmann::json::dump() gives "
                "it; to put values, open dataset<T>");
}

// Its codec says what a value costs.
template <class T>
concept TellsMemory = requires(const T& value) {
  { Codec<T>::memory_bytes(value) } -> std::convertible_to<std::size_t>;
};

}  // namespace tiercache::detail
