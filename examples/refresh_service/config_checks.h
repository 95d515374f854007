// Which members of the configuration must fit each other. Each check adds what does not to the
// faults.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "refresh_service/config.h"
#include "refresh_service/fields.h"

namespace refresh_service {

// No two datasets have the same name.
class DistinctNames {
 public:
  void check(const nlohmann::json& dataset, const std::string& path, Faults& faults);

 private:
  std::set<std::string> names_;
};

// A dataset without a source has no schedule.
void check_schedule(const nlohmann::json& dataset, const DatasetConfig& config,
                    const std::string& path, Faults& faults);

// A source is one of a folder and an HTTP API.
void check_one_source(const nlohmann::json& source, const std::string& path, Faults& faults);

// The URL has {key} in it exactly if the dataset is keyed, and tiercache::http takes the options.
void check_http(const HttpSource& source, bool keyed, const std::string& path, Faults& faults);

}  // namespace refresh_service
