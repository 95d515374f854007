// The service's configuration: what it takes, and that every fault is named with what would be
// right.
#include "refresh_service/config.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "refresh_service/units.h"

namespace refresh_service {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

json good() {
  return json::parse(R"({
    "directory": "cache", "project": "p",
    "datasets": [{"name": "rates", "source": {"http": "http://127.0.0.1:9000/rates.json"}}]})");
}

std::string faults_of(const std::string& text) {
  try {
    parse_config(text);
  } catch (const BadConfig& error) {
    return error.what();
  }
  return "(accepted)";
}

// The good configuration with one value put at a place.
std::string faults_with(const std::string& place, const json& value) {
  json config = good();
  config[json::json_pointer(place)] = value;
  return faults_of(config.dump());
}

TEST(ServiceConfig, defaults_are_those_of_the_table) {
  const Config config = parse_config(good().dump());
  EXPECT_EQ(config.address, "127.0.0.1");
  EXPECT_EQ(config.port, 8080);
  EXPECT_EQ(config.memory.max_bytes, 64u << 20);
  EXPECT_EQ(config.memory.ttl, 5min);
  EXPECT_EQ(config.store.kind, StoreChoice::Kind::none);
  ASSERT_EQ(config.datasets.size(), 1u);
  const DatasetConfig& rates = config.datasets.front();
  EXPECT_EQ(std::get<HttpSource>(rates.source).url, "http://127.0.0.1:9000/rates.json");
  EXPECT_FALSE(rates.keyed || rates.writable);
  EXPECT_EQ(rates.every, 0ms);
  EXPECT_EQ(rates.fresh_for, std::nullopt);
  EXPECT_EQ(rates.hydrate.most_recent, 10'000u);
}

TEST(ServiceConfig, every_field_is_read) {
  const Config config = parse_config(R"({
    "listen": {"address": "::1", "port": 0}, "directory": "/d", "project": "p-1",
    "memory": {"max_bytes": "2MiB", "ttl": "0"}, "store": "sqlite:/s/store.db",
    "datasets": [
      {"name": "a", "keyed": true, "source": {"http": "https://h.example/x/{key}?y={key}",
        "select": "/data", "bearer_env": "API_TOKEN", "ca_file": "ca.pem"},
       "every": "6h", "stale_for": "2d", "fresh_for": "250ms", "hydrate": "all",
       "checks": {"not_empty": true, "required": ["x", "y"], "min_items": 3}},
      {"name": "b", "writable": true, "hydrate": 0}]})");
  EXPECT_EQ(config.address, "::1");
  EXPECT_EQ(config.port, 0);
  EXPECT_EQ(config.memory.max_bytes, 2u << 20);
  EXPECT_EQ(config.memory.ttl, 0ms);
  EXPECT_EQ(config.store.kind, StoreChoice::Kind::sqlite);
  EXPECT_EQ(config.store.place, "/s/store.db");
  const DatasetConfig& a = config.datasets.at(0);
  const auto& http = std::get<HttpSource>(a.source);
  EXPECT_EQ(http.url, "https://h.example/x/{key}?y={key}");
  EXPECT_EQ(http.select, "/data");
  EXPECT_EQ(http.bearer_env, "API_TOKEN");
  EXPECT_EQ(http.ca_file, "ca.pem");
  EXPECT_EQ(a.every, 6h);
  EXPECT_EQ(a.stale_for, 48h);
  EXPECT_EQ(a.fresh_for, 250ms);
  EXPECT_EQ(a.hydrate.most_recent, SIZE_MAX);
  EXPECT_TRUE(a.checks.not_empty);
  EXPECT_EQ(a.checks.required, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(a.checks.min_items, 3u);
  const DatasetConfig& b = config.datasets.at(1);
  EXPECT_TRUE(b.writable);
  EXPECT_EQ(b.hydrate.most_recent, 0u);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(b.source));
}

struct Fault {
  std::string place;  // JSON pointer
  json value;
  std::string line;  // part of the message
};

const std::vector<Fault>& faults() {
  static const std::vector<Fault> list = {
      Fault{"/listen", 7, "listen = 7: must be an object"},
      Fault{"/listen", {{"port", 65536}}, "listen.port = 65536: must be a whole number from 0"},
      Fault{"/listen", {{"port", -1}}, "listen.port = -1"},
      Fault{"/listen", {{"port", "80"}}, "listen.port = \"80\""},
      Fault{"/listen", {{"port", 80.5}}, "listen.port = 80.5"},
      Fault{"/listen", {{"address", ""}}, "listen.address = \"\": must be an IP address"},
      Fault{"/listen", {{"prot", 1}}, "listen.prot = 1: must be left out: known are address"},
      Fault{"/directory", "", "directory = \"\": must be the path of a local directory"},
      Fault{"/project", "a b", "project = \"a b\": must be 1 to 100 of"},
      Fault{"/memory", {{"max_bytes", "64 MB"}}, "memory.max_bytes = \"64 MB\": must be a size"},
      Fault{"/memory", {{"max_bytes", "1023KiB"}}, "from \"1MiB\" to \"1024GiB\""},
      Fault{"/memory", {{"max_bytes", 1}}, "memory.max_bytes = 1"},
      Fault{"/memory", {{"ttl", "5"}}, "memory.ttl = \"5\": must be a duration from \"0\""},
      Fault{"/store", "postgres:x", "store = \"postgres:x\": must be \"sqlite:PATH\" or"},
      Fault{"/store", "sqlite:", "store = \"sqlite:\""},
      Fault{"/store", "sqlite:/folder/", "store = \"sqlite:/folder/\""},
      Fault{"/store", nullptr, "store = null"},
      Fault{"/datasets", json::array(), "datasets = []: must be a list of at least one"},
      Fault{"/datasets/0", 5, "datasets[0] = 5: must be an object"},
      Fault{"/datasets/0/name", "../x", "datasets[0].name = \"../x\""},
      Fault{"/datasets/0/name", ".hidden", "not beginning with '.'"},
      Fault{"/datasets/0/name", std::string(101, 'x'), "datasets[0].name = \"xxx"},
      Fault{"/datasets/0/keyed", "yes", "datasets[0].keyed = \"yes\": must be true or false"},
      Fault{"/datasets/0/every", "6 h", "datasets[0].every = \"6 h\": must be a duration"},
      Fault{"/datasets/0/every", "-1s", "datasets[0].every = \"-1s\""},
      Fault{"/datasets/0/every", "366d", "to \"365d\""},
      Fault{"/datasets/0/every", 30, "datasets[0].every = 30"},
      Fault{"/datasets/0/stale_for", "soon", "datasets[0].stale_for = \"soon\""},
      Fault{"/datasets/0/fresh_for", "", "datasets[0].fresh_for = \"\""},
      Fault{"/datasets/0/hydrate", -1, "datasets[0].hydrate = -1: must be \"all\" or a whole"},
      Fault{"/datasets/0/ttl", "5m", "datasets[0].ttl = \"5m\": must be left out: known are"},
      Fault{"/datasets/0/source", "x", "datasets[0].source = \"x\": must be an object"},
      Fault{"/datasets/0/source", json::object(), "must be {\"folder\": path} or"},
      Fault{"/datasets/0/source", {{"folder", "/"}, {"http", "http://localhost/"}}, "one of them"},
      Fault{"/datasets/0/source", {{"folder", "/nowhere"}}, "datasets[0].source.folder ="},
      Fault{"/datasets/0/source",
            {{"http", "ftp://127.0.0.1/"}},
            "datasets[0].source: http.url: \"ftp://127.0.0.1/\": an https:// URL"},
      Fault{"/datasets/0/source", {{"http", "http://example.org/"}}, "use https"},
      Fault{"/datasets/0/source", {{"http", "http://127.0.0.1.evil.org/"}}, "use https"},
      Fault{"/datasets/0/source", {{"http", "https://h.org/"}, {"select", "x"}}, "http.select"},
      Fault{
          "/datasets/0/source", {{"http", "https://h.org/"}, {"bearer_env", 1}}, "bearer_env = 1"},
      Fault{"/store", "postgres://u:p@h/d", "must be \"sqlite:PATH\" or \"none\""},
      Fault{"/datasets/0/source", {{"http", "http://localhost/{key}"}}, "without {key}, since"},
      Fault{"/datasets/0/keyed", true, "with {key} in it"},
      Fault{"/datasets/0/checks", {{"required", "x"}}, "checks.required = \"x\": must be a list"},
      Fault{"/datasets/0/checks", {{"required", {1}}}, "checks.required = [1]"},
      Fault{"/datasets/0/checks", {{"min_items", -1}}, "checks.min_items = -1"},
      Fault{"/datasets/0/checks", {{"max_items", 1}}, "checks.max_items = 1: must be left out"}};
  return list;
}

TEST(ServiceConfig, each_fault_names_field_value_and_what_is_allowed) {
  for (const Fault& fault : faults()) {
    EXPECT_THAT(faults_with(fault.place, fault.value), HasSubstr(fault.line)) << fault.place;
  }
}

TEST(ServiceConfig, what_is_missing_is_named) {
  const std::string faults = faults_of("{}");
  EXPECT_THAT(faults, HasSubstr("directory is missing: must be the path"));
  EXPECT_THAT(faults, HasSubstr("project is missing"));
  EXPECT_THAT(faults, HasSubstr("datasets is missing"));
  EXPECT_THAT(faults_of(R"({"datasets":[{}]})"), HasSubstr("datasets[0].source is missing"));
}

TEST(ServiceConfig, all_faults_are_named_at_once) {
  json config = good();
  config["listen"] = {{"port", 70000}};
  config["stor"] = "none";
  config["datasets"][0]["every"] = "often";
  config["datasets"].push_back({{"name", "rates"}, {"writable", true}, {"every", "1h"}});
  const std::string faults = faults_of(config.dump());
  EXPECT_THAT(faults, HasSubstr("listen.port = 70000"));
  EXPECT_THAT(faults, HasSubstr("stor = \"none\""));
  EXPECT_THAT(faults, HasSubstr("datasets[0].every = \"often\""));
  EXPECT_THAT(faults, HasSubstr("datasets[1].every = \"1h\": must be \"0\" where there is no"));
  EXPECT_THAT(faults, HasSubstr("datasets[1].name = \"rates\": must be a name that no other"));
  EXPECT_EQ(std::count(faults.begin(), faults.end(), '\n'), 5) << faults;
}

TEST(ServiceConfig, text_that_is_no_json_object_is_refused) {
  for (const char* text : {"", "{", "[]", "null", "{\"a\":1,}", "\xff"}) {
    EXPECT_THAT(faults_of(text), HasSubstr("configuration")) << text;
    EXPECT_THAT(faults_of(text), Not(HasSubstr("(accepted)"))) << text;
  }
  EXPECT_THAT(faults_of(R"({"project":"a","project":"b"})"),
              HasSubstr("member = \"project\": must be given once in its object"));
}

TEST(ServiceConfig, long_values_are_shown_shortened) {
  const std::string faults = faults_with("/project", std::string(5'000, 'x'));
  EXPECT_LT(faults.size(), 500u);
}

TEST(ServiceConfig, file_that_cannot_be_read_is_named) {
  EXPECT_THROW(
      {
        try {
          read_config("/nowhere/config.json");
        } catch (const BadConfig& error) {
          EXPECT_THAT(error.what(), HasSubstr("/nowhere/config.json cannot be read"));
          throw;
        }
      },
      BadConfig);
}

TEST(Durations, take_a_whole_number_and_a_unit) {
  EXPECT_EQ(parse_duration("0"), 0ms);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("30s"), 30s);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("6h"), 6h);
  EXPECT_EQ(parse_duration("365d"), 365 * 24h);
  for (const char* bad : {"", "s", "5", "5 s", "1.5h", "-1s", "+1s", "1S", "1h30m", "366d",
                          "18446744073709551616ms", "9223372036854775807d", "1e3s"}) {
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
  }
}

TEST(Sizes, take_a_whole_number_and_a_unit) {
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("64KiB"), 65'536u);
  EXPECT_EQ(parse_size("2GiB"), 2ull << 30);
  for (const char* bad : {"", "MiB", "64MB", "64 MiB", "-1", "18446744073709551615GiB"}) {
    EXPECT_EQ(parse_size(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace refresh_service
