#include "refresh_service/strict_json.h"

#include <set>
#include <string>
#include <vector>

#include "refresh_service/bad_config.h"

namespace refresh_service {

using nlohmann::json;

json parse_strictly(std::string_view text, Faults& faults) {
  std::vector<std::set<std::string>> names;
  const auto on_event = [&](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) names.emplace_back();
    if (event == json::parse_event_t::object_end) names.pop_back();
    if (event == json::parse_event_t::key && !names.back().insert(value).second) {
      faults.add("member", &value, "given once in its object");
    }
    return true;
  };
  try {
    return json::parse(text, on_event);
  } catch (const json::exception& error) {
    throw BadConfig(std::string("the configuration is not valid JSON: ") + error.what());
  }
}

}  // namespace refresh_service
