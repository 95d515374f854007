#include "tour/world.h"

#include <httplib.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "refresh_service/percent_encoding.h"

namespace tour {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

httplib::Client client_for(const std::string& url) {
  httplib::Client client(url);
  client.set_url_encode(false);
  client.set_read_timeout(std::chrono::seconds(30));
  return client;
}

json get_json(const std::string& url, const std::string& path) {
  auto client = client_for(url);
  const auto response = client.Get(path);
  if (!response) throw std::runtime_error("GET " + url + path + " was not answered");
  return json::parse(response->body);
}

std::string path_of(const std::string& dataset, const std::string& key) {
  const std::string path = "/v1/" + dataset;
  return key.empty() ? path : path + '/' + refresh_service::percent_encoded(key);
}

// Of what the service answers where no tier could serve.
bool has_timed_out(const std::string& body) {
  const json answer = json::parse(body, nullptr, false);
  if (!answer.is_object()) return false;
  const json tiers = answer.value("tiers", json::object());
  return std::any_of(tiers.begin(), tiers.end(),
                     [](const json& said) { return said == "timed out"; });
}

}  // namespace

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<Document> read_documents(const fs::path& folder, std::size_t at_most) {
  std::vector<Document> documents;
  for (const auto& item : fs::directory_iterator(folder)) {
    if (!item.is_regular_file() || item.path().extension() != ".json") continue;
    std::string text = read_file(item.path());
    if (json::accept(text)) documents.push_back({item.path().stem().string(), std::move(text)});
  }
  std::sort(documents.begin(), documents.end(),
            [](const Document& a, const Document& b) { return a.key < b.key; });
  if (documents.size() > at_most) documents.resize(at_most);
  if (documents.empty()) throw std::runtime_error("no JSON documents in " + folder.string());
  return documents;
}

World::World(const Setup& setup)
    : setup_(setup), documents_(read_documents(setup.documents, setup.at_most)) {
  fs::create_directories(setup_.work / "store");
  if (setup_.postgres.empty()) return;
  // By the environment, which the service inherits: the URL holds a password.
  ::setenv("DATABASE_URL", setup_.postgres.c_str(), 1);
  ::setenv("SUPABASE_ENABLED", "true", 1);
}

// --- Processes ---

void World::write_config() const {
  const std::string upstream = "http://127.0.0.1:" + std::to_string(upstream_port_) + "/";
  const json checks = {{"not_empty", true}};
  // A project of its own: another tour may have left documents in the same database.
  const std::string project =
      "tour-" + std::to_string(fs::hash_value(setup_.work)) + '-' + std::to_string(upstream_port_);
  json config = {
      {"listen", {{"port", 0}}},
      {"directory", cache().string()},
      {"project", project},
      {"datasets",
       {{{"name", "documents"},
         {"source", {{"http", upstream + "{key}.json"}}},
         {"keyed", true},
         {"every", "1h"},
         {"stale_for", "24h"},
         {"checks", checks}},
        {{"name", "archive"},
         {"source", {{"http", upstream + "{key}.json"}}},
         {"keyed", true},
         {"fresh_for", "1h"},
         {"hydrate", 0}},
        {{"name", "headline"},
         {"source",
          {{"http", upstream + refresh_service::percent_encoded(documents_.front().key) +
                        ".json?headline"}}},
         {"every", "500ms"},
         {"fresh_for", "1s"},
         {"stale_for", "1h"}},
        {{"name", "notes"}, {"keyed", true}, {"writable", true}, {"fresh_for", "24h"}}}}};
  if (setup_.postgres.empty()) {
    config["store"] = "sqlite:" + (setup_.work / "store" / "store.db").string();
  }
  std::ofstream(setup_.work / "config.json") << config.dump(2) << '\n';
}

void World::start_upstream() {
  upstream_ = std::make_unique<Child>(
      std::vector<std::string>{setup_.service, "--upstream-from", setup_.documents.string(),
                               "--upstream-port", std::to_string(upstream_port_)},
      setup_.work / "upstream.log");
  const std::string url = upstream_->wait_for_line("upstream on ");
  upstream_port_ = std::stoi(url.substr(url.rfind(':') + 1));
  write_config();
}

void World::start_service() {
  service_ = std::make_unique<Child>(
      std::vector<std::string>{setup_.service, "--config", (setup_.work / "config.json").string()},
      setup_.work / "service.log");
  service_url_ = service_->wait_for_line("listening on ");
  if (!eventually([this] { return health()["status"] != "starting"; })) {
    throw std::runtime_error("the service did not become ready");
  }
}

std::string World::stop_service() {
  const int code = service_->terminate();
  if (code != 0) throw std::runtime_error("the service ended with " + std::to_string(code));
  std::string receipt = service_->wait_for_line("closed: ");
  service_.reset();
  return receipt;
}

void World::kill_service() {
  service_->kill();
  service_.reset();
}

// --- Requests ---

int World::upstream_calls() const {
  const json calls =
      get_json("http://127.0.0.1:" + std::to_string(upstream_port_), "/_calls")["by_target"];
  int count = 0;
  for (const auto& [target, times] : calls.items()) {
    if (!target.ends_with("?headline")) count += times.get<int>();
  }
  return count;
}

Answer World::get(const std::string& dataset, const std::string& key) const {
  // With the upstream or the store away, readers are promised an answer in time all the same.
  if (!upstream_ || store_is_away_) return ask(dataset, key);
  return until_in_time([&] { return ask(dataset, key); });
}

Answer World::ask(const std::string& dataset, const std::string& key) const {
  auto client = client_for(service_url_);
  const auto response = client.Get(path_of(dataset, key));
  if (!response) return {};
  const std::string age = response->get_header_value("Age");
  return {.status = response->status,
          .tier = response->get_header_value("X-Tiercache-Tier"),
          .freshness = response->get_header_value("X-Tiercache-Freshness"),
          .age = age.empty() ? 0 : std::stol(age),
          .body = response->body,
          .timed_out = response->status == 503 && has_timed_out(response->body)};
}

bool World::put(const std::string& dataset, const std::string& key, const std::string& text) const {
  auto client = client_for(service_url_);
  const auto response = client.Put(path_of(dataset, key), text, "application/json");
  return response && response->status == 201;
}

long World::stat(const std::string& pointer) const {
  return get_json(service_url_, "/stats").at(json::json_pointer(pointer)).get<long>();
}

json World::health() const {
  return get_json(service_url_, "/health");
}

// --- Disks ---

void World::take_store_away() {
  store_is_away_ = true;
  if (!setup_.postgres.empty()) return control_store("stop");
  fs::rename(setup_.work / "store", setup_.work / "store-away");
}

void World::bring_store_back() {
  if (!setup_.postgres.empty()) {
    control_store("start");
  } else {
    fs::rename(setup_.work / "store-away", setup_.work / "store");
  }
  store_is_away_ = false;
}

void World::control_store(const std::string& command) const {
  Child control({setup_.postgres_control, command}, setup_.work / "server.log");
  if (const int code = control.wait(); code != 0) {
    throw std::runtime_error("the store's server did not " + command);
  }
}

bool World::is_same(const std::string& body, const std::string& text) const {
  if (setup_.postgres.empty() || body == text) return body == text;
  return json::accept(body) && json::parse(body) == json::parse(text);
}

void World::wipe_cache_directory() {
  fs::remove_all(cache());
}

fs::path World::entry_file(const std::string& dataset, const std::string& key) const {
  for (const auto& item : fs::recursive_directory_iterator(cache() / "data" / dataset)) {
    if (item.path().extension() != ".json") continue;
    const json entry = json::parse(read_file(item.path()), nullptr, false);
    if (entry.is_object() && entry.value("key", "") == key) return item.path();
  }
  throw std::runtime_error("there is no file of " + dataset + "/" + key);
}

std::vector<std::string> World::quarantined() const {
  std::vector<std::string> contents;
  if (!fs::exists(cache() / "quarantine")) return contents;
  for (const auto& item : fs::recursive_directory_iterator(cache() / "quarantine")) {
    if (item.is_regular_file()) contents.push_back(read_file(item.path()));
  }
  return contents;
}

}  // namespace tour
