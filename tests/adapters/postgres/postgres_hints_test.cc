// NOTIFY as a hint: other machines' writes are there at once where it comes through, and nothing is
// lost where it does not. Polls are so rare here that none comes to the rescue.
#include <future>
#include <memory>
#include <mutex>

#include "adapters/postgres/machine.h"
#include "tiercache/testing/faulty_proxy.h"

namespace tiercache::postgres {
namespace {

using std::chrono::milliseconds;
using testing::FaultyProxy;
using testing::Network;

void rarely_polled(CacheOptions& options) {
  options.store_calls.poll_every = std::chrono::minutes(10);
  options.store_calls.call_timeout = milliseconds(2'000);
}

bool has_hints(Machine& machine) {
  return machine.comes_true([&] {
    const Health health = machine.cache().health();
    return health.store_hints.enabled && health.store_hints.working &&
           machine.cache().stats().store_hints > 0;
  });
}

class PostgresHints : public ::testing::Test {
 protected:
  static Options options(const std::string& url) {
    return {.url = url, .apply_migrations = true, .hint_check_every = milliseconds(300)};
  }
  // The write of one is what the other has, long before it asks by itself.
  static void expect_hint(Machine& writer, Machine& reader) {
    static int number = 0;
    const std::string text = std::to_string(++number);
    writer.data().put("k", text);
    EXPECT_TRUE(reader.comes("k", text));
  }

  ScratchDatabase database_;
};

TEST_F(PostgresHints, write_of_another_machine_is_there_long_before_the_poll_I10) {
  Machine one(open(options(database_.url())), rarely_polled);
  Machine two(open(options(database_.url())), rarely_polled);
  ASSERT_TRUE(has_hints(two));
  for (int i = 0; i < 20; ++i) expect_hint(one, two);
  ASSERT_TRUE(has_hints(one));
  expect_hint(two, one);
  one.data().erase("k");
  EXPECT_TRUE(two.comes("k", ""));
}

TEST_F(PostgresHints, matching_erase_and_invalidation_are_hinted_at_I4_I10) {
  Machine one(open(options(database_.url())), rarely_polled);
  Machine two(open(options(database_.url())), rarely_polled);
  ASSERT_TRUE(has_hints(two));
  expect_hint(one, two);
  one.data().invalidate("k");
  EXPECT_TRUE(two.comes_true([&] {
    const auto info = two.data().info("k");
    return info && info->invalidated_at;
  }));
  expect_hint(two, one);
  EXPECT_TRUE(two.cache().flush());
  one.data().erase_matching("*");
  EXPECT_TRUE(two.comes("k", ""));
}

TEST_F(PostgresHints, why_none_can_be_sent_is_told_with_what_the_server_said) {
  const auto store = open({.url = database_.url(), .hint_check_every = milliseconds(300)});
  const auto told = std::make_shared<std::promise<void>>();
  const auto once = std::make_shared<std::once_flag>();
  const auto watch = store->watch_changes(
      "p", [told, once] { std::call_once(*once, [&] { told->set_value(); }); });
  ASSERT_EQ(told->get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  const HintState state = watch->state();
  EXPECT_EQ(state.kind, HintState::Kind::lost);
  EXPECT_NE(state.why.find("no notification could be sent: "), std::string::npos) << state.why;
  EXPECT_NE(state.why.find("schema tiercache is not there"), std::string::npos) << state.why;
}

TEST_F(PostgresHints, projects_do_not_wake_each_other) {
  const auto store = open(options(database_.url()));
  Machine other(store, [](CacheOptions& out) {
    rarely_polled(out);
    out.project = "another";
  });
  ASSERT_TRUE(has_hints(other));
  Machine one(store, rarely_polled);
  ASSERT_TRUE(has_hints(one));
  const std::uint64_t before = other.cache().stats().store_hints;
  for (std::uint64_t i = 0; i < 20; ++i) save(*store, write("k", i + 1));
  EXPECT_TRUE(one.comes_true([&] { return one.cache().stats().store_hints > 1; }));
  EXPECT_EQ(other.cache().stats().store_hints, before);
}

TEST_F(PostgresHints, names_of_projects_are_not_told_to_who_listens_I11) {
  const auto store = open(options(database_.url()));
  save(*store, write("k", 1));
  Machine machine(store, rarely_polled);
  ASSERT_TRUE(has_hints(machine));
  Outsider outsider(database_.admin());
  EXPECT_EQ(outsider.ask("select count(*) from pg_stat_activity where query like 'LISTEN%' and "
                         "query not like '%tiercache\\_%'"),
            "0");
}

TEST_F(PostgresHints, listener_whose_process_is_ended_listens_again_I10) {
  Machine one(open(options(database_.url())), rarely_polled);
  Machine two(open(options(database_.url())), rarely_polled);
  ASSERT_TRUE(has_hints(two));
  expect_hint(one, two);
  const std::uint64_t before = two.cache().stats().store_hints;
  Outsider outsider(database_.admin());
  outsider.run(
      "select pg_terminate_backend(pid, 60000) from pg_stat_activity where query like 'LISTEN%'");
  // Lost, and live again: each is a hint.
  EXPECT_TRUE(two.comes_true([&] { return two.cache().stats().store_hints >= before + 2; }));
  ASSERT_TRUE(has_hints(two));
  expect_hint(one, two);
}

TEST_F(PostgresHints, listen_that_died_without_a_word_is_noticed_and_made_anew_I7_I10) {
  FaultyProxy proxy("127.0.0.1", port_of(database_.url()));
  Machine one(open(options(database_.url())), rarely_polled);
  Machine two(open(options(with_port(database_.url(), proxy.port()))), rarely_polled);
  ASSERT_TRUE(has_hints(two));
  expect_hint(one, two);
  const std::uint64_t connections = proxy.connections();
  proxy.hang_standing();
  // Written while nobody hears: told when the new connection does.
  one.data().put("meanwhile", "1");
  ASSERT_TRUE(one.cache().flush());
  EXPECT_TRUE(two.comes("meanwhile", "1"));
  EXPECT_GT(proxy.connections(), connections);
  expect_hint(one, two);
}

TEST_F(PostgresHints, network_that_swallows_all_is_told_by_health_and_survived_I7_I10) {
  FaultyProxy proxy("127.0.0.1", port_of(database_.url()));
  Machine one(open(options(database_.url())), rarely_polled);
  Machine two(open([&] {
                Options out = options(with_port(database_.url(), proxy.port()));
                out.connect_timeout = milliseconds(2'000);
                // Three proofs in a row that a busy machine answers late are taken for a pooler.
                out.hint_check_every = milliseconds(2'000);
                return out;
              }()),
              rarely_polled);
  ASSERT_TRUE(has_hints(two));
  proxy.set(Network::swallows);
  EXPECT_TRUE(two.comes_true([&] { return !two.cache().health().store_hints.working; }));
  EXPECT_NE(two.cache().health().store_hints.why, "");
  one.data().put("meanwhile", "1");
  ASSERT_TRUE(one.cache().flush());
  proxy.set(Network::works);
  EXPECT_TRUE(two.comes("meanwhile", "1"));
  ASSERT_TRUE(has_hints(two));
  expect_hint(one, two);
}

TEST_F(PostgresHints, restarted_server_is_listened_to_again_I10) {
  Machine one(open(options(database_.url())), rarely_polled);
  Machine two(open(options(database_.url())), rarely_polled);
  ASSERT_TRUE(has_hints(two));
  const std::string command = from_server_script("TIERCACHE_TEST_POSTGRES_CTL") + " restart";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_TRUE(two.comes_true([&] { return two.cache().stats().store_hints >= 3; }));
  ASSERT_TRUE(has_hints(two));
  expect_hint(one, two);
}

TEST_F(PostgresHints, pooler_that_lets_none_through_is_told_and_polls_go_on_I10) {
  const std::string pooler = pooler_url();
  if (pooler.empty()) GTEST_SKIP() << "no pgbouncer here";
  const auto polled = [](CacheOptions& options) {
    options.project = "pooled";
    options.store_calls.poll_every = milliseconds(100);
  };
  Machine one(open(options(pooler)), polled);
  Machine two(open(options(pooler)), polled);
  EXPECT_TRUE(two.comes_true(
      [&] { return two.cache().health().store_hints.why.find("pooler") != std::string::npos; }));
  EXPECT_FALSE(two.cache().health().store_hints.working);
  EXPECT_TRUE(two.cache().health().all_working());
  expect_hint(one, two);
}

TEST_F(PostgresHints, option_of_zero_neither_listens_nor_notifies) {
  Options silent = options(database_.url());
  silent.hint_check_every = milliseconds(0);
  const auto store = open(silent);
  EXPECT_EQ(store->watch_changes("p", [] {}), nullptr);
}

TEST(PostgresWatch, store_that_is_gone_is_a_lost_one_for_who_still_watches) {
  std::shared_ptr<ChangeWatch> watch;
  {
    const auto store = open({.url = server_url(), .hint_check_every = milliseconds(50)});
    watch = store->watch_changes("p", [] {});
  }
  const SteadyTime deadline = patience();
  while (watch->state().kind != HintState::Kind::lost && system_clock()->steady_now() < deadline) {
  }
  EXPECT_EQ(watch->state().kind, HintState::Kind::lost);
}

}  // namespace
}  // namespace tiercache::postgres
