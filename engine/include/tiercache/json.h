// Opt-in: lets every type with nlohmann's to_json and from_json be the type of a dataset.
//
//     struct Quota {
//       int left = 0;
//     };
//     NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Quota, left)
//
//     auto quotas = cache.dataset<Quota>("quotas", {.keyed = true});
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tiercache/codec.h"
#include "tiercache/detail/lost_in_json.h"
#include "tiercache/error.h"

namespace tiercache {

// A type that nlohmann::json converts to and from, in whichever of its ways.
template <class T>
concept NlohmannSerialisable = requires(const T& value, nlohmann::json& json) {
  nlohmann::json(value);
  json.get<T>();
};

// The codec of each such type. Thread-safe if the type's own to_json and from_json are.
template <NlohmannSerialisable T>
struct Codec<T> {
  // Returns the value as JSON text. Throws `InvalidDocument` if it holds something that JSON has no
  // form for (NaN, infinity, binary data), naming the place as a JSON pointer, and what nlohmann
  // throws for strings that are not UTF-8.
  static std::string encode(const T& value) {
    const nlohmann::json json(value);
    std::string pointer;
    if (const std::string why = detail::lost_in_json(json, &pointer); !why.empty()) {
      throw InvalidDocument("JSON cannot hold " + why + ", which is at \"" + pointer + '"');
    }
    return json.dump();
  }
  // Reads a value from JSON text. Throws what nlohmann and the type's from_json throw if the text
  // holds no such value.
  static T decode(std::string_view document) { return nlohmann::json::parse(document).get<T>(); }
};

}  // namespace tiercache
