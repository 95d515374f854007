#include "refresh_service/fields.h"

#include <utility>

namespace refresh_service {

namespace {

constexpr std::size_t kMostShown = 60;

// Values may be long, and text in a wrong place is shown shortened rather than whole.
std::string shown(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', true);
  if (text.size() > kMostShown) text = text.substr(0, kMostShown) + "…";
  return text;
}

}  // namespace

void Faults::add(const std::string& field, const nlohmann::json* value, std::string_view allowed) {
  const std::string what = value ? field + " = " + shown(*value) : field + " is missing";
  lines_.push_back(what + ": must be " + std::string(allowed));
}

std::string Faults::to_string() const {
  std::string text;
  for (const std::string& line : lines_) text += "\n  " + line;
  return text;
}

Fields::Fields(const nlohmann::json& object, std::string path, Faults& faults)
    : object_(object), path_(std::move(path)), faults_(faults) {}

std::string Fields::path_of(const std::string& name) const {
  return path_.empty() ? name : path_ + "." + name;
}

const nlohmann::json* Fields::find(const std::string& name, Need need, std::string_view allowed) {
  known_.insert(name);
  const auto found = object_.find(name);
  if (found != object_.end()) return &*found;
  if (need == Need::required) faults_.add(path_of(name), nullptr, allowed);
  return nullptr;
}

void Fields::finish() {
  std::string names;
  for (const std::string& name : known_) names += (names.empty() ? "" : ", ") + name;
  for (const auto& [name, value] : object_.items()) {
    if (!known_.contains(name)) faults_.add(path_of(name), &value, "left out: known are " + names);
  }
}

}  // namespace refresh_service
