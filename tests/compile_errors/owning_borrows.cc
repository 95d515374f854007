// Compiled by compile_errors.sh, which finds this text in the one error there is:
// expected: tiercache::owning: a pointer, reference or view may outlive what it refers to
#include "tiercache/tiercache.h"

void use(tiercache::Dataset<tiercache::JsonText>& sessions) {
  const std::string user = "42";
  const auto load = [](tiercache::RefreshContext&, const std::string& who) { return who; };
  sessions.get_or_load("42", tiercache::owning(load, std::ref(user)));
}
