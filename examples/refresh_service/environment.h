// What the environment says; .env.example at the root of the repository lists it.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "refresh_service/config.h"
#include "refresh_service/stores.h"
#include "tiercache/options.h"

namespace refresh_service {

using Variables = std::map<std::string, std::string>;

// | variable          | meaning                                       | values             | default     |
// |-------------------|-----------------------------------------------|--------------------|-------------|
// | SUPABASE_ENABLED  | the store of DATABASE_URL is used             | true, false        | false       |
// | DATABASE_URL      | Postgres or Supabase, with credentials        | postgres://…       | none        |
// | CACHE_TTL_SECONDS | how long memory is trusted without its file   | 0 to 31536000      | the config's |
// | PROJECT_ID        | the cache's namespace                         | as `project`       | the config's |
// | EMERGENCY_REFRESH | a read that finds nothing asks the source     | true, false        | true        |
// | BACKGROUND_RETRY  | writes are sent again until the store has them | true, false       | true        |
// | GRACEFUL_SHUTDOWN | closing waits until the store has the writes  | true, false        | true        |
//
// An empty value counts as none. true and false are also 1 and 0, yes and no, on and off, in
// letters of either case.
struct Environment {
  bool store_enabled = false;
  std::string database_url;  // empty: none
  std::optional<std::chrono::milliseconds> memory_ttl;
  std::optional<std::string> project;
  tiercache::Flags flags;
};

// Throws BadConfig, which names every fault: variable, value, what is allowed. The value of
// DATABASE_URL is not shown.
Environment parse_environment(const Variables& variables);

// Lines NAME=value, with comments (#), `export` and quotes as shells take them, but without
// expansion. Throws BadConfig with the number of a line that is none, never with its text.
Variables parse_env_file(std::string_view text);
Variables read_env_file(const std::filesystem::path& file);

// Puts into the process's environment what is not there yet. Before any thread.
void add_to_process(const Variables& variables);
// Those of the table that the process has.
Variables process_variables();

// What the environment says goes before the file; `store` (--store) before both.
void apply(const Environment& environment, const std::optional<StoreChoice>& store, Config& config);

}  // namespace refresh_service
