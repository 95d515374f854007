// Compiled by compile_errors.sh, which finds this text in the one error there is:
// expected: an untyped dataset takes JSON text, as nlohmann::json::dump() gives it
#include <nlohmann/json.hpp>

#include "tiercache/tiercache.h"

void use(tiercache::Dataset<tiercache::JsonText>& rates) {
  rates.put("", nlohmann::json{{"EUR", 1.0833}});
}
