// Opt-in: every type with nlohmann's to_json and from_json is a dataset's type.
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tiercache/codec.h"
#include "tiercache/error.h"

namespace tiercache {

namespace detail {

// Why the value would not come back as it is: JSON has no NaN, no infinity and no bytes, and
// nlohmann writes null, or an object, in their place. Empty: it would. Where it is goes to
// `*pointer`, a JSON pointer.
inline std::string lost_in_json(const nlohmann::json& value, std::string* pointer);

inline std::string lost_in_member(const nlohmann::json& value, std::string name,
                                  std::string* pointer) {
  std::string why = lost_in_json(value, pointer);
  if (why.empty()) return why;
  for (std::size_t at = 0; (at = name.find_first_of("~/", at)) != std::string::npos; at += 2) {
    name.replace(at, 1, name[at] == '~' ? "~0" : "~1");
  }
  pointer->insert(0, '/' + name);
  return why;
}

inline std::string lost_in_json(const nlohmann::json& value, std::string* pointer) {
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::isfinite(number)) return {};
    return std::isnan(number) ? "NaN" : "an infinite number";
  }
  if (value.is_binary()) return "binary data";
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      std::string why = lost_in_json(value[i], pointer);
      if (why.empty()) continue;
      pointer->insert(0, '/' + std::to_string(i));
      return why;
    }
  } else if (value.is_object()) {
    for (auto member = value.begin(); member != value.end(); ++member) {
      std::string why = lost_in_member(member.value(), member.key(), pointer);
      if (!why.empty()) return why;
    }
  }
  return {};
}

}  // namespace detail

// A type that nlohmann's to_json and from_json serve, by whichever of its ways.
template <class T>
concept NlohmannSerialisable = requires(const T& value, nlohmann::json& json) {
  nlohmann::json(value);
  json.get<T>();
};

// The codec of each such type. Thread-safe where the type's own to_json and from_json are.
template <NlohmannSerialisable T>
struct Codec<T> {
  // Throws `InvalidDocument` for what JSON has no form for (NaN, infinity, binary data), naming the
  // place as a JSON pointer, and what nlohmann throws for strings that are not UTF-8.
  static std::string encode(const T& value) {
    const nlohmann::json json(value);
    std::string pointer;
    if (const std::string why = detail::lost_in_json(json, &pointer); !why.empty()) {
      throw InvalidDocument("JSON cannot hold " + why + ", which is at \"" + pointer + '"');
    }
    return json.dump();
  }
  // Throws what nlohmann and the type's from_json throw for a document that holds no such value.
  static T decode(std::string_view document) { return nlohmann::json::parse(document).get<T>(); }
};

}  // namespace tiercache
