#include "refresh_service/service.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <iostream>
#include <utility>

#include "refresh_service/http_front.h"
#include "refresh_service/local_server.h"
#include "refresh_service/stores.h"
#include "tiercache/tiercache.h"

namespace refresh_service {

using namespace std::chrono_literals;

namespace {

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

// Returns once a signal came. Until the cache has warmed up, it looks for both in turns.
void serve_until_stopped(tiercache::Cache& cache, HttpFront& front, const StopSignals& stop,
                         spdlog::logger& logger) {
  bool ready = false;
  while (!stop.wait(ready ? 3'600'000ms : 0ms)) {
    if (ready || !(ready = cache.warm_up(200ms))) continue;
    front.set_ready();
    logger.info("ready");
  }
}

}  // namespace

void say(const std::string& line) {
  std::cout << line << std::endl;
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
  serve_until_stopped(cache, front, stop, *logger);
  front.stop();
  say("closed: " + cache.close(10s).to_string());
}

}  // namespace refresh_service
