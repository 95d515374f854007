// The service's configuration: one JSON file, which is checked as a whole before anything is
// opened.
//
// config.cc says which member goes where, forms.h what each of them must be, and config_checks.h
// which of them must fit each other.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "refresh_service/bad_config.h"
#include "refresh_service/stores.h"
#include "tiercache/options.h"

namespace refresh_service {

// A folder of JSON documents: `<path>/<dataset>.json`, or `<path>/<key>.json` for a keyed dataset.
struct FolderSource {
  std::filesystem::path path;
};

// An HTTP API, asked by tiercache::http; the fields are as in its options.
struct HttpSource {
  std::string url;  // "{key}" in it stands for the key
  std::string select = {};
  std::string bearer_env = {};  // the environment variable with the token; empty: none
  std::string ca_file = {};
};

// What a document must be before it is accepted.
struct Checks {
  bool not_empty = false;             // not null, "", [] or {}
  std::vector<std::string> required;  // members of the object, or of every item of the array
  std::size_t min_items = 0;          // items of the array, or members of the object
};

// One dataset: what is kept, where it comes from, and how fresh it has to be.
//
// | field     | meaning                                                    | default              |
// |-----------|------------------------------------------------------------|----------------------|
// | name      | the dataset, and its place under /v1/                      | required             |
// | source    | where documents come from                                  | none, where writable |
// | keyed     | many documents by key; false: one                          | false                |
// | writable  | PUT and DELETE are taken, from this machine alone          | false                |
// | every     | how often each is refreshed; 0: when it is asked for       | 0                    |
// | fresh_for | age until which a document is fresh                        | the cache's own      |
// | stale_for | how much longer it is served while its source is asked     | 0                    |
// | hydrate   | documents brought from the store at start: number or "all" | 10,000               |
// | checks    | what a document must be                                    | none                 |
struct DatasetConfig {
  std::string name;
  std::variant<std::monostate, FolderSource, HttpSource> source;
  bool keyed = false;
  bool writable = false;
  std::chrono::milliseconds every{0};
  std::optional<std::chrono::milliseconds> fresh_for;
  std::chrono::milliseconds stale_for{0};
  tiercache::Hydrate hydrate;
  Checks checks;
};

// The whole service.
//
// | field     | meaning                                                    | default         |
// |-----------|------------------------------------------------------------|-----------------|
// | listen    | {"address", "port"}; port 0: any free one                  | 127.0.0.1, 8080 |
// | directory | where the cache lives                                      | required        |
// | project   | the cache's namespace                                      | required        |
// | memory    | {"max_bytes", "ttl"}                                       | "64MiB", "5m"   |
// | store     | "sqlite:PATH", or "none"; the directory of PATH must exist | "none"          |
// | datasets  | a list of datasets, at least one                           | required        |
//
// Relative paths are looked up from the directory in which the service was started.
struct Config {
  std::string address = "127.0.0.1";
  int port = 8080;
  std::filesystem::path directory;
  std::string project;
  tiercache::MemoryOptions memory;
  StoreChoice store;
  std::vector<DatasetConfig> datasets;
  // By the environment, never by the file.
  tiercache::Flags flags;
  std::string store_off_why;  // why a store that was asked for is not used; empty: it is
};

// Throws BadConfig, which lists every fault. Members that the tables above do not name are faults,
// and so are members that are given twice.
Config parse_config(std::string_view text);
// Reads the file and parses it; what it throws names the file.
Config read_config(const std::filesystem::path& file);

}  // namespace refresh_service
