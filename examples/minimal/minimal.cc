// The first example of the README: a typed dataset that is rebuilt from its source every six hours.
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/scratch.h"
#include "tiercache/json.h"
#include "tiercache/sqlite.h"
#include "tiercache/tiercache.h"

using namespace std::chrono_literals;

struct Activity {
  std::string name;
  double km = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Activity, name, km)

namespace {

int calls = 0;
example::Shown shown;

// Stands for the request to the slow, rate-limited API.
std::vector<Activity> fetch_activities(const tiercache::RefreshContext&) {
  ++calls;
  return {{"Morning run", 10.2}, {"Ride to work", 7.5}};
}

void use(const std::vector<Activity>& activities, tiercache::Tier tier,
         std::chrono::milliseconds age, tiercache::Freshness freshness) {
  std::cout << activities.size() << " activities from " << to_string(tier) << ", " << age.count()
            << " ms old, " << to_string(freshness) << '\n';
}

void run(const std::string& directory) {
  // clang-format off
  tiercache::Cache cache({.project = "fundraising-app",
                          .directory = directory + "/cache",
                          .memory = {.max_bytes = 64 << 20, .ttl = 5min},
                          .store = tiercache::sqlite::open(directory + "/store.db")});
  auto activities = cache.dataset<std::vector<Activity>>("strava", {
      .refresh_every = 6h, .stale_for = 48h,
      .refresh  = [](tiercache::RefreshContext& context) { return fetch_activities(context); },
      .validate = [](const auto& list) { return !list.empty(); }});
  auto snapshot = activities.get();  // a decoded, immutable value shared with the memory tier
  use(*snapshot, snapshot.tier(), snapshot.age(), snapshot.freshness());
  // clang-format on

  shown(snapshot->size() == 2 && snapshot->front().name == "Morning run",
        "the value is decoded: a std::vector<Activity>");
  shown(&*activities.get() == &*snapshot,
        "the next reader shares the very same value, from memory");
}

}  // namespace

int main() {
  const example::Scratch scratch;
  run(scratch.path().string());
  run(scratch.path().string());
  shown(calls == 1, "the source was asked once, although the program began anew in between");
  return shown.exit_code();
}
