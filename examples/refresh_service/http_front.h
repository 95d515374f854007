// The service's HTTP side: which request gets which answer. How an answer looks is in answers.h,
// http_caching.h and json_views.h.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>

#include "refresh_service/config.h"
#include "refresh_service/local_server.h"
#include "tiercache/tiercache.h"

namespace refresh_service {

// | request                      | answer                                                        |
// |------------------------------|---------------------------------------------------------------|
// | GET /v1/<dataset>[/<key>]    | 200 the document; 304 where If-None-Match names it;           |
// |                              | 404 it was erased or there is none; 503 no tier could tell    |
// | PUT /v1/<dataset>[/<key>]    | 201 and the receipt, once it survives power loss;             |
// |                              | 405 not writable; 403 not from this machine; 422 unacceptable |
// | DELETE /v1/<dataset>[/<key>] | 200 and the receipt; else as PUT                              |
// | GET /health                  | 200, or 503 while starting or when writes cannot be kept;     |
// |                              | why a tier does not work only to this machine                 |
// | GET /stats                   | 200                                                           |
// | GET /outbox                  | 200 what the store refused, or (?state=pending) has yet to    |
// |                              | take; 403 not from this machine                               |
// | POST /outbox/retry, discard  | 200 and how many of each outcome; 403 as above                |
//
// Documents come with ETag, Age, Cache-Control, X-Tiercache-Tier, X-Tiercache-Freshness and
// X-Tiercache-Version. Errors are JSON and say what each tier answered, but quote no disk, server
// or source. Thread-safe.
class HttpFront {
 public:
  // Opens the datasets. `cache` must outlive it.
  // `store_off_why` is told by /health: why a store that was asked for is not used.
  HttpFront(tiercache::Cache& cache, const std::vector<DatasetConfig>& datasets,
            std::string store_off_why = {});

  int start(const std::string& address, int port) { return server_.start(address, port); }
  void stop() { server_.stop(); }
  // The cache has warmed up; until then /health says "starting".
  void set_ready() { ready_ = true; }

 private:
  struct Served {
    DatasetConfig config;
    tiercache::Dataset<tiercache::JsonText> documents;
    std::string cache_control;
  };
  using Request = httplib::Request;
  using Response = httplib::Response;

  void add_routes();
  // Null, with the answer given, when there is no such dataset.
  const Served* served(const Request& request, Response& response) const;
  // The same for a dataset that this request may write to.
  const Served* writable(const Request& request, Response& response) const;
  void get(const Request& request, Response& response) const;
  void put(const Request& request, Response& response) const;
  void erase(const Request& request, Response& response) const;
  void tell_health(const Request& request, Response& response) const;
  void list_outbox(const Request& request, Response& response) const;
  // `act` is `retry_all` or `discard_all`.
  void settle_parked(const Request& request, Response& response,
                     const std::function<tiercache::OutboxCounts(const tiercache::Outbox&,
                                                                 std::string)>& act) const;

  tiercache::Cache& cache_;
  const std::string store_off_why_;
  std::map<std::string, Served> datasets_;
  std::atomic<bool> ready_{false};
  LocalServer server_;  // last: its threads use the rest
};

}  // namespace refresh_service
