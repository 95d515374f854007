// Not for direct use: finds what JSON has no form for. Only json.h includes it.
#pragma once

#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace tiercache::detail {

// Returns what in the value would not come back as it is, and puts its place before `*pointer`, as
// a JSON pointer; returns "" if there is nothing. JSON has no NaN, no infinity and no bytes, and
// nlohmann writes null or an object in their place.
inline std::string lost_in_json(const nlohmann::json& value, std::string* pointer);

// The same for the member of an object.
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

}  // namespace tiercache::detail
