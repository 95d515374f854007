// A real server behind a network that misbehaves (tiercache/testing/faulty_proxy.h).
#include <cstdint>

#include "adapters/postgres/server.h"
#include "tiercache/testing/faulty_proxy.h"

namespace tiercache::postgres {
namespace {

using std::chrono::milliseconds;
using testing::FaultyProxy;
using testing::Network;

class PostgresBehindProxy : public ::testing::Test {
 protected:
  PostgresBehindProxy() : proxy_("127.0.0.1", port_of(database_.url())) {
    store_ = open({.url = with_port(database_.url(), proxy_.port()),
                   .connections = 2,
                   .apply_migrations = true});
  }

  // The network works again: so does the store, with connections of now.
  void expect_recovery() {
    proxy_.set(Network::works);
    proxy_.reset_after_answers(0);
    proxy_.reset_after_requests(0);
    const SteadyTime deadline = patience();
    SaveReply reply;
    do {
      reply = save(*store_, write("recovered", ++number_), in(milliseconds(5'000)));
    } while (reply.status != StoreStatus::ok && system_clock()->steady_now() < deadline);
    EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
    EXPECT_EQ(loaded_version(*store_, "recovered"), version(number_));
  }

  ScratchDatabase database_;
  FaultyProxy proxy_;
  std::shared_ptr<Store> store_;
  std::uint64_t number_ = 0;
};

TEST_F(PostgresBehindProxy, packets_dropped_before_connecting_end_at_the_deadline_I7) {
  proxy_.set(Network::swallows);
  const LoadReply reply = load(*store_, "k", in(kShort));
  EXPECT_EQ(reply.status, StoreStatus::unavailable);
  EXPECT_NE(reply.message, "");
  EXPECT_EQ(save(*store_, write("k", 1), in(kShort)).status, StoreStatus::unavailable);
  expect_recovery();
}

TEST_F(PostgresBehindProxy, packets_dropped_on_a_standing_connection_end_at_the_deadline_I7) {
  expect_recovery();
  proxy_.set(Network::swallows);
  EXPECT_EQ(load(*store_, "k", in(kShort)).status, StoreStatus::unavailable);
  EXPECT_NE(save(*store_, write("k", 1), in(kShort)).status, StoreStatus::ok);
  expect_recovery();
}

TEST_F(PostgresBehindProxy,
       save_whose_answer_is_lost_is_unknown_and_already_saved_when_repeated_I1) {
  expect_recovery();
  proxy_.set(Network::swallows_answers);
  EXPECT_EQ(save(*store_, write("k", 7), in(kShort)).status, StoreStatus::unknown);
  expect_recovery();
  const SaveReply again = save(*store_, write("k", 7));
  ASSERT_EQ(again.status, StoreStatus::ok) << again.message;
  EXPECT_NE(again.results.front().outcome, SaveOutcome::superseded);
  EXPECT_EQ(loaded_version(*store_, "k"), version(7));
}

TEST_F(PostgresBehindProxy, refused_connections_are_told_at_once_and_survived) {
  expect_recovery();
  proxy_.set(Network::refuses);
  EXPECT_EQ(load(*store_, "k").status, StoreStatus::unavailable);
  EXPECT_NE(save(*store_, write("k", 1)).status, StoreStatus::ok);
  expect_recovery();
}

// Through every part of the exchange: while it connects, in the middle of the statement, of its
// answer.
TEST_F(PostgresBehindProxy, reset_after_any_byte_loses_nothing_that_was_told_saved_I1_I3) {
  expect_recovery();
  std::uint64_t told = 0;
  const auto attempt = [&](std::uint64_t number) {
    const SaveReply reply = save(*store_, write("k", number), in(milliseconds(5'000)));
    if (reply.status == StoreStatus::ok) told = number;
    if (reply.status == StoreStatus::unavailable) {
      EXPECT_FALSE(reply.message.empty());
    }
  };
  std::uint64_t number = 0;
  for (std::uint64_t bytes = 1; bytes < 1'200; bytes += 61) {
    SCOPED_TRACE(bytes);
    proxy_.reset_after_answers(bytes);
    attempt(++number);
    proxy_.reset_after_answers(0);
    proxy_.reset_after_requests(bytes);
    attempt(++number);
    expect_recovery();
    const Version there = loaded_version(*store_, "k");
    EXPECT_GE(there, told == 0 ? Version{} : version(told));
    EXPECT_LE(there, version(number));
  }
  EXPECT_GT(told, 0u) << "some of the resets come after the answer";
}

}  // namespace
}  // namespace tiercache::postgres
