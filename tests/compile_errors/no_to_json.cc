// Compiled by compile_errors.sh, which finds this text in the one error there is:
// expected: this type has no codec. Include "tiercache/json.h" and give it to_json
#include "tiercache/json.h"
#include "tiercache/tiercache.h"

struct Quote {
  double price = 0;
};

void use(tiercache::Cache& cache) {
  cache.dataset<Quote>("quotes").put("", Quote{});
}
