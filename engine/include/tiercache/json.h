// Opt-in: every type with nlohmann's to_json and from_json is a dataset's type.
#pragma once

#include <concepts>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tiercache/codec.h"

namespace tiercache {

template <class T>
concept NlohmannSerialisable = requires(const T& value, nlohmann::json& json) {
  nlohmann::json(value);
  json.get<T>();
};

template <NlohmannSerialisable T>
struct Codec<T> {
  static std::string encode(const T& value) { return nlohmann::json(value).dump(); }
  static T decode(std::string_view document) { return nlohmann::json::parse(document).get<T>(); }
};

}  // namespace tiercache
