#include "upgrade/state/acts.h"

#include <stdexcept>
#include <utility>
#include <vector>

namespace tiercache::upgrade {
namespace {

using std::chrono::seconds;

constexpr seconds kFlush{30};

void require(bool good, const std::string& what) {
  if (!good) throw std::runtime_error(what);
}

// Each by compare-and-set over the one before.
void count_up(const Dataset<JsonText>& data, const std::string& key, int first, int last) {
  Version at;
  if (first > 1) at = data.get(key, {.reach = Reach::local}).version();
  for (int number = first; number <= last; ++number) {
    at = data.put(key, std::to_string(number), {.if_version = at}).version;
  }
}

void fetch_again(const Dataset<JsonText>& data, const std::string& key) {
  require(data.refresh(key).has_value(), "nothing was fetched for " + key);
}

void write_first(Machine& machine) {
  const auto data = machine.documents();
  require(machine.single().get().has_value(), "the source brought nothing");
  data.put("plain", R"({"name":"plain","km":12.50})");
  data.put(kLongKey, R"("long key")");
  data.put(kOddKey, R"("odd key")");
  data.put("metadata", R"([1,2.50,"three",null,true])",
           {.fresh_for = seconds(90), .metadata = R"({"etag":"\"1\""})"});
  for (const char* key : {"erased", "invalidated", "matching:1", "matching:2", "over", "gone",
                          "group:1", "group:2", "stale"}) {
    data.put(key, "1");
  }
  data.put_many(std::vector<std::pair<std::string, std::string>>{
      {"batch:1", "1"}, {"batch:2", "1"}, {"batch:3", "1"}});
  fetch_again(data, "clocks");
  fetch_again(data, "still");
  count_up(data, "guarded", 1, 2);
  count_up(data, "counted", 1, 1);
}

}  // namespace

void write_closed(const Place& place) {
  Machine machine(place, {});
  const auto data = machine.documents();
  write_first(machine);
  require(machine.cache().flush(kFlush), "the store did not take everything");
  machine.set_age(seconds(1));
  data.invalidate("invalidated");
  data.erase("erased");
  data.erase_matching("matching:*");
  data.put("matching:2", R"("anew")");
  fetch_again(data, "clocks");
  count_up(data, "guarded", 3, 3);
  require(machine.cache().flush(kFlush), "the store did not take everything");
  machine.cache().close();
}

void write_what_waits(Machine& machine) {
  const auto data = machine.documents();
  data.put(kRefusedKey, "1");
  data.put("late", "1");
  require(machine.cache().flush(kFlush), "the store did not settle everything");
  require(machine.cache().health().parked == 1, "nothing was parked");
  machine.gate().close();
  data.put("waits", R"({"waits":true})", {.metadata = R"({"etag":"3"})"});
  data.put("over", "2");
  data.erase("gone");
  data.erase_matching("group:*");
  data.put("group:2", R"("anew")");
  data.invalidate("stale");
  fetch_again(data, "still");
  count_up(data, "counted", 2, 3);
  data.put_many(
      std::vector<std::pair<std::string, std::string>>{{"batch:2", "2"}, {"batch:4", "2"}});
}

void use(Machine& machine) {
  const auto data = machine.documents();
  require(machine.cache().flush(kFlush), "the store did not take what waited");
  data.put("over", "3");
  data.put("used", "1");
  data.put("erased", R"("again")");
  data.erase(kOddKey);
  data.invalidate("plain");
  data.erase_matching("batch:*");
  data.put("batch:5", "3");
  count_up(data, "counted", 4, 4);
  fetch_again(data, "clocks");
  require(machine.cache().outbox().retry_all().done == 1, "nothing was parked");
  require(machine.cache().flush(kFlush), "the store did not take everything");
  require(machine.cache().health().parked == 0, "something was parked");
  const ScrubReport scrub = machine.cache().scrub();
  require(scrub.complete && scrub.differences() == 0, "scrub: " + scrub.to_string());

  machine.gate().close();
  machine.set_age(kUsedAge + seconds(1));
  data.put("used:waits", "1");
  data.put("over", "4");
  data.put("gone", R"("back")");
  data.erase("used");
  data.erase_matching("group:*");
  data.invalidate(kLongKey);
  fetch_again(data, "still");
  count_up(data, "counted", 5, 6);
}

}  // namespace tiercache::upgrade
