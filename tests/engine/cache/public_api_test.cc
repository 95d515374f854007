// What the public value types say of themselves.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tiercache/tiercache.h"

namespace tiercache::testing {
namespace {

using namespace std::chrono_literals;
using Parts = std::vector<std::string>;

// --- Keys ---

TEST(Keys, parts_are_joined_and_what_means_something_in_them_is_escaped) {
  EXPECT_EQ(make_key({}), "");
  EXPECT_EQ(make_key({"one"}), "one");
  EXPECT_EQ(make_key({"", ""}), ":");
  EXPECT_EQ(make_key({"session", "a:b", "state"}), "session:a%3Ab:state");
  EXPECT_EQ(escape_key_part(":%*?\\"), "%3A%25%2A%3F%5C");
}

TEST(Keys, split_key_gives_back_the_parts_that_were_joined) {
  const Parts parts = {"", ":%*?\\", "plain", "%41", "é", ""};
  EXPECT_EQ(split_key(make_key({parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]})),
            parts);
}

TEST(Keys, every_hexadecimal_digit_is_read) {
  for (int code = 0; code < 256; ++code) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    const std::string escaped = std::string("%") + kDigits[code / 16] + kDigits[code % 16];
    EXPECT_EQ(split_key(escaped), Parts{std::string(1, static_cast<char>(code))}) << escaped;
  }
}

TEST(Keys, what_is_no_escape_stands_for_itself) {
  for (const char* part : {"%", "%4", "a%", "a%4", "%%4", "%/4", "%4/", "%;4", "%4;", "%@4", "%4@",
                           "%G4", "%4G", "%a4", "%4a"}) {
    EXPECT_EQ(split_key(part), Parts{part});
  }
  EXPECT_EQ(split_key("%:41"), (Parts{"%", "41"}));
}

TEST(Keys, nothing_behind_the_key_is_read) {
  EXPECT_EQ(split_key(std::string_view("%41").substr(0, 2)), Parts{"%4"});
}

// --- Words ---

TEST(Words, each_tier_freshness_and_answer_has_its_own) {
  EXPECT_EQ(to_string(Tier::none), "none");
  EXPECT_EQ(to_string(Tier::source), "source");
  EXPECT_EQ(to_string(Freshness::fresh), "fresh");
  EXPECT_EQ(to_string(Freshness::expired), "expired");
  EXPECT_EQ(to_string(TierAnswer::not_asked), "not asked");
  EXPECT_EQ(to_string(TierAnswer::not_found), "not found");
  EXPECT_EQ(to_string(TierAnswer::refreshing), "refreshing");
}

TEST(Words, passage_of_a_call_that_was_not_made_begins_with_why) {
  Passage passage;
  passage.call_why = "the cache is closed.";
  passage.files = TierAnswer::corrupt;
  passage.files_why = "its checksum";
  EXPECT_EQ(passage.why(), "the cache is closed.; files: its checksum");
  EXPECT_EQ(passage.to_string(), "the cache is closed.; files: corrupt (its checksum)");
  EXPECT_EQ(passage.summary(), "the cache is closed.; files: corrupt");
}

TEST(Words, close_receipt_is_one_line) {
  CloseReceipt receipt;
  receipt.confirmed = 1;
  receipt.left_in_outbox = 2;
  receipt.parked = 3;
  receipt.abandoned_callbacks = 4;
  receipt.files_complete = true;
  EXPECT_EQ(receipt.to_string(),
            "confirmed 1, left in the outbox 2, parked 3, abandoned callbacks 4, dropped 0");
  receipt.files_complete = false;
  EXPECT_TRUE(receipt.to_string().ends_with(", some files are still to be written"));
}

TEST(Words, scrub_report_names_what_it_counted_alone) {
  ScrubReport report;
  report.complete = true;
  EXPECT_EQ(report.to_string(), "0 keys, 0 differences");
  report.keys = 100;
  report.file_corrupt = 1;
  report.file_lost = 2;
  report.index_wrong = 3;
  report.memory_differs = 4;
  report.store_ahead = 5;
  report.store_behind = 6;
  report.store_missing = 7;
  report.store_corrupt = 8;
  report.store_differs = 9;
  report.unsettled = 10;
  report.repaired = 11;
  report.failed = 12;
  report.complete = false;
  report.why = "the deadline passed";
  EXPECT_EQ(report.to_string(),
            "100 keys, 45 differences, file corrupt 1, file lost 2, index wrong 3, "
            "memory differs 4, store ahead 5, store behind 6, store missing 7, store corrupt 8, "
            "store differs 9, left to the journal 10, repaired 11, not repaired 12, ended early "
            "(the deadline passed)");
}

// --- Health ---

TEST(HealthOfACache, whatever_does_not_work_shows_unless_it_is_switched_off) {
  Health sound;
  sound.sources.emplace_back("d", TierHealth{});
  EXPECT_TRUE(sound.all_working());
  const std::function<TierHealth&(Health&)> tiers[] = {
      [](Health& h) -> TierHealth& { return h.memory; },
      [](Health& h) -> TierHealth& { return h.files; },
      [](Health& h) -> TierHealth& { return h.journal; },
      [](Health& h) -> TierHealth& { return h.store; },
      [](Health& h) -> TierHealth& { return h.store_feed; },
      [](Health& h) -> TierHealth& { return h.sources[0].second; }};
  for (std::size_t i = 0; i < std::size(tiers); ++i) {
    Health health = sound;
    tiers[i](health).working = false;
    EXPECT_FALSE(health.all_working()) << i;
    tiers[i](health).enabled = false;
    EXPECT_TRUE(health.all_working()) << i;
  }
}

TEST(HealthOfACache, parked_writes_and_a_replaced_store_show_and_lost_hints_do_not) {
  Health health;
  health.store_hints.working = false;
  EXPECT_TRUE(health.all_working());
  health.parked = 1;
  EXPECT_FALSE(health.all_working());
  health.parked = 0;
  health.store_replaced_since = WallTime{1ms};
  EXPECT_FALSE(health.all_working());
}

// --- Durations ---

TEST(HistogramOfDurations, quantile_is_the_upper_bound_of_its_bucket) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0us);
  histogram.buckets[3] = 1;
  histogram.buckets[5] = 2;
  histogram.buckets[9] = 1;
  histogram.count = 4;
  struct Row {
    double q;
    std::chrono::microseconds bound;
  };
  for (const Row& row : {Row{0.0, 8us}, Row{0.25, 8us}, Row{0.5, 32us}, Row{0.75, 32us},
                         Row{1.0, 512us}, Row{0.76, 512us}, Row{-1.0, 8us}, Row{2.0, 512us}}) {
    EXPECT_EQ(histogram.quantile(row.q), row.bound) << row.q;
  }
}

TEST(HistogramOfDurations, count_that_ran_ahead_of_the_buckets_gives_the_last_bound) {
  Histogram histogram;
  histogram.buckets[3] = 1;
  histogram.count = 2;
  EXPECT_EQ(histogram.quantile(1.0), std::chrono::microseconds(std::uint64_t{1} << 35));
}

}  // namespace
}  // namespace tiercache::testing
