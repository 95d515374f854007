#include "base/guarded_call.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace tiercache {
namespace {

struct Reply {
  StoreStatus status = StoreStatus::ok;
  std::string message = {};
};

TEST(GuardedCall, reply_is_handed_through) {
  const Reply reply = guarded([] { return Reply{StoreStatus::ok, "fine"}; });
  EXPECT_EQ(reply.status, StoreStatus::ok);
  EXPECT_EQ(reply.message, "fine");
}

TEST(GuardedCall, store_that_throws_has_failed_and_what_it_did_is_not_known) {
  const Reply reply = guarded([]() -> Reply { throw std::runtime_error("broken pipe"); });
  EXPECT_EQ(reply.status, StoreStatus::unknown);
  EXPECT_EQ(reply.message, "broken pipe");
}

TEST(GuardedCall, whatever_a_store_throws_goes_no_further) {
  const Reply reply = guarded([]() -> Reply { throw 7; });
  EXPECT_EQ(reply.status, StoreStatus::unknown);
  EXPECT_EQ(reply.message, "the store threw something that is no std::exception");
}

}  // namespace
}  // namespace tiercache
