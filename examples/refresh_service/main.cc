// A service that keeps the documents of slow sources by tiercache and serves them over HTTP.
//
// A JSON file says which datasets there are, where their documents come from (a folder or an HTTP
// API), and how fresh they have to be. The service refreshes each on its schedule. What it has it
// serves at once, from memory or files, also while the source or the store is down, and tells in
// headers how old it is. Datasets that are writable take PUT and DELETE. /health, /stats and
// /outbox are for those who run it.
//
// How it is put together:
//
//     arguments.h, environment.h, config.h   what the operator asks for, checked as a whole
//     stores.h                               the store behind the cache: SQLite, Postgres or none
//     dataset_options.h                      a dataset's policy, as tiercache takes it
//     sources.h, document_checks.h           its refresh callback, and what it accepts
//     http_front.h                           a request becomes a call of the cache
//     service.h                              opens the cache, serves, and closes it
//
// With --upstream-from it also plays the upstream (upstream.h), so that one can try all of this
// without anybody's API. It ends with SIGTERM or SIGINT, and with status 2 for a configuration that
// cannot work.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>

#include "refresh_service/arguments.h"
#include "refresh_service/local_server.h"
#include "refresh_service/service.h"
#include "refresh_service/stop_signals.h"
#include "refresh_service/upstream.h"

namespace {

using namespace std::chrono_literals;
using namespace refresh_service;

constexpr int kBadConfiguration = 2;

void wait_for(const StopSignals& stop) {
  while (!stop.wait(3'600'000ms)) {
  }
}

// The configuration is read first, since nothing may be started when it cannot work.
void run(const Arguments& arguments, const StopSignals& stop,
         const std::shared_ptr<spdlog::logger>& logger) {
  std::optional<Upstream> upstream;
  if (!arguments.upstream_from.empty()) upstream.emplace(arguments.upstream_from);
  std::optional<Config> config;
  if (!arguments.config_file.empty()) config = read_configuration(arguments);
  if (upstream) {
    say("upstream on " + url_of("127.0.0.1", upstream->start(arguments.upstream_port)));
  }
  if (config) {
    serve(*config, stop, logger);
  } else {
    wait_for(stop);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Keeps documents of slow sources by tiercache and serves them over HTTP.");
  Arguments arguments;
  add_options(app, arguments);
  CLI11_PARSE(app, argc, argv);
  if (arguments.config_file.empty() && arguments.upstream_from.empty()) {
    std::cerr << "Nothing to do: give --config, --upstream-from or both.\n" << app.help();
    return kBadConfiguration;
  }

  const StopSignals stop;
  const auto logger = spdlog::stderr_logger_mt("refresh_service");
  try {
    run(arguments, stop, logger);
    return EXIT_SUCCESS;
  } catch (const BadConfig& error) {
    std::cerr << error.what() << '\n';
    return kBadConfiguration;
  } catch (const std::exception& error) {
    std::cerr << "refresh_service: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
