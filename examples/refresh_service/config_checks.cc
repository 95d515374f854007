#include "refresh_service/config_checks.h"

#include "refresh_service/http_source.h"

namespace refresh_service {

using nlohmann::json;

void DistinctNames::check(const json& dataset, const std::string& path, Faults& faults) {
  const auto name = dataset.find("name");
  if (name == dataset.end() || !name->is_string() || *name == "") return;
  if (names_.insert(name->get<std::string>()).second) return;
  faults.add(path + ".name", &*name, "a name that no other dataset has");
}

void check_schedule(const json& dataset, const DatasetConfig& config, const std::string& path,
                    Faults& faults) {
  if (config.every.count() == 0 || dataset.contains("source")) return;
  faults.add(path + ".every", &dataset["every"], R"("0" where there is no source)");
}

void check_one_source(const json& source, const std::string& path, Faults& faults) {
  if (source.contains("folder") != source.contains("http")) return;
  faults.add_line(path + R"(: must be {"folder": path} or {"http": url}, one of them)");
}

void check_http(const HttpSource& source, bool keyed, const std::string& path, Faults& faults) {
  const bool asks_for_key = source.url.find("{key}") != std::string::npos;
  if (!source.url.empty() && asks_for_key != keyed) {
    faults.add_line(path + ".http: must be a URL " +
                    (keyed ? "with {key} in it" : "without {key}, since the dataset is not keyed"));
  }
  if (const std::string fault = fault_of(source); !fault.empty()) {
    faults.add_line(path + ": " + fault);
  }
}

}  // namespace refresh_service
