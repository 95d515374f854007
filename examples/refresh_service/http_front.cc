#include "refresh_service/http_front.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "refresh_service/answers.h"
#include "refresh_service/dataset_options.h"
#include "refresh_service/http_caching.h"
#include "refresh_service/json_views.h"

namespace refresh_service {

using nlohmann::json;
using tiercache::TierAnswer;

namespace {

constexpr std::size_t kLargestBody = std::size_t{64} << 20;
constexpr char kThisMachineAlone[] = "the outbox answers this machine alone";

// Every tier that was asked knows that there is no such document.
bool surely_none(const tiercache::Passage& passage) {
  const std::array answers = {passage.memory, passage.files, passage.store, passage.source};
  return std::all_of(answers.begin(), answers.end(), [](TierAnswer answer) {
    return answer == TierAnswer::not_asked || answer == TierAnswer::miss ||
           answer == TierAnswer::gone || answer == TierAnswer::not_found;
  });
}

void answer_nothing(const tiercache::Snapshot<tiercache::JsonText>& snapshot,
                    httplib::Response& response) {
  const tiercache::Passage passage = snapshot.passage();
  json body = {{"tiers", view(passage)}};  // the reasons name hosts and users, and stay here
  if (snapshot.gone() || snapshot.not_found() || surely_none(passage)) {
    body["error"] = snapshot.gone() ? "the document was erased" : "there is no such document";
    return answer_json(response, 404, body);
  }
  body["error"] = "no tier could serve the document";
  response.set_header("Retry-After", "1");
  answer_json(response, 503, body);
}

std::string key_of(const httplib::Request& request) {
  return request.matches.size() > 2 ? request.matches[2].str() : std::string();
}

bool from_this_machine(const httplib::Request& request) {
  const std::string& address = request.remote_addr;
  return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
}

}  // namespace

HttpFront::HttpFront(tiercache::Cache& cache, const std::vector<DatasetConfig>& datasets,
                     std::string store_off_why)
    : cache_(cache), store_off_why_(std::move(store_off_why)) {
  for (const DatasetConfig& config : datasets) {
    datasets_.emplace(config.name,
                      Served{config, cache.dataset(config.name, dataset_options(config)),
                             cache_control_of(config)});
  }
  add_routes();
}

void HttpFront::add_routes() {
  static constexpr const char* kDocument = "/v1/([^/]+)(?:/([^]*))?";
  httplib::Server& routes = server_.routes();
  routes.set_payload_max_length(kLargestBody);
  routes.set_exception_handler([](const Request&, Response& response, std::exception_ptr thrown) {
    answer_exception(response, std::move(thrown));
  });
  routes.Get(kDocument, [this](const Request& q, Response& r) { get(q, r); });
  routes.Put(kDocument, [this](const Request& q, Response& r) { put(q, r); });
  routes.Delete(kDocument, [this](const Request& q, Response& r) { erase(q, r); });
  routes.Get("/health", [this](const Request& q, Response& r) { tell_health(q, r); });
  routes.Get("/stats",
             [this](const Request&, Response& r) { answer_json(r, 200, view(cache_.stats())); });
  routes.Get("/outbox", [this](const Request& q, Response& r) { list_outbox(q, r); });
  routes.Post("/outbox/retry", [this](const Request& q, Response& r) {
    settle_parked(q, r, [](const auto& outbox, const auto& of) { return outbox.retry_all(of); });
  });
  routes.Post("/outbox/discard", [this](const Request& q, Response& r) {
    settle_parked(q, r, [](const auto& outbox, const auto& of) { return outbox.discard_all(of); });
  });
}

const HttpFront::Served* HttpFront::served(const Request& request, Response& response) const {
  const auto found = datasets_.find(request.matches[1]);
  if (found != datasets_.end()) return &found->second;
  json names = json::array();
  for (const auto& [name, dataset] : datasets_) names.push_back(name);
  answer_json(response, 404, {{"error", "there is no such dataset"}, {"datasets", names}});
  return nullptr;
}

const HttpFront::Served* HttpFront::writable(const Request& request, Response& response) const {
  const Served* dataset = served(request, response);
  if (!dataset) return nullptr;
  if (!dataset->config.writable) {
    response.set_header("Allow", "GET, HEAD");
    answer_error(response, 405, "the dataset is not \"writable\" in the configuration");
    return nullptr;
  }
  if (!from_this_machine(request)) {
    answer_error(response, 403, "documents are taken from this machine alone");
    return nullptr;
  }
  return dataset;
}

void HttpFront::get(const Request& request, Response& response) const {
  const Served* dataset = served(request, response);
  if (!dataset) return;
  const auto snapshot = dataset->documents.get(key_of(request));
  if (!snapshot) return answer_nothing(snapshot, response);
  set_headers(snapshot, dataset->cache_control, response);
  if (client_has_it(request, snapshot)) {
    response.status = 304;
    return;
  }
  response.set_content(*snapshot, "application/json");
}

void HttpFront::put(const Request& request, Response& response) const {
  const Served* dataset = writable(request, response);
  if (!dataset) return;
  answer_json(response, 201, view(dataset->documents.put(key_of(request), request.body)));
}

void HttpFront::erase(const Request& request, Response& response) const {
  const Served* dataset = writable(request, response);
  if (!dataset) return;
  answer_json(response, 200, view(dataset->documents.erase(key_of(request))));
}

// Keys are told, so only to this machine.
void HttpFront::list_outbox(const Request& request, Response& response) const {
  if (!from_this_machine(request)) return answer_error(response, 403, kThisMachineAlone);
  const bool pending = request.get_param_value("state") == "pending";
  const tiercache::OutboxQuery query{
      .state = pending ? tiercache::OutboxState::pending : tiercache::OutboxState::parked,
      .dataset = request.get_param_value("dataset")};
  answer_json(response, 200, view(cache_.outbox().list(query)));
}

void HttpFront::settle_parked(
    const Request& request, Response& response,
    const std::function<tiercache::OutboxCounts(const tiercache::Outbox&, std::string)>& act)
    const {
  if (!from_this_machine(request)) return answer_error(response, 403, kThisMachineAlone);
  answer_json(response, 200, view(act(cache_.outbox(), request.get_param_value("dataset"))));
}

// The reasons name hosts, databases and users, so only to this machine.
void HttpFront::tell_health(const Request& request, Response& response) const {
  json health = view(cache_.health(), ready_, store_off_why_);
  if (!from_this_machine(request)) drop_reasons(health);
  const bool serving = health["status"] == "ok" || health["status"] == "degraded";
  answer_json(response, serving ? 200 : 503, health);
}

}  // namespace refresh_service
