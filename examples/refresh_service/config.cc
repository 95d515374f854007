#include "refresh_service/config.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <utility>

#include "refresh_service/fields.h"
#include "refresh_service/sources.h"

namespace refresh_service {

using nlohmann::json;
using std::chrono::milliseconds;
using Need = Fields::Need;

namespace {

constexpr milliseconds kLongest = std::chrono::hours(24 * 365);
constexpr std::string_view kDuration = R"(a duration from "0" to "365d", such as "250ms" or "6h")";

// A number followed by one of the units; `units` maps them to their size.
using Units = std::vector<std::pair<std::string_view, std::uint64_t>>;
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const Units& units) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  if (unit.empty() && number == 0) return 0;
  for (const auto& [name, size] : units) {
    if (unit == name && number <= UINT64_MAX / size) return number * size;
  }
  return std::nullopt;
}

void read_duration(Fields& fields, const std::string& name, milliseconds& value) {
  fields.read_text(name, Need::optional, kDuration, [&](const std::string& text) {
    const auto parsed = parse_duration(text);
    if (parsed) value = *parsed;
    return parsed.has_value();
  });
}

bool take_size(const json& value, std::size_t& size) {
  const auto parsed = value.is_string() ? parse_size(value.get<std::string>()) : std::nullopt;
  if (!parsed || *parsed < (1 << 20) || *parsed > (std::size_t{1} << 40)) return false;
  size = *parsed;
  return true;
}

// --- Sections ---

void read_listen(const json& object, Faults& faults, Config& config) {
  Fields fields(object, "listen", faults);
  fields.read_text("address", Need::optional, "an IP address or host name of this machine",
                   [&](const std::string& text) {
                     config.address = text;
                     return !text.empty();
                   });
  fields.read("port", Need::optional, "a whole number from 0 (any free port) to 65535",
              [&](const json& value) {
                if (!value.is_number_integer() || value < 0 || value > 65535) return false;
                config.port = value.get<int>();
                return true;
              });
  fields.finish();
}

void read_memory(const json& object, Faults& faults, Config& config) {
  Fields fields(object, "memory", faults);
  fields.read("max_bytes", Need::optional, R"(a size from "1MiB" to "1024GiB", such as "64MiB")",
              [&](const json& value) { return take_size(value, config.memory.max_bytes); });
  read_duration(fields, "ttl", config.memory.ttl);
  fields.finish();
}

// Credentials have no place in this file.
bool take_store(const std::string& text, Config& config) {
  const auto store = parse_store(text);
  if (store) config.store = *store;
  return store && store->kind != StoreChoice::Kind::postgres;
}

void read_http(Fields& fields, const json& object, const std::string& path,
               DatasetConfig& dataset) {
  HttpSource source;
  const auto text_into = [](std::string& place) {
    return [&place](const std::string& text) {
      place = text;
      return !text.empty();
    };
  };
  fields.read_text("http", Need::optional, "a URL", text_into(source.url));
  fields.read_text("select", Need::optional, "a JSON pointer", text_into(source.select));
  fields.read_text("bearer_env", Need::optional, "the name of an environment variable",
                   text_into(source.bearer_env));
  fields.read_text("ca_file", Need::optional, "the path of a PEM file", text_into(source.ca_file));
  if (!object.contains("http")) return;
  if (!source.url.empty() && (source.url.find("{key}") != std::string::npos) != dataset.keyed) {
    fields.faults().add_line(path + ".http: must be a URL " +
                             (dataset.keyed ? "with {key} in it"
                                            : "without {key}, since the "
                                              "dataset is not keyed"));
  }
  if (const std::string fault = fault_of(source); !fault.empty()) {
    fields.faults().add_line(path + ": " + fault);
  }
  dataset.source = std::move(source);
}

void read_source(const json& object, const std::string& path, Faults& faults,
                 DatasetConfig& dataset) {
  Fields fields(object, path, faults);
  fields.read_text("folder", Need::optional, "the path of a directory", [&](const auto& text) {
    dataset.source = FolderSource{text};
    return std::filesystem::is_directory(text);
  });
  read_http(fields, object, path, dataset);
  if (object.contains("folder") == object.contains("http")) {
    faults.add_line(path + R"(: must be {"folder": path} or {"http": url}, one of them)");
  }
  fields.finish();
}

void read_checks(const json& object, const std::string& path, Faults& faults, Checks& checks) {
  Fields fields(object, path, faults);
  fields.read_bool("not_empty", checks.not_empty);
  fields.read("required", Need::optional, "a list of member names", [&](const json& value) {
    const bool good = value.is_array() && std::all_of(value.begin(), value.end(),
                                                      [](const json& v) { return v.is_string(); });
    if (good) checks.required = value.get<std::vector<std::string>>();
    return good;
  });
  fields.read("min_items", Need::optional, "a whole number from 0 to 1000000000",
              [&](const json& value) {
                if (!value.is_number_integer() || value < 0 || value > 1'000'000'000) return false;
                checks.min_items = value.get<std::size_t>();
                return true;
              });
  fields.finish();
}

bool take_hydrate(const json& value, tiercache::Hydrate& hydrate) {
  if (value == "all") {
    hydrate = tiercache::Hydrate::all();
    return true;
  }
  if (!value.is_number_integer() || value < 0 || value > 1'000'000'000) return false;
  hydrate.most_recent = value.get<std::size_t>();
  return true;
}

// Calls `read` with the member when it is an object.
template <class Read>
void read_object(Fields& fields, const std::string& name, Need need, Read read) {
  fields.read(name, need, "an object", [&](const json& value) {
    if (value.is_object()) read(value);
    return value.is_object();
  });
}

DatasetConfig read_dataset(const json& object, const std::string& path, Faults& faults) {
  DatasetConfig dataset;
  Fields fields(object, path, faults);
  fields.read_text("name", Need::required, kNameForm, [&](const std::string& text) {
    dataset.name = text;
    return is_name(text);
  });
  fields.read_bool("keyed", dataset.keyed);
  fields.read_bool("writable", dataset.writable);
  read_duration(fields, "every", dataset.every);
  read_duration(fields, "stale_for", dataset.stale_for);
  if (object.contains("fresh_for")) {
    read_duration(fields, "fresh_for", dataset.fresh_for.emplace(0));
  }
  fields.read("hydrate", Need::optional, R"("all" or a whole number from 0 to 1000000000)",
              [&](const json& value) { return take_hydrate(value, dataset.hydrate); });
  const Need source_need = dataset.writable ? Need::optional : Need::required;
  read_object(fields, "source", source_need, [&](const json& source) {
    read_source(source, fields.path_of("source"), faults, dataset);
  });
  if (dataset.every.count() > 0 && !object.contains("source")) {
    faults.add(fields.path_of("every"), &object["every"], R"("0" where there is no source)");
  }
  read_object(fields, "checks", Need::optional, [&](const json& checks) {
    read_checks(checks, fields.path_of("checks"), faults, dataset.checks);
  });
  fields.finish();
  return dataset;
}

bool read_datasets(const json& list, Faults& faults, Config& config) {
  if (!list.is_array() || list.empty()) return false;
  std::set<std::string> names;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string path = "datasets[" + std::to_string(i) + "]";
    if (!list[i].is_object()) {
      faults.add(path, &list[i], "an object");
      continue;
    }
    config.datasets.push_back(read_dataset(list[i], path, faults));
    const std::string& name = config.datasets.back().name;
    if (!name.empty() && !names.insert(name).second) {
      faults.add(path + ".name", &list[i]["name"], "a name that no other dataset has");
    }
  }
  return true;
}

Config read_all(const json& object, Faults& faults) {
  Config config;
  Fields fields(object, "", faults);
  read_object(fields, "listen", Need::optional,
              [&](const json& listen) { read_listen(listen, faults, config); });
  fields.read_text("directory", Need::required, "the path of a local directory",
                   [&](const std::string& text) {
                     config.directory = text;
                     return !text.empty();
                   });
  fields.read_text("project", Need::required, kNameForm, [&](const std::string& text) {
    config.project = text;
    return is_name(text);
  });
  read_object(fields, "memory", Need::optional,
              [&](const json& memory) { read_memory(memory, faults, config); });
  fields.read_text("store", Need::optional, R"("sqlite:PATH" or "none"; for Postgres see --store)",
                   [&](const std::string& text) { return take_store(text, config); });
  fields.read("datasets", Need::required, "a list of at least one dataset",
              [&](const json& list) { return read_datasets(list, faults, config); });
  fields.finish();
  return config;
}

// nlohmann takes the last of several members of one name; here each is a fault.
json parse_json(std::string_view text, Faults& faults) {
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

}  // namespace

bool is_name(const std::string& text) {
  static const std::regex kPattern("[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}");
  return std::regex_match(text, kPattern);
}

std::optional<milliseconds> parse_duration(std::string_view text) {
  static const Units kUnits = {
      {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  const auto parsed = parse_with_unit(text, kUnits);
  if (!parsed || *parsed > static_cast<std::uint64_t>(kLongest.count())) return std::nullopt;
  return milliseconds(*parsed);
}

std::optional<std::size_t> parse_size(std::string_view text) {
  static const Units kUnits = {{"", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}};
  return parse_with_unit(text, kUnits);
}

Config parse_config(std::string_view text) {
  Faults faults;
  const json object = parse_json(text, faults);
  if (!object.is_object()) throw BadConfig("the configuration must be one JSON object");
  Config config = read_all(object, faults);
  if (faults.any()) throw BadConfig("the configuration cannot work:" + faults.to_string());
  return config;
}

Config read_config(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) throw BadConfig("the configuration " + file.string() + " cannot be read");
  try {
    return parse_config(text);
  } catch (const BadConfig& error) {
    throw BadConfig(file.string() + ": " + error.what());
  }
}

}  // namespace refresh_service
