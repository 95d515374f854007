// A service that keeps datasets by tiercache and serves them over HTTP.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "refresh_service/config.h"
#include "refresh_service/environment.h"
#include "refresh_service/http_front.h"
#include "refresh_service/stores.h"
#include "refresh_service/upstream.h"
#include "tiercache/tiercache.h"

namespace {

using namespace std::chrono_literals;
using namespace refresh_service;

constexpr int kBadConfiguration = 2;

// SIGTERM and SIGINT are taken by `wait` alone. Make it before any thread.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  // True once a signal came.
  bool wait(std::chrono::milliseconds longest) const {
    const timespec time = {.tv_sec = longest.count() / 1000,
                           .tv_nsec = longest.count() % 1000 * 1'000'000};
    return sigtimedwait(&signals_, nullptr, &time) > 0;
  }

 private:
  sigset_t signals_;
};

// For programs that started this one: what they wait for, at once, on standard output.
void say(const std::string& line) {
  std::cout << line << std::endl;
}

tiercache::CacheOptions cache_options(const Config& config,
                                      std::shared_ptr<spdlog::logger> logger) {
  tiercache::CacheOptions options;
  options.project = config.project;
  options.directory = config.directory;
  options.memory = config.memory;
  options.flags = config.flags;
  options.store = open_store(config.store);
  // A file of this machine answers in milliseconds, or it is away.
  if (config.store.kind == StoreChoice::Kind::sqlite) options.store_calls.call_timeout = 2s;
  options.store_calls.retry_cap = 5s;
  options.logger = std::move(logger);
  return options;
}

void serve(const Config& config, const StopSignals& stop,
           const std::shared_ptr<spdlog::logger>& logger) {
  tiercache::Cache cache(cache_options(config, logger));
  if (!config.store_off_why.empty()) {
    logger->warn("{}: running on memory and files alone", config.store_off_why);
  }
  HttpFront front(cache, config.datasets, config.store_off_why);
  const int port = front.start(config.address, config.port);
  say("listening on " + url_of(config.address, port));
  bool ready = false;
  while (!stop.wait(ready ? 3'600'000ms : 0ms)) {
    if (ready || !(ready = cache.warm_up(200ms))) continue;
    front.set_ready();
    logger->info("ready");
  }
  front.stop();
  say("closed: " + cache.close(10s).to_string());
}

struct Arguments {
  std::string config_file;
  std::string env_file;
  std::string store;
  std::string upstream_from;
  int upstream_port = 0;
};

Config configuration(const Arguments& arguments) {
  if (!arguments.env_file.empty()) add_to_process(read_env_file(arguments.env_file));
  Config config = read_config(arguments.config_file);
  std::optional<StoreChoice> store;
  if (!arguments.store.empty()) {
    store = parse_store(arguments.store);
    if (!store) throw BadConfig(std::string("--store must be ") + kStoreForms);
  }
  apply(parse_environment(process_variables()), store, config);
  return config;
}

int run(const Arguments& arguments, Upstream* upstream, const StopSignals& stop,
        const std::shared_ptr<spdlog::logger>& logger) {
  std::optional<Config> config;
  if (!arguments.config_file.empty()) config = configuration(arguments);
  if (upstream) {
    say("upstream on " + url_of("127.0.0.1", upstream->start(arguments.upstream_port)));
  }
  if (config) {
    serve(*config, stop, logger);
    return EXIT_SUCCESS;
  }
  while (!stop.wait(3'600'000ms)) {
  }
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Keeps documents of slow sources by tiercache and serves them over HTTP.");
  Arguments arguments;
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
  CLI11_PARSE(app, argc, argv);
  if (arguments.config_file.empty() && arguments.upstream_from.empty()) {
    std::cerr << "Nothing to do: give --config, --upstream-from or both.\n" << app.help();
    return kBadConfiguration;
  }

  const StopSignals stop;
  const auto logger = spdlog::stderr_logger_mt("refresh_service");
  try {
    std::optional<Upstream> upstream;
    if (!arguments.upstream_from.empty()) upstream.emplace(arguments.upstream_from);
    return run(arguments, upstream ? &*upstream : nullptr, stop, logger);
  } catch (const BadConfig& error) {
    std::cerr << error.what() << '\n';
    return kBadConfiguration;
  } catch (const std::exception& error) {
    std::cerr << "refresh_service: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
