// Compiled by compile_errors.sh: what must go on compiling beside what must not.
// expected:
#include <nlohmann/json.hpp>

#include "tiercache/json.h"
#include "tiercache/tiercache.h"

using tiercache::RefreshContext;

struct Quote {
  double price = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Quote, price)

void untyped(tiercache::Cache& cache) {
  auto rates = cache.dataset("rates", {.refresh = [](RefreshContext&) { return "1"; }});
  cache.dataset("a", {.refresh = [](RefreshContext&) { return std::string("1"); }});
  cache.dataset("b", {.refresh = [](RefreshContext&) { return nlohmann::json(1).dump(); }});
  rates.put("", "1");
  rates.put("", std::string("1"));
  rates.put("", nlohmann::json{{"EUR", 1.0833}}.dump(), {.metadata = "{}"});
  char text[3] = "12";
  rates.put("", text);
  rates.put_async("", "1", {}, [](tiercache::PutReceipt, std::exception_ptr) {});
  rates.get_or_load(
      "", tiercache::owning([](RefreshContext&, const std::string& t) { return t; }, text));
}

void typed(tiercache::Cache& cache) {
  auto quotes = cache.dataset<Quote>("q", {.refresh = [](RefreshContext&) { return Quote{}; }});
  quotes.put("", {.price = 1});
  quotes.put(Quote{});
  auto any = cache.dataset<nlohmann::json>(
      "j", {.refresh = [](RefreshContext&) { return nlohmann::json(1); }});
  any.put("", nlohmann::json(1));
  any.put(nlohmann::json::object());
  cache.dataset<std::vector<std::string>>("v").put({"a", "b"});
  cache.dataset<std::string>("s", {.refresh = [](RefreshContext&) { return std::string("1"); }})
      .put("", "x");
  cache.dataset<int>("i").put(3);
}
