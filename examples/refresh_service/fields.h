// Reads the members of one JSON object and keeps a list of everything that is wrong with them.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace refresh_service {

// "field = value: must be …", one line each.
class Faults {
 public:
  void add(const std::string& field, const nlohmann::json* value, std::string_view allowed);
  // What `add` cannot say, or must not show.
  void add_line(std::string line) { lines_.push_back(std::move(line)); }
  bool any() const { return !lines_.empty(); }
  std::string to_string() const;

 private:
  std::vector<std::string> lines_;
};

// One object of the file, at `path` ("datasets[2]", empty for the whole). A member is read by
// naming it; `finish` makes those that nobody named faults. An absent member leaves the default,
// unless it is required.
class Fields {
 public:
  enum class Need : bool { optional, required };

  Fields(const nlohmann::json& object, std::string path, Faults& faults);

  // Null when absent.
  const nlohmann::json* find(const std::string& name, Need need, std::string_view allowed);

  // Calls `take` with the member; what it returns says whether the value is allowed.
  template <class Take>
  void read(const std::string& name, Need need, std::string_view allowed, Take take) {
    const nlohmann::json* value = find(name, need, allowed);
    if (value && !take(*value)) faults_.add(path_of(name), value, allowed);
  }
  // The same for a string, given as its text.
  template <class Take>
  void read_text(const std::string& name, Need need, std::string_view allowed, Take take) {
    read(name, need, allowed, [&](const nlohmann::json& value) {
      return value.is_string() && take(value.get_ref<const std::string&>());
    });
  }
  void read_bool(const std::string& name, bool& value);

  void finish();
  std::string path_of(const std::string& name) const;
  Faults& faults() { return faults_; }

 private:
  const nlohmann::json& object_;
  const std::string path_;
  Faults& faults_;
  std::set<std::string> known_;
};

}  // namespace refresh_service
