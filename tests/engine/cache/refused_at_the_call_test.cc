// What no store of the cache's can hold is refused at the call, so that nothing acknowledged is
// parked later (decision 38); and a dataset opened again says what differs.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

std::string bad_key_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const InvalidKey& error) {
    return error.what();
  }
  return "(taken)";
}

class RefusedKeys : public ::testing::Test {
 protected:
  // Every call that takes a key.
  std::vector<std::string> errors(const std::string& key) {
    const std::vector<std::string> keys = {"good", key};
    const std::vector<std::pair<std::string, std::string>> values = {{"good", "1"}, {key, "1"}};
    std::vector<std::string> said;
    const auto call = [&](const std::function<void()>& made) { said.push_back(bad_key_of(made)); };
    call([&] { data.get(key); });
    call([&] { data.get(key, {.reach = Reach::local}); });
    call([&] { data.peek(key); });
    call([&] { data.get_many(keys); });
    said.push_back(told_to_handler(key));
    call([&] { data.get_or_load(key, [](RefreshContext&) { return std::string("1"); }); });
    call([&] { data.refresh(key); });
    call([&] { data.put(key, "1"); });
    call([&] { data.put_many(values); });
    call([&] { data.erase(key); });
    call([&] { data.erase_matching(key); });
    call([&] { data.invalidate(key); });
    call([&] { data.contains(key); });
    call([&] { data.info(key); });
    std::exception_ptr given;
    data.put_async(key, "1", {}, [&](PutReceipt, std::exception_ptr error) { given = error; });
    world.run_until([&] { return given != nullptr; }, 1min);
    call([&] { std::rethrow_exception(given); });
    return said;
  }

  // What `get_async` says of the key: nothing is thrown, and the handler is called once.
  std::string told_to_handler(const std::string& key) {
    int calls = 0;
    Passage passage;
    data.get_async(key, {}, [&](const Snapshot<JsonText>& snapshot) {
      ++calls;
      passage = snapshot.passage();
      EXPECT_FALSE(snapshot.has_value());
      EXPECT_THROW(*snapshot, NoData);
    });
    EXPECT_EQ(calls, 0) << "never from inside the call";
    world.executor->run_for(1min);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(passage.summary(), passage.call_why);
    EXPECT_EQ(passage.to_string(), passage.call_why);
    return passage.call_why;
  }

  World world;
  std::unique_ptr<Cache> cache = world.open();
  Dataset<JsonText> data = cache->dataset(
      "d", {.keyed = true, .refresh = [](RefreshContext&) { return std::string("1"); }});
};

TEST_F(RefusedKeys, key_with_a_nul_byte_is_refused_by_every_call_and_nothing_was_done) {
  for (const std::string& key :
       {std::string(1, '\0'), std::string("page\0 1", 7), std::string("a\0", 2)}) {
    for (const std::string& error : errors(key)) {
      EXPECT_NE(error.find("NUL byte"), std::string::npos) << error;
      EXPECT_TRUE(error.ends_with("Nothing was done.")) << error;
    }
  }
  EXPECT_TRUE(cache->flush());
  EXPECT_EQ(cache->health().parked, 0u);
  EXPECT_TRUE(data.keys().keys.empty());
}

TEST_F(RefusedKeys, control_characters_but_nul_are_characters_like_others) {
  data.put("\x01\n\x7f", "1");
  EXPECT_TRUE(cache->flush());
  EXPECT_EQ(*data.get("\x01\n\x7f"), "1");
}

TEST_F(RefusedKeys, key_longer_than_the_stores_with_the_datasets_name_is_refused) {
  StoreLimits limits;
  limits.max_key_bytes = 20;
  world.store->set_limits(limits);
  cache = world.open();
  data = cache->dataset("dataset", {.keyed = true});
  data.put(std::string(13, 'k'), "1");
  EXPECT_NE(bad_key_of([&] {
              data.put(std::string(14, 'k'), "1");
            }).find("the store holds keys of 20 bytes with the dataset's name"),
            std::string::npos);
  EXPECT_NE(bad_key_of([&] { data.get(std::string(14, 'k')); }), "(taken)");
  data.erase_matching(std::string(14, 'k') + "*");  // a pattern is no key of the store's
  EXPECT_TRUE(cache->flush());
}

TEST_F(RefusedKeys, pattern_that_is_empty_or_too_long_is_refused) {
  for (const std::string& glob : {std::string(), std::string(1025, '*')}) {
    EXPECT_NE(bad_key_of([&] { data.erase_matching(glob); }), "(taken)");
  }
}

// --- Documents, metadata, lifetimes ---

class RefusedWrites : public ::testing::Test {
 protected:
  RefusedWrites() {
    world.store->set_limits({.refuses_nul_escape = true,
                             .refuses_unbounded_numbers = true,
                             .writes_numbers_out = true});
    cache = world.open([](CacheOptions& options) { options.limits.max_document_bytes = 100'000; });
  }
  std::string refusal(const std::string& document, const PutOptions& options = {}) {
    try {
      cache->dataset("d").put("", document, options);
    } catch (const InvalidDocument& error) {
      return error.what();
    }
    return "(taken)";
  }

  World world;
  std::unique_ptr<Cache> cache;
};

TEST_F(RefusedWrites, document_that_expands_beyond_the_limits_is_refused_with_its_place) {
  EXPECT_EQ(refusal("[1e99990]"), "(taken)");
  const std::string error = refusal("[1e40000,1e40000,\n 1e40000]");
  EXPECT_NE(error.find("written out"), std::string::npos) << error;
  EXPECT_NE(error.find("line 2, column 2"), std::string::npos) << error;
  EXPECT_TRUE(error.ends_with("Nothing was stored.")) << error;
}

TEST_F(RefusedWrites, refresh_result_that_expands_beyond_the_limits_is_a_failed_refresh) {
  auto data = cache->dataset(
      "r", {.refresh = [](RefreshContext&) { return std::string("[1e40000,1e40000,1e40000]"); }});
  const auto answer = data.get();
  EXPECT_FALSE(answer);
  EXPECT_NE(answer.passage().why().find("written out"), std::string::npos)
      << answer.passage().why();
}

TEST_F(RefusedWrites, store_that_keeps_the_text_takes_every_number_as_it_stands) {
  world.store->set_limits({});
  cache = world.open([](CacheOptions& options) { options.limits.max_document_bytes = 100'000; });
  EXPECT_EQ(refusal("[1e40000,1e40000,1e40000]"), "(taken)");
}

TEST_F(RefusedWrites, metadata_that_a_store_cannot_hold_is_refused) {
  for (const char* metadata :
       {"", "[]", "{", "{\"a\":\"\\u0000\"}", "{\"a\":1,\"a\":2}", "{\"a\":1e140000}",
        "{\"a\":\"\xff\"}", "{\"a\":1e33000}", "{\"a\":[1e20000,1e20000]}"}) {
    EXPECT_NE(refusal("1", {.metadata = metadata}).find("metadata"), std::string::npos) << metadata;
  }
  EXPECT_EQ(refusal("1", {.metadata = R"({"a":1e300,"b":[0,-0.0,1e-9]})"}), "(taken)");
}

TEST_F(RefusedWrites, lifetime_that_is_over_already_counts_as_zero) {
  auto data = cache->dataset("k", {.keyed = true, .stale_for = 1h});
  data.put("put", "1", {.fresh_for = -1h});
  data.get_or_load(
      "load", [](RefreshContext&) { return std::string("1"); }, -1ms);
  data.get_or_load("refreshed", [](RefreshContext&) {
    return Refreshed<std::string>{.value = "1", .metadata = "{}", .fresh_for = -1h};
  });
  EXPECT_TRUE(cache->flush());
  for (const char* key : {"put", "load", "refreshed"}) {
    EXPECT_EQ(world.store->row("test", {"k", key})->fresh_for, 0ms) << key;
    EXPECT_EQ(data.get(key, {.reach = Reach::local}).freshness(), Freshness::stale) << key;
  }
}

TEST_F(RefusedWrites,
       cache_version_that_a_store_cannot_hold_is_refused_when_the_dataset_is_opened) {
  for (const std::string& version : {std::string(), std::string("1\0", 2), std::string("1\n"),
                                     std::string("\xff"), std::string(101, '1')}) {
    EXPECT_THROW(cache->dataset("v", {.cache_version = version}), BadConfiguration);
  }
}

TEST_F(RefusedWrites, journal_that_parked_writes_have_filled_says_so) {
  cache = world.open([](CacheOptions& options) {
    options.journal = {.max_bytes = 64 << 10, .segment_bytes = 16 << 10};
  });
  world.store->set_refusal([](const StoreWrite&) { return std::string("no"); });
  auto data = cache->dataset("k", {.keyed = true});
  std::string error;
  for (int i = 0; i < 1'000 && error.empty(); ++i) {
    try {
      data.put(std::to_string(i), '"' + std::string(2'000, 'x') + '"');
      cache->flush();
    } catch (const NotDurable& full) {
      error = full.what();
    }
  }
  EXPECT_NE(error.find("are parked, writes that the store refused for good"), std::string::npos)
      << error;
}

// --- A dataset that is opened again ---

std::string configuration_error(const std::function<void()>& call) {
  try {
    call();
  } catch (const BadConfiguration& error) {
    return error.what();
  }
  return "(taken)";
}

TEST(DatasetOpenedAgain, with_no_options_or_with_the_same_gives_the_handle) {
  World world;
  auto cache = world.open();
  const auto options = [](int& calls) -> DatasetOptions<JsonText> {
    return {.keyed = true,
            .fresh_for = 5s,
            .stale_for = 1h,
            .refresh = [&](RefreshContext&) { return std::to_string(++calls); },
            .fallback = "0"};
  };
  int first = 0;
  int second = 0;
  cache->dataset("d", options(first));
  cache->dataset("d").put("k", "1");
  EXPECT_EQ(*cache->dataset("d", options(second)).get("k"), "1");
  EXPECT_EQ(*cache->dataset("d", {}).get("other"), "1");
  EXPECT_EQ(first, 1) << "the functions are those of the first call";
  EXPECT_EQ(second, 0);
}

TEST(DatasetOpenedAgain, with_other_options_names_each_that_differs_there_and_given) {
  World world;
  auto cache = world.open();
  cache->dataset("d", {.keyed = true,
                       .refresh_jitter = 0ms,
                       .stale_for = 1h,
                       .cache_version = "2",
                       .hydrate = Hydrate::all(),
                       .validate = [](const std::string&) { return true; },
                       .fallback = "1"});
  const std::string error = configuration_error([&] {
    cache->dataset("d", {.keyed = true,
                         .fresh_for = 5s,
                         .stale_for = 2h,
                         .not_found_erases = true,
                         .cache_version = "3",
                         .refresh = [](RefreshContext&) { return std::string("1"); },
                         .fallback = "2"});
  });
  for (const char* line :
       {"\"d\"", "refresh_jitter: 0 ms there, not set given",
        "fresh_for: not set there, 5000 ms given", "stale_for: 3600000 ms there, 7200000 ms given",
        "not_found_erases: false there, true given", "cache_version: \"2\" there, \"3\" given",
        "hydrate: all there, 10000 most recent given", "refresh: not set there, set given",
        "validate: set there, not set given", "fallback: one document there, another given"}) {
    EXPECT_NE(error.find(line), std::string::npos) << line << "\n" << error;
  }
  EXPECT_EQ(error.find("keyed"), std::string::npos) << error;
  EXPECT_EQ(error.find("hard_timeout"), std::string::npos) << error;
}

TEST(DatasetOpenedAgain, after_a_look_up_that_opened_it_names_what_the_look_up_lacked) {
  World world;
  auto cache = world.open();
  cache->dataset("d");
  EXPECT_NE(configuration_error([&] {
              cache->dataset("d", {.keyed = true});
            }).find("keyed: false there, true given"),
            std::string::npos);
  EXPECT_EQ(configuration_error([&] { cache->dataset("d"); }), "(taken)");
}

}  // namespace
}  // namespace tiercache::testing
