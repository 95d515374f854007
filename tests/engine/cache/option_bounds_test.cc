// The last value of each option that is taken, and what is said of the next.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "engine/cache/world.h"

namespace tiercache::testing {
namespace {

using JsonOptions = DatasetOptions<JsonText>;

// What `call` says is wrong with the options; empty: nothing.
std::string fault_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const BadConfiguration& error) {
    return error.what();
  }
  return {};
}

// --- Of a cache ---

std::string fault_of_cache(const std::function<void(CacheOptions&)>& adjust) {
  World world;
  return fault_of([&] { world.open(adjust); });
}

std::string cache_fault(const std::string& line) {
  return "the cache options cannot work:\n  " + line;
}

TEST(CacheOptionBounds, all_that_are_too_low_are_told_in_the_order_of_their_table) {
  const std::string said = fault_of_cache([](CacheOptions& o) {
    o.project = "";
    o.directory = "";
    o.memory.ttl = -1ms;
    o.files.write_behind = -1ms;
    o.files.sync_every = 0ms;
    o.journal = {.max_bytes = 4094, .segment_bytes = 4095};
    o.store_calls.call_timeout = 0ms;
    o.store_calls.batch_items = 0;
    o.store_calls.retry_first = 0ms;
    o.store_calls.retry_cap = -1ms;
    o.store_calls.poll_every = -1ms;
    o.limits = {.max_document_bytes = 1, .max_depth = 0, .max_key_bytes = 0};
    o.tombstone_retention = 24h - 1ms;
    o.concurrent_refreshes = 0;
  });
  EXPECT_EQ(said,
            "the cache options cannot work:"
            "\n  project = \"\": must be 1 to 100 bytes of UTF-8 without control characters"
            "\n  directory = \"\": must be the path of a local directory"
            "\n  memory.ttl = -1 ms: must be at least 0 ms"
            "\n  files.write_behind = -1 ms: must be at least 0 ms"
            "\n  files.sync_every = 0 ms: must be at least 1 ms"
            "\n  journal.segment_bytes = 4095: must be at least 4096 bytes"
            "\n  journal.max_bytes = 4094: must be at least 4095 bytes, which is "
            "journal.segment_bytes"
            "\n  store_calls.call_timeout = 0 ms: must be at least 1 ms"
            "\n  store_calls.batch_items = 0: must be at least 1 write"
            "\n  store_calls.retry_first = 0 ms: must be at least 1 ms"
            "\n  store_calls.retry_cap = -1 ms: must be at least 0 ms, which is "
            "store_calls.retry_first"
            "\n  store_calls.poll_every = -1 ms: must be at least 0 ms"
            "\n  limits.max_document_bytes = 1: must be at least 2 bytes"
            "\n  limits.max_depth = 0: must be at least 1 level"
            "\n  limits.max_key_bytes = 0: must be 1 to 4,096 bytes"
            "\n  tombstone_retention = 86399999 ms: must be at least 86400000 ms"
            "\n  concurrent_refreshes = 0: must be at least 1 callback");
}

TEST(CacheOptionBounds, all_that_are_too_high_are_told_in_the_order_of_their_table) {
  const std::string said = fault_of_cache([](CacheOptions& o) {
    o.files.write_behind = 51ms;
    o.files.sync_every = 0ms;
    o.journal = {.max_bytes = 1ull << 40, .segment_bytes = (1u << 30) + 1};
    o.store_calls.call_timeout = 24h + 1ms;
    o.limits = {.max_document_bytes = (1u << 30) + 1, .max_depth = 1'025, .max_key_bytes = 4'097};
    o.tombstone_retention = 0ms;
  });
  EXPECT_EQ(said,
            "the cache options cannot work:"
            "\n  files.write_behind = 51 ms: must be at most 50 ms"
            "\n  files.sync_every = 0 ms: must be at least 1 ms"
            "\n  journal.segment_bytes = 1073741825: must be at most 1 GiB"
            "\n  store_calls.call_timeout = 86400001 ms: must be at most 24 h"
            "\n  limits.max_document_bytes = 1073741825: must be at most 1 GiB"
            "\n  limits.max_depth = 1025: must be at most 1,024 levels"
            "\n  limits.max_key_bytes = 4097: must be 1 to 4,096 bytes"
            "\n  tombstone_retention = 0 ms: must be at least 86400000 ms");
}

TEST(CacheOptionBounds, largest_document_is_told_before_the_least_depth) {
  EXPECT_EQ(fault_of_cache([](CacheOptions& o) {
              o.limits = {.max_document_bytes = (1u << 30) + 1, .max_depth = 0};
            }),
            cache_fault("limits.max_document_bytes = 1073741825: must be at most 1 GiB"
                        "\n  limits.max_depth = 0: must be at least 1 level"));
}

TEST(CacheOptionBounds, the_least_of_each_is_taken) {
  EXPECT_EQ(fault_of_cache([](CacheOptions& o) {
              o.project = "p";
              o.memory.ttl = 0ms;
              o.files.write_behind = 0ms;
              o.files.sync_every = 1ms;
              o.journal = {.max_bytes = 4 * 4096, .segment_bytes = 4096};
              o.store_calls.call_timeout = 1ms;
              o.store_calls.batch_items = 1;
              o.store_calls.retry_first = 1ms;
              o.store_calls.retry_cap = 1ms;
              o.store_calls.poll_every = 0ms;
              o.limits = {.max_document_bytes = 2, .max_depth = 1, .max_key_bytes = 1};
              o.tombstone_retention = 24h;
              o.concurrent_refreshes = 1;
            }),
            "");
}

TEST(CacheOptionBounds, the_most_of_each_is_taken) {
  EXPECT_EQ(fault_of_cache([](CacheOptions& o) {
              o.project = std::string(100, 'p');
              o.files.write_behind = 50ms;
              o.journal = {.max_bytes = 8'192, .segment_bytes = 8'192};
              o.limits = {
                  .max_document_bytes = 1u << 30, .max_depth = 1'024, .max_key_bytes = 4'096};
            }),
            "");
}

TEST(CacheOptionBounds, name_is_shown_up_to_a_readable_length) {
  const auto said_of = [](const std::string& name) {
    return fault_of_cache([&](CacheOptions& o) { o.project = name; });
  };
  const auto fault = [](const std::string& shown) {
    return cache_fault("project = " + shown +
                       ": must be 1 to 100 bytes of UTF-8 without control characters");
  };
  EXPECT_EQ(said_of(std::string(101, 'p')), fault('"' + std::string(40, 'p') + "…\""));
  EXPECT_EQ(said_of('\t' + std::string(40, 'p')), fault("\"\t" + std::string(39, 'p') + "…\""));
  EXPECT_EQ(said_of('\t' + std::string(39, 'p')), fault("\"\t" + std::string(39, 'p') + '"'));
  EXPECT_EQ(said_of("\xff"), fault("(not UTF-8)"));
  EXPECT_EQ(said_of("a\x1fz"), fault("\"a\x1fz\""));
  EXPECT_EQ(said_of("a\x7fz"), fault("\"a\x7fz\""));
  EXPECT_EQ(said_of("\x1f"), fault("\"\x1f\""));
  EXPECT_EQ(said_of("a ~z"), "") << "the characters beside those that are refused";
}

// --- Of a dataset ---

std::string one(RefreshContext&) {
  return "1";
}

std::string fault_of_dataset(const std::string& name, const JsonOptions& options) {
  World world;
  auto cache = world.open();
  return fault_of([&] { cache->dataset(name, options); });
}

std::string dataset_fault(const std::string& lines) {
  return "the options of dataset \"d\" cannot work:" + lines;
}

TEST(DatasetOptionBounds, all_that_are_at_fault_are_told_in_the_order_of_their_table) {
  EXPECT_EQ(fault_of_dataset("", {.refresh_every = -1ms,
                                  .refresh_jitter = -1ms,
                                  .rich_refresh_every = -2ms,
                                  .fresh_for = -3ms,
                                  .stale_for = -4ms,
                                  .soft_timeout = -5ms,
                                  .hard_timeout = 0ms,
                                  .retry_first = 0ms,
                                  .not_found_for = -6ms,
                                  .cache_version = "",
                                  .retention = -8ms,
                                  .fallback = "{"}),
            "the options of dataset \"\" cannot work:"
            "\n  name = \"\": must be 1 to 100 bytes of UTF-8 without control characters"
            "\n  refresh_every = -1 ms: must be at least 0 ms"
            "\n  rich_refresh_every = -2 ms: must be at least 0 ms"
            "\n  refresh_jitter = -1 ms: must be between 0 and refresh_every, which is -1 ms"
            "\n  fresh_for = -3 ms: must be at least 0 ms"
            "\n  stale_for = -4 ms: must be at least 0 ms"
            "\n  soft_timeout = -5 ms: must be at least 0 ms"
            "\n  hard_timeout = 0 ms: must be at least 1 ms"
            "\n  retry_first = 0 ms: must be at least 1 ms"
            "\n  not_found_for = -6 ms: must be at least 0 ms"
            "\n  retention = -8 ms: must be 0, or at least fresh_for + stale_for, which are 0 ms"
            "\n  refresh = none: must be set where refresh_every is"
            "\n  rich_refresh = none: must be set where rich_refresh_every is"
            "\n  cache_version = \"\": must be 1 to 100 bytes of UTF-8 without control characters"
            "\n  fallback: the document ends too early at line 1, column 2 (byte 1)");
}

TEST(DatasetOptionBounds, the_least_and_the_most_of_each_are_taken) {
  EXPECT_EQ(fault_of_dataset(std::string(100, 'd'), {.refresh_every = 0ms,
                                                     .refresh_jitter = 0ms,
                                                     .rich_refresh_every = 0ms,
                                                     .fresh_for = 0ms,
                                                     .stale_for = 0ms,
                                                     .soft_timeout = 0ms,
                                                     .hard_timeout = 1ms,
                                                     .retry_first = 1ms,
                                                     .not_found_for = 0ms,
                                                     .cache_version = "v",
                                                     .retention = 0ms,
                                                     .fallback = "{}"}),
            "");
}

TEST(DatasetOptionBounds, jitter_may_be_as_long_as_the_interval) {
  EXPECT_EQ(fault_of_dataset("d", {.refresh_every = 1s, .refresh_jitter = 1s, .refresh = one}), "");
  EXPECT_EQ(
      fault_of_dataset("d", {.refresh_every = 1s, .refresh_jitter = 1'001ms, .refresh = one}),
      dataset_fault("\n  refresh_jitter = 1001 ms: must be between 0 and refresh_every, which is "
                    "1000 ms"));
  EXPECT_EQ(fault_of_dataset("d", {.refresh_every = 1s, .refresh_jitter = -1ms, .refresh = one}),
            dataset_fault("\n  refresh_jitter = -1 ms: must be between 0 and refresh_every, which "
                          "is 1000 ms"));
}

TEST(DatasetOptionBounds, cadence_needs_its_own_callback_and_no_other) {
  EXPECT_EQ(fault_of_dataset("d", {.refresh_every = 1s, .rich_refresh = one}),
            dataset_fault("\n  refresh = none: must be set where refresh_every is"));
  EXPECT_EQ(fault_of_dataset("d", {.rich_refresh_every = 1s, .refresh = one}),
            dataset_fault("\n  rich_refresh = none: must be set where rich_refresh_every is"));
  EXPECT_EQ(fault_of_dataset("d", {.refresh_every = 1s, .refresh = one}), "");
  EXPECT_EQ(fault_of_dataset("d", {.rich_refresh_every = 1s, .rich_refresh = one}), "");
}

// How long entries are served where the options do not say it: as the table of the options has it.
TEST(DatasetOptionBounds, retention_is_as_long_as_entries_are_served_at_least) {
  const auto least = [](JsonOptions options, std::chrono::milliseconds served) {
    options.retention = served;
    EXPECT_EQ(fault_of_dataset("d", options), "") << served.count();
    options.retention = served - 1ms;
    EXPECT_EQ(fault_of_dataset("d", options),
              dataset_fault("\n  retention = " + std::to_string(served.count() - 1) +
                            " ms: must be 0, or at least fresh_for + stale_for, which are " +
                            std::to_string(served.count()) + " ms"));
  };
  least({.fresh_for = 10s, .stale_for = 5s}, 15s);
  least({}, 5min);
  least({.refresh_every = 100s, .stale_for = 1s, .hard_timeout = 30s, .refresh = one}, 136s);
  least({.refresh_every = 100s, .refresh_jitter = 2s, .hard_timeout = 30s, .refresh = one}, 132s);
}

TEST(DatasetOptionBounds, dataset_that_is_open_names_every_field_that_differs) {
  World world;
  auto cache = world.open();
  cache->dataset("d", {.keyed = true,
                       .refresh_every = 1s,
                       .refresh_jitter = 1ms,
                       .rich_refresh_every = 2s,
                       .fresh_for = 3s,
                       .stale_for = 4s,
                       .soft_timeout = 5s,
                       .hard_timeout = 6s,
                       .retry_first = 7s,
                       .not_found_for = 8s,
                       .not_found_erases = true,
                       .cache_version = "9",
                       .retention = 10s,
                       .hydrate = Hydrate::all(),
                       .refresh = one,
                       .rich_refresh = one,
                       .validate = [](const std::string&) { return true; },
                       .fallback = "11"});
  EXPECT_EQ(fault_of([&] {
              cache->dataset("d", {.fresh_for = 30s,
                                   .stale_for = 40s,
                                   .soft_timeout = 50s,
                                   .hard_timeout = 60s,
                                   .retry_first = 70s,
                                   .not_found_for = 80s,
                                   .cache_version = "90",
                                   .retention = 100s,
                                   .hydrate = Hydrate::recent(12)});
            }),
            "dataset \"d\" is open with other options:"
            "\n  keyed: true there, false given"
            "\n  refresh_every: 1000 ms there, 0 ms given"
            "\n  refresh_jitter: 1 ms there, not set given"
            "\n  rich_refresh_every: 2000 ms there, 0 ms given"
            "\n  fresh_for: 3000 ms there, 30000 ms given"
            "\n  stale_for: 4000 ms there, 40000 ms given"
            "\n  soft_timeout: 5000 ms there, 50000 ms given"
            "\n  hard_timeout: 6000 ms there, 60000 ms given"
            "\n  retry_first: 7000 ms there, 70000 ms given"
            "\n  not_found_for: 8000 ms there, 80000 ms given"
            "\n  not_found_erases: true there, false given"
            "\n  cache_version: \"9\" there, \"90\" given"
            "\n  retention: 10000 ms there, 100000 ms given"
            "\n  hydrate: all there, 12 most recent given"
            "\n  refresh: set there, not set given"
            "\n  rich_refresh: set there, not set given"
            "\n  validate: set there, not set given"
            "\n  fallback: set there, not set given"
            "\nGive the same ones, or none to ask for the handle.");
}

TEST(DatasetOptionBounds, dataset_that_is_open_names_no_field_that_is_the_same) {
  World world;
  auto cache = world.open();
  const auto said = [&](const std::string& name, const JsonOptions& there,
                        const JsonOptions& given) {
    cache->dataset(name, there);
    return fault_of([&] { cache->dataset(name, given); });
  };
  const auto differs = [](const std::string& name, const std::string& line) {
    return "dataset \"" + name + "\" is open with other options:\n  " + line +
           "\nGive the same ones, or none to ask for the handle.";
  };
  EXPECT_EQ(said("a", {.keyed = true}, {.keyed = true, .rich_refresh = one}),
            differs("a", "rich_refresh: not set there, set given"));
  EXPECT_EQ(said("b", {.stale_for = 1s, .fallback = "1"}, {.stale_for = 1s}),
            differs("b", "fallback: set there, not set given"));
  EXPECT_EQ(said("c", {.stale_for = 1s}, {.stale_for = 1s, .fallback = "1"}),
            differs("c", "fallback: not set there, set given"));
  EXPECT_EQ(said("d", {.fallback = "1"}, {.fallback = "2"}),
            differs("d", "fallback: one document there, another given"));
  EXPECT_EQ(said("e", {.fallback = "1"}, {.fallback = "1"}), "");
}

TEST(DatasetOptionBounds, keys_and_patterns_may_be_as_long_as_the_limit) {
  World world;
  auto cache = world.open([](CacheOptions& o) { o.limits.max_key_bytes = 10; });
  auto data = cache->dataset("d", {.keyed = true});
  EXPECT_NO_THROW(data.put(std::string(10, 'k'), "1"));
  EXPECT_THROW(data.put(std::string(11, 'k'), "1"), InvalidKey);
  EXPECT_NO_THROW(data.erase_matching(std::string(9, 'k') + '*'));
  EXPECT_THROW(data.erase_matching(std::string(10, 'k') + '*'), InvalidKey);
}

}  // namespace
}  // namespace tiercache::testing
