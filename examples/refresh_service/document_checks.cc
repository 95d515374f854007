#include "refresh_service/document_checks.h"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

namespace refresh_service {

using nlohmann::json;

namespace {

bool is_empty(const json& document) {
  return document.empty() ||
         (document.is_string() && document.get_ref<const std::string&>().empty());
}

void require_members(const json& object, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!object.is_object() || !object.contains(name)) {
      throw std::runtime_error("the member \"" + name + "\" is missing");
    }
  }
}

void require_items(const json& document, std::size_t least) {
  const std::size_t items = document.is_structured() ? document.size() : 0;
  if (items >= least) return;
  throw std::runtime_error("the document has " + std::to_string(items) +
                           (items == 1 ? " item" : " items") + ", fewer than " +
                           std::to_string(least));
}

void check(const json& document, const Checks& checks) {
  if (checks.not_empty && is_empty(document)) throw std::runtime_error("the document is empty");
  require_items(document, checks.min_items);
  if (!document.is_array()) return require_members(document, checks.required);
  for (const json& item : document) require_members(item, checks.required);
}

}  // namespace

std::function<bool(const std::string&)> make_validate(const Checks& checks) {
  if (!checks.not_empty && checks.required.empty() && checks.min_items == 0) return {};
  return [checks](const std::string& document) {
    check(json::parse(document), checks);
    return true;
  };
}

}  // namespace refresh_service
