// There is one function for each object of the file. It names the members, says what each must be
// (forms.h) and where it goes, and checks what must fit together (config_checks.h).
#include "refresh_service/config.h"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "refresh_service/config_checks.h"
#include "refresh_service/fields.h"
#include "refresh_service/forms.h"
#include "refresh_service/strict_json.h"
#include "refresh_service/text_file.h"

namespace refresh_service {

using nlohmann::json;
using Need = Fields::Need;

namespace {

void read_listen(const json& object, const std::string& path, Faults& faults, Config& config) {
  Fields fields(object, path, faults);
  fields.read("address", Need::optional, forms::kAddress, config.address);
  fields.read("port", Need::optional, forms::kPort, config.port);
  fields.finish();
}

void read_memory(const json& object, const std::string& path, Faults& faults, Config& config) {
  Fields fields(object, path, faults);
  fields.read("max_bytes", Need::optional, forms::kMemorySize, config.memory.max_bytes);
  fields.read("ttl", Need::optional, forms::kDuration, config.memory.ttl);
  fields.finish();
}

HttpSource read_http(Fields& fields) {
  HttpSource source;
  fields.read("http", Need::optional, forms::kUrl, source.url);
  fields.read("select", Need::optional, forms::kJsonPointer, source.select);
  fields.read("bearer_env", Need::optional, forms::kVariableName, source.bearer_env);
  fields.read("ca_file", Need::optional, forms::kPemFile, source.ca_file);
  return source;
}

void read_source(const json& object, const std::string& path, Faults& faults,
                 DatasetConfig& dataset) {
  Fields fields(object, path, faults);
  FolderSource folder;
  fields.read("folder", Need::optional, forms::kFolder, folder.path);
  HttpSource http = read_http(fields);
  if (object.contains("http")) {
    check_http(http, dataset.keyed, path, faults);
    dataset.source = std::move(http);
  } else {
    dataset.source = std::move(folder);
  }
  check_one_source(object, path, faults);
  fields.finish();
}

void read_checks(const json& object, const std::string& path, Faults& faults, Checks& checks) {
  Fields fields(object, path, faults);
  fields.read("not_empty", Need::optional, forms::kFlag, checks.not_empty);
  fields.read("required", Need::optional, forms::kMemberNames, checks.required);
  fields.read("min_items", Need::optional, forms::kCount, checks.min_items);
  fields.finish();
}

DatasetConfig read_dataset(const json& object, const std::string& path, Faults& faults) {
  DatasetConfig dataset;
  Fields fields(object, path, faults);
  fields.read("name", Need::required, forms::kName, dataset.name);
  fields.read("keyed", Need::optional, forms::kFlag, dataset.keyed);
  fields.read("writable", Need::optional, forms::kFlag, dataset.writable);
  fields.read("every", Need::optional, forms::kDuration, dataset.every);
  fields.read("stale_for", Need::optional, forms::kDuration, dataset.stale_for);
  fields.read("fresh_for", Need::optional, forms::kDuration, dataset.fresh_for);
  fields.read("hydrate", Need::optional, forms::kHydrate, dataset.hydrate);
  const Need source_need = dataset.writable ? Need::optional : Need::required;
  fields.read_object("source", source_need, [&](const json& source, const std::string& at) {
    read_source(source, at, faults, dataset);
  });
  check_schedule(object, dataset, path, faults);
  fields.read_object("checks", Need::optional, [&](const json& checks, const std::string& at) {
    read_checks(checks, at, faults, dataset.checks);
  });
  fields.finish();
  return dataset;
}

std::vector<DatasetConfig> read_datasets(const json& list, Faults& faults) {
  std::vector<DatasetConfig> datasets;
  DistinctNames names;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string path = "datasets[" + std::to_string(i) + "]";
    if (!list[i].is_object()) {
      faults.add(path, &list[i], "an object");
      continue;
    }
    datasets.push_back(read_dataset(list[i], path, faults));
    names.check(list[i], path, faults);
  }
  return datasets;
}

Config read_all(const json& object, Faults& faults) {
  Config config;
  Fields fields(object, "", faults);
  fields.read_object("listen", Need::optional, [&](const json& listen, const std::string& at) {
    read_listen(listen, at, faults, config);
  });
  fields.read("directory", Need::required, forms::kLocalDirectory, config.directory);
  fields.read("project", Need::required, forms::kName, config.project);
  fields.read_object("memory", Need::optional, [&](const json& memory, const std::string& at) {
    read_memory(memory, at, faults, config);
  });
  fields.read("store", Need::optional, forms::kFileStore, config.store);
  json datasets = json::array();
  fields.read("datasets", Need::required, forms::kDatasets, datasets);
  config.datasets = read_datasets(datasets, faults);
  fields.finish();
  return config;
}

}  // namespace

Config parse_config(std::string_view text) {
  Faults faults;
  const json object = parse_strictly(text, faults);
  if (!object.is_object()) throw BadConfig("the configuration must be one JSON object");
  Config config = read_all(object, faults);
  if (faults.any()) throw BadConfig("the configuration cannot work:" + faults.to_string());
  return config;
}

Config read_config(const std::filesystem::path& file) {
  const auto text = read_text_file(file);
  if (!text) throw BadConfig("the configuration " + file.string() + " cannot be read");
  try {
    return parse_config(*text);
  } catch (const BadConfig& error) {
    throw BadConfig(file.string() + ": " + error.what());
  }
}

}  // namespace refresh_service
