// Compiled by compile_errors.sh, which finds this text in the one error there is:
// expected: tiercache::owning: the function captures something
#include "tiercache/tiercache.h"

void use(tiercache::Dataset<tiercache::JsonText>& sessions) {
  const std::string user = "42";
  sessions.get_or_load("42", tiercache::owning([&](tiercache::RefreshContext&) { return user; }));
}
