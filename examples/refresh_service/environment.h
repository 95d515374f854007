// What the environment says, and how it changes the configuration. The file .env.example at the
// root of the repository lists the variables.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "refresh_service/config.h"
#include "refresh_service/env_file.h"
#include "refresh_service/stores.h"
#include "tiercache/options.h"

namespace refresh_service {

// The variables, read and checked.
//
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

// The variables of the table that the process has.
Variables process_variables();

// What the environment says goes before what the file says, and `store` (--store) goes before both.
void apply(const Environment& environment, const std::optional<StoreChoice>& store, Config& config);

}  // namespace refresh_service
