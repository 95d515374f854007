// Keyed documents: loaded where they are missing, with a lifetime of their own, and erased by
// pattern.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "common/scratch.h"
#include "tiercache/json.h"
#include "tiercache/tiercache.h"

struct Session {
  std::string user;
  int visits = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Session, user, visits)

namespace {

using tiercache::make_key;

// Parts are escaped, so no user's name can reach into another's keys.
std::string state_key(const std::string& user) {
  return make_key({"session", user, "state"});
}

}  // namespace

int main() {
  const example::Scratch scratch;
  example::Shown shown;
  tiercache::Cache cache({.project = "web-shop", .directory = scratch.path(), .store = nullptr});
  auto sessions = cache.dataset<Session>("sessions", {.keyed = true});

  int loads = 0;
  const auto load = [&loads](tiercache::RefreshContext& context) -> Session {
    ++loads;
    return {tiercache::split_key(context.key()).at(1), 1};
  };
  const auto first = sessions.get_or_load(state_key("ada"), load, tiercache::ttl::kSession);
  shown(first->user == "ada" && first.tier() == tiercache::Tier::source,
        "get_or_load asks its callback where there is nothing");
  const auto second = sessions.get_or_load(state_key("ada"), load, tiercache::ttl::kSession);
  shown(loads == 1 && second.tier() == tiercache::Tier::memory, "and only there");

  const auto receipt = sessions.put(state_key("ada"), {"ada", 2});
  shown(sessions.get(state_key("ada"))->visits == 2, "put replaces");
  bool refused = false;
  try {
    sessions.put(state_key("ada"), {"ada", 3}, {.if_version = second.version()});
  } catch (const tiercache::VersionConflict&) {
    refused = true;
  }
  shown(refused, "if_version refuses a put that did not see the last one");
  sessions.put(state_key("ada"), {"ada", 3}, {.if_version = receipt.version});
  shown(sessions.get(state_key("ada"))->visits == 3, "and lets through one that did");

  sessions.put(make_key({"session", "ada", "basket"}), {"ada", 0});
  sessions.put(state_key("a*"), {"a*", 1});
  sessions.put(state_key("bob"), {"bob", 1});
  shown(sessions.keys().keys.size() == 4, "keys lists what is known here");

  sessions.erase_matching(make_key({"session", "ada"}) + ":*");
  shown(
      !sessions.get(state_key("ada")) && !sessions.contains(make_key({"session", "ada", "basket"})),
      "erase_matching(\"session:ada:*\") erases all of a user's keys");
  sessions.erase_matching(make_key({"session", "a*"}) + ":*");
  shown(!sessions.contains(state_key("a*")) && sessions.contains(state_key("bob")),
        "a '*' inside a part is no pattern");
  return shown.exit_code();
}
