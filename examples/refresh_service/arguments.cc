#include "refresh_service/arguments.h"

#include <CLI/CLI.hpp>

#include "refresh_service/environment.h"
#include "refresh_service/stores.h"

namespace refresh_service {

namespace {

// Absent where --store was not given.
std::optional<StoreChoice> store_of(const Arguments& arguments) {
  if (arguments.store.empty()) return std::nullopt;
  const auto store = parse_store(arguments.store);
  if (!store) throw BadConfig(std::string("--store must be ") + kStoreForms);
  return store;
}

}  // namespace

void add_options(CLI::App& app, Arguments& arguments) {
  app.add_option("--config", arguments.config_file, "the service's JSON configuration");
  app.add_option("--env-file", arguments.env_file,
                 "a file of environment variables, as .env.example; what is set already stays");
  app.add_option("--store", arguments.store,
                 std::string(kStoreForms) + ", before configuration and environment");
  auto* from = app.add_option("--upstream-from", arguments.upstream_from,
                              "also (or, without --config, only) serve this folder as an upstream");
  app.add_option("--upstream-port", arguments.upstream_port, "the upstream's port; 0: any free one")
      ->check(CLI::Range(0, 65535))
      ->needs(from);
  from->check(CLI::ExistingDirectory);
}

Config read_configuration(const Arguments& arguments) {
  if (!arguments.env_file.empty()) add_to_process(read_env_file(arguments.env_file));
  Config config = read_config(arguments.config_file);
  const auto store = store_of(arguments);
  apply(parse_environment(process_variables()), store, config);
  return config;
}

}  // namespace refresh_service
