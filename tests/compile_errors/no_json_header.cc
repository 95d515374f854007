// Compiled by compile_errors.sh, which finds this text in the one error there is:
// expected: this type has no codec. Include "tiercache/json.h"
#include "tiercache/tiercache.h"

struct Quote {
  double price = 0;
};

void use(tiercache::Cache& cache) {
  auto quotes = cache.dataset<Quote>(
      "quotes", {.keyed = true, .refresh = [](tiercache::RefreshContext&) { return Quote{}; }});
  quotes.put("ACME", Quote{});
}
