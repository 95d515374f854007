// Reads the members of one JSON object, and keeps a list of everything that is wrong with them. So
// the operator sees all faults of a file at once, each with its place and with what is allowed.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
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

// What a value must be: in words, for "must be …", and as the function that takes it. The function
// answers nullopt for a value that is not allowed.
template <class T>
struct Form {
  const char* allowed;
  std::optional<T> (*take)(const nlohmann::json& value);
};

// One object of the file, at `path` ("datasets[2]", empty for the whole). A member is read by
// naming it; `finish` makes those that nobody named faults. An absent member leaves the default,
// unless it is required.
class Fields {
 public:
  enum class Need : bool { optional, required };

  Fields(const nlohmann::json& object, std::string path, Faults& faults);

  // Puts the member into `place` if it has the form, and else adds a fault.
  template <class T, class Place>
  void read(const std::string& name, Need need, const Form<T>& form, Place& place) {
    const nlohmann::json* value = find(name, need, form.allowed);
    if (!value) return;
    if (std::optional<T> taken = form.take(*value)) {
      place = std::move(*taken);
    } else {
      faults_.add(path_of(name), value, form.allowed);
    }
  }
  // Calls `read` with the member and its path if it is an object, and else adds a fault.
  template <class Read>
  void read_object(const std::string& name, Need need, Read read) {
    static constexpr std::string_view kAllowed = "an object";
    const nlohmann::json* value = find(name, need, kAllowed);
    if (!value) return;
    if (!value->is_object()) return faults_.add(path_of(name), value, kAllowed);
    read(*value, path_of(name));
  }

  // Makes a fault of every member that was not read.
  void finish();
  // The member's place in the file.
  std::string path_of(const std::string& name) const;

 private:
  // The member, or null when it is absent, which is a fault if it is required.
  const nlohmann::json* find(const std::string& name, Need need, std::string_view allowed);

  const nlohmann::json& object_;
  const std::string path_;
  Faults& faults_;
  std::set<std::string> known_;
};

}  // namespace refresh_service
