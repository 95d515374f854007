// What the texts of errors and receipts say: which item, which fault, and what is true of a write.
#include <gmock/gmock.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/said.h"
#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using Values = std::vector<std::pair<std::string, std::string>>;

class Messages : public ::testing::Test {
 protected:
  Dataset<JsonText> data() { return cache->dataset("d", {.keyed = true, .fresh_for = 24h}); }
  Said late(const std::function<void(const PutOptions&)>& call) {
    return said_by<DeadlineExceeded>(
        [&] { call({.durability = Durability::store, .deadline = 1s}); });
  }
  Said late_put() {
    return late([&](const PutOptions& options) { data().put("k", "1", options); });
  }

  World world;
  std::unique_ptr<Cache> cache = world.open();
};

// --- The store has not confirmed it ---

TEST_F(Messages, deadline_of_a_write_gives_what_the_store_last_said_as_details_I13) {
  world.store_down();
  for (const Said& said : {late_put(), late([&](const PutOptions& options) {
                             data().erase_matching("x*", options);
                           })}) {
    EXPECT_THAT(said.what, HasSubstr("stays in the outbox"));
    EXPECT_THAT(said.what, Not(HasSubstr("fault asked for"))) << "what() quotes no server";
    EXPECT_EQ(said.details, "the store: fault asked for by the test");
  }
}

TEST_F(Messages, deadline_of_an_asynchronous_write_says_the_same) {
  world.store_down();
  std::exception_ptr failure;
  data().put_async("k", "1", {.durability = Durability::store, .deadline = 1s},
                   [&](const PutReceipt&, std::exception_ptr error) { failure = error; });
  ASSERT_TRUE(world.run_until([&] { return failure != nullptr; }, 1min));
  const Said said = said_by<DeadlineExceeded>([&] { std::rethrow_exception(failure); });
  EXPECT_THAT(said.details, StartsWith("the store: "));
}

TEST_F(Messages, deadline_while_the_store_is_not_accepted_promises_no_sending_I13) {
  data().put("k", "1", {.durability = Durability::store});
  cache->close();
  const auto wrong = std::make_shared<MemoryStore>(world.clock);
  wrong->lose_change_cursors();
  wrong->set_name("another");
  cache = world.open([&](CacheOptions& options) { options.store = wrong; });
  const Said said = late_put();
  EXPECT_THAT(said.what, AllOf(HasSubstr("accept_store"), Not(HasSubstr("is sent"))));
  EXPECT_THAT(said.details,
              AllOf(HasSubstr("memory (incarnation 1)"), HasSubstr("another (incarnation 2)")));
  const auto receipts =
      data().put_many(Values{{"a", "1"}}, {.durability = Durability::store, .deadline = 1s});
  EXPECT_THAT(receipts.at(0).why, AllOf(HasSubstr("another"), HasSubstr("accept_store")));
}

TEST_F(Messages, deadline_without_background_retry_promises_no_sending_I13) {
  cache = world.open([](CacheOptions& options) { options.flags.background_retry = false; });
  world.store_down();
  EXPECT_THAT(late_put().what, AllOf(HasSubstr("Cache::flush"), Not(HasSubstr("is sent"))));
}

TEST_F(Messages, item_that_is_late_says_what_the_store_last_said) {
  world.store_down();
  const auto receipts =
      data().put_many(Values{{"a", "1"}}, {.durability = Durability::store, .deadline = 1s});
  EXPECT_THAT(receipts.at(0).why,
              AllOf(HasSubstr("fault asked for"), HasSubstr("stays in the outbox")));
}

TEST_F(Messages, comparison_with_an_unconfirmed_version_gives_what_the_store_last_said) {
  data().put("k", "1", {.durability = Durability::store});
  world.store_down();
  const Version base = data().put("k", "2").version;
  const Said said = said_by<NotDurable>([&] {
    data().put("k", "3", {.durability = Durability::store, .deadline = 1s, .if_version = base});
  });
  EXPECT_THAT(said.details, StartsWith("the store: "));
}

// --- One of many ---

TEST_F(Messages, bad_one_of_many_is_named_by_its_place_and_not_by_its_key) {
  const std::string personal("ada@example.org\0", 16);
  const Said key = said_by<InvalidKey>([&] {
    data().put_many(Values{{"a", "1"}, {personal, "2"}});
  });
  EXPECT_THAT(key.what, AllOf(StartsWith("values[1]: "), HasSubstr("NUL byte"),
                              Not(HasSubstr("ada@example.org"))));
  const Said document = said_by<InvalidDocument>([&] {
    data().put_many(Values{{"a", "1"}, {"b", "2"}, {"c", "{"}});
  });
  EXPECT_THAT(document.what, AllOf(StartsWith("values[2]: "), HasSubstr("line 1, column 2")));
  EXPECT_EQ(cache->stats().files_entries, 0u) << "none was written";
  const std::vector<std::string> keys{"a", "b", personal};
  EXPECT_THAT(said_by<InvalidKey>([&] { data().get_many(keys); }).what,
              AllOf(StartsWith("keys[2]: "), Not(HasSubstr("ada"))));
}

TEST_F(Messages, none_of_many_written_names_the_first_one) {
  data().put("a", "1");
  data().put("b", "1");
  const Said said = said_by<VersionConflict>([&] {
    data().put_many(Values{{"a", "2"}, {"b", "2"}}, {.if_version = Version{}});
  });
  EXPECT_THAT(said.what, StartsWith("values[0]: "));
}

// --- Versions ---

TEST_F(Messages, conflict_says_what_is_there) {
  const auto conflict = [&](Version given) {
    return said_by<VersionConflict>([&] { data().put("k", "2", {.if_version = given}); }).what;
  };
  EXPECT_THAT(conflict({5, 1}), AllOf(HasSubstr("there is no entry here"), Not(HasSubstr("0-0"))));
  const Version version = data().put("k", "1").version;
  EXPECT_THAT(conflict({5, 1}), HasSubstr("version is " + version.to_string() + ", not the one"));
  EXPECT_THAT(conflict({}), AllOf(HasSubstr("version is " + version.to_string()),
                                  HasSubstr("zero says that there is none")));
  const Version erased = data().erase("k").version;
  EXPECT_THAT(conflict(version), HasSubstr("was erased, as version " + erased.to_string()));
  const auto receipts =
      data().put_many(Values{{"k", "1"}, {"other", "1"}}, {.if_version = Version{}});
  EXPECT_EQ(receipts.at(0).why, "") << "an erased entry is none";
  const auto again = data().put_many(Values{{"k", "2"}, {"third", "2"}}, {.if_version = Version{}});
  EXPECT_THAT(again.at(0).why, HasSubstr("zero says that there is none"));
}

// --- Metadata ---

TEST_F(Messages, metadata_fault_says_which) {
  const auto fault = [&](const std::string& metadata) {
    return said_by<InvalidDocument>([&] { data().put("k", "1", {.metadata = metadata}); }).what;
  };
  EXPECT_THAT(fault(""), HasSubstr("its metadata is empty"));
  EXPECT_THAT(fault("[1]"), HasSubstr("is JSON, but not an object"));
  EXPECT_THAT(fault("{\"a\":1,\n\"a\":2}"), HasSubstr("duplicate member \"a\" at line 2"));
  EXPECT_THAT(fault("not JSON"), HasSubstr("is not JSON that every store can hold"));
  EXPECT_THAT(fault("{\"a\":\"" + std::string(40'000, 'x') + "\"}"),
              HasSubstr("has 40008 bytes, more than the limit of 32768"));
}

TEST_F(Messages, refresh_whose_metadata_is_at_fault_says_which) {
  auto sourced = cache->dataset("s", {.refresh = [](RefreshContext&) {
                                  return Refreshed<std::string>{.value = "1", .metadata = "[]"};
                                }});
  EXPECT_THAT(sourced.get().passage().source_why, HasSubstr("is JSON, but not an object"));
}

// --- Options ---

TEST_F(Messages, options_are_told_with_units_and_what_bounds_them) {
  const auto refusal = [&](const std::function<void(CacheOptions&)>& adjust) {
    return said_by<BadConfiguration>([&] { world.open(adjust); }).what;
  };
  EXPECT_THAT(refusal([](CacheOptions& options) { options.memory.ttl = -1ms; }),
              HasSubstr("memory.ttl = -1 ms: must be at least 0 ms"));
  EXPECT_THAT(refusal([](CacheOptions& options) { options.files.write_behind = 51ms; }),
              HasSubstr("files.write_behind = 51 ms: must be at most 50 ms"));
  EXPECT_THAT(refusal([](CacheOptions& options) {
                options.store_calls.retry_first = 2s;
                options.store_calls.retry_cap = 1s;
              }),
              HasSubstr("store_calls.retry_cap = 1000 ms: must be at least 2000 ms, which is "
                        "store_calls.retry_first"));
  EXPECT_THAT(refusal([](CacheOptions& options) { options.journal.max_bytes = 5'000; }),
              HasSubstr("which is journal.segment_bytes"));
  EXPECT_THAT(said_by<BadConfiguration>([&] {
                cache->dataset("j", {.refresh_every = 1s,
                                     .refresh_jitter = 2s,
                                     .refresh = [](RefreshContext&) { return std::string("1"); }});
              }).what,
              HasSubstr("refresh_jitter = 2000 ms: must be between 0 and refresh_every, which is "
                        "1000 ms"));
}

// --- Scrub ---

TEST_F(Messages, scrub_of_a_dataset_that_is_not_here_says_so) {
  EXPECT_THAT(said_by<BadConfiguration>([&] { cache->scrub({.dataset = "typo"}); }).what,
              HasSubstr("dataset = \"typo\""));
  data();
  EXPECT_EQ(cache->scrub({.dataset = "d"}).to_string(), "0 keys, 0 differences");
  data().put("k", "1", {.durability = Durability::store});
  EXPECT_TRUE(cache->flush());
  cache->close();
  cache = world.open();
  EXPECT_EQ(cache->scrub({.dataset = "d"}).to_string(), "1 key, 0 differences")
      << "it has entries here, and is not open";
}

// --- Outbox ---

TEST(OutboxWords, are_those_of_the_documentation) {
  EXPECT_EQ(to_string(OutboxOutcome::done), "done");
  EXPECT_EQ(to_string(OutboxOutcome::not_parked), "not parked");
  EXPECT_EQ(to_string(OutboxOutcome::store_unavailable), "store unavailable");
  EXPECT_EQ(to_string(OutboxOutcome::disk_failed), "disk failed");
}

// --- Counts ---

TEST_F(Messages, counts_of_one_are_in_the_singular) {
  ScrubReport report;
  report.keys = report.file_lost = 1;
  report.complete = true;
  EXPECT_EQ(report.to_string(), "1 key, 1 difference, file lost 1");
}

}  // namespace
}  // namespace tiercache::testing
