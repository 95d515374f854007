// The code that docs/http-sources.md shows, run. What is quoted stands between blank lines.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "adapters/http/servers.h"
#include "tiercache/http.h"
#include "tiercache/json.h"
#include "tiercache/tiercache.h"

using tiercache::http::testing::Server;
using namespace std::chrono_literals;

struct Activity {
  std::string name;
  double km = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Activity, name, km)

namespace {

constexpr tiercache::GetOptions kPatient{.deadline = 60s};

std::string current_token() {
  return "token";
}

std::filesystem::path make_directory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tiercache-XXXXXX").string();
  return ::mkdtemp(pattern.data());
}

bool was_asked(const Server& server, const std::string& target) {
  const auto requests = server.requests();
  return std::any_of(requests.begin(), requests.end(),
                     [&](const auto& request) { return request.target == target; });
}

TEST(HttpGuide, sources_of_each_kind) {
  const Server server([](const httplib::Request& request, httplib::Response& response) {
    const bool list = request.path == "/v1/activities";
    response.set_content(list ? R"({"data":{"items":[{"name":"run","km":7.5}]}})" : "[1]",
                         "application/json");
  });
  const std::string api = server.origin();
  const std::string api_key = "key";
  const auto directory = make_directory();
  {
    tiercache::Cache cache({.project = "guide", .directory = directory / "cache"});
    // clang-format off

    auto activities = cache.dataset<std::vector<Activity>>("activities", {
        .refresh_every = 6h,
        .stale_for = 48h,
        .refresh = tiercache::http::source({.url = api + "/v1/activities",
                                            .bearer = [] { return current_token(); },
                                            .select = "/data/items"}),
    });

    auto rates = cache.dataset("rates", {
        .keyed = true,
        .refresh = tiercache::http::source({.url = api + "/v1/rates/{key}?base=EUR"}),
    });
    std::cout << *rates.get("US/D") << '\n';  // asks for /v1/rates/US%2FD?base=EUR

    const auto source = tiercache::http::source({
        .url = api + "/v1/quota",
        .headers = {{"X-Api-Key", api_key}},
    });

    // clang-format on
    // The activities' first turn comes by itself, so the order of requests is open.
    EXPECT_TRUE(was_asked(server, "/v1/rates/US%2FD?base=EUR"));
    EXPECT_EQ(activities.get("", kPatient)->front().km, 7.5);
    EXPECT_EQ(*cache.dataset("quota", {.refresh = source}).get("", kPatient), "[1]");
    EXPECT_EQ(server.last().get_header_value("X-Api-Key"), "key");
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
