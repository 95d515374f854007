// Refreshes as flights: one of a key at a time, and what is said of it meanwhile.
#include "cache/refreshing/refreshes.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

using Status = FlightResult::Status;

class RefreshesTest : public ::testing::Test {
 protected:
  static RefreshResult document_of(const std::string& text) {
    NewDocument answer;
    answer.document = std::make_shared<const std::string>(text);
    return answer;
  }
  void run(RefreshReason reason = RefreshReason::scheduled, Callback own = {}) {
    refreshes.run({.dataset = &data, .id = kId, .reason = reason, .callback = std::move(own)},
                  [this](const FlightResult& result) { ended.push_back(result.status); });
  }
  void run_failing() {
    source = [](RefreshContext&) -> RefreshResult { throw std::runtime_error("down"); };
    run();
    ground.run_ready();
    ASSERT_EQ(ended, std::vector<Status>{Status::failed});
  }

  Ground ground;
  RefreshingRoom room{ground};
  Refreshes& refreshes = room.refreshes;
  Callback source = [](RefreshContext&) { return document_of("1"); };
  Callback rich;
  DatasetState& data = ground.open("d", [this](DatasetPolicy& policy) {
    policy.options.soft_timeout = 2s;
    policy.refresh = [this](RefreshContext& context) { return source(context); };
    policy.rich_refresh = [this](RefreshContext& context) -> RefreshResult {
      return rich ? rich(context) : NotModified{};
    };
  });
  std::vector<Status> ended;
};

TEST_F(RefreshesTest, source_is_the_calls_own_or_the_datasets_of_that_cadence) {
  DatasetState& none = ground.open("none");
  EXPECT_FALSE(Refreshes::has_source({.dataset = &none, .id = {}}));
  EXPECT_TRUE(Refreshes::has_source({.dataset = &none, .id = {}, .callback = source}));
  EXPECT_TRUE(Refreshes::has_source({.dataset = &data, .id = {}}));
  DatasetState& plain =
      ground.open("plain", [this](DatasetPolicy& policy) { policy.refresh = source; });
  EXPECT_FALSE(Refreshes::has_source({.dataset = &plain, .id = {}, .cadence = Cadence::rich}));
}

TEST_F(RefreshesTest, those_who_ask_at_the_same_time_share_one_flight_I5) {
  int calls = 0;
  source = [&](RefreshContext&) {
    ++calls;
    return document_of("1");
  };
  for (int i = 0; i < 3; ++i) run();
  ground.run_ready();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(ended, std::vector<Status>(3, Status::saved));
  EXPECT_EQ(data.counters.refreshes.read(), 1u);
  EXPECT_EQ(room.writing.local.found(data), "1");
}

TEST_F(RefreshesTest, callback_is_told_the_key_what_is_cached_and_its_deadlines) {
  room.writing.write(WritingRoom::change(data, "0"));
  source = [&](RefreshContext& context) {
    EXPECT_EQ(context.key(), "k");
    EXPECT_EQ(text_of(context.previous()), "0");
    EXPECT_FALSE(context.rich());
    EXPECT_EQ(context.soft_deadline(), ground.in(2s));
    EXPECT_EQ(context.hard_deadline(), ground.in(30s));
    return document_of("1");
  };
  run(RefreshReason::behind);
  ground.run_ready();
  EXPECT_EQ(ended, std::vector<Status>{Status::saved});
}

TEST_F(RefreshesTest, emergency_runs_the_rich_callback_on_what_the_first_one_brought) {
  std::string brought;
  rich = [&](RefreshContext& context) {
    brought = text_of(context.previous());
    EXPECT_TRUE(context.rich());
    return document_of("[1,\"rich\"]");
  };
  run(RefreshReason::emergency);
  ground.run_ready();
  EXPECT_EQ(brought, "1");
  EXPECT_EQ(room.writing.local.found(data), "[1,\"rich\"]");
}

TEST_F(RefreshesTest, emergency_keeps_the_first_document_where_there_is_nothing_to_enrich) {
  run(RefreshReason::emergency);
  ground.run_ready();
  EXPECT_EQ(room.writing.local.found(data), "1");
}

TEST_F(RefreshesTest, emergency_without_a_document_asks_the_rich_callback_nothing) {
  int asked = 0;
  source = [](RefreshContext&) -> RefreshResult { return NotFound{}; };
  rich = [&](RefreshContext&) -> RefreshResult {
    ++asked;
    return NotModified{};
  };
  run(RefreshReason::emergency);
  ground.run_ready();
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(ended, std::vector<Status>{Status::not_found});
}

TEST_F(RefreshesTest, callback_of_a_call_goes_before_the_datasets) {
  run(RefreshReason::emergency, [](RefreshContext&) { return document_of("\"own\""); });
  ground.run_ready();
  EXPECT_EQ(room.writing.local.found(data), "\"own\"");
}

// --- Failures ---

TEST_F(RefreshesTest, failure_is_counted_and_the_source_left_alone_for_a_while) {
  run_failing();
  EXPECT_EQ(data.counters.refresh_failures.read(), 1u);
  EXPECT_EQ(refreshes.why_not_newer(kId).answer, TierAnswer::throttled);
  EXPECT_NE(refreshes.why_not_newer(kId).why.find("down"), std::string::npos);
  EXPECT_TRUE(refreshes.next_try(kId).starts_with("; next try in ")) << refreshes.next_try(kId);
  run();
  ground.run_ready();
  EXPECT_EQ(ended.back(), Status::throttled);
  EXPECT_EQ(data.counters.refresh_failures.read(), 1u) << "who is turned away has not failed";
}

TEST_F(RefreshesTest, source_that_works_again_has_nothing_to_wait_for) {
  run_failing();
  ground.clock->advance(1min);
  source = [](RefreshContext&) { return document_of("1"); };
  run();
  ground.run_ready();
  EXPECT_EQ(ended.back(), Status::saved);
  EXPECT_EQ(refreshes.next_try(kId), "");
  EXPECT_EQ(refreshes.why_not_newer(kId).answer, TierAnswer::not_asked);
}

// --- Looks ---

TEST_F(RefreshesTest, one_look_at_a_time_of_each_key) {
  EXPECT_TRUE(refreshes.begin_look(kId));
  EXPECT_FALSE(refreshes.begin_look(kId));
  EXPECT_TRUE(refreshes.begin_look({"d", "other"}));
  EXPECT_EQ(refreshes.why_not_newer(kId).answer, TierAnswer::refreshing);
  refreshes.end_look(kId);
  EXPECT_EQ(refreshes.why_not_newer(kId).answer, TierAnswer::not_asked);
  EXPECT_TRUE(refreshes.begin_look(kId));
}

TEST_F(RefreshesTest, no_look_begins_while_the_source_is_asked_or_left_alone) {
  source = [&](RefreshContext&) -> RefreshResult {
    EXPECT_FALSE(refreshes.begin_look(kId));
    EXPECT_EQ(refreshes.why_not_newer(kId).answer, TierAnswer::refreshing);
    EXPECT_EQ(refreshes.callbacks_running(), 1);
    throw std::runtime_error("down");
  };
  run();
  ground.run_ready();
  EXPECT_FALSE(refreshes.begin_look(kId));
  EXPECT_EQ(refreshes.callbacks_running(), 0);
  ground.clock->advance(1min);
  EXPECT_TRUE(refreshes.begin_look(kId));
}

TEST_F(RefreshesTest, key_is_armed_again_by_the_clocks_that_its_refresh_brought) {
  DatasetState& scheduled = ground.open("scheduled", [](DatasetPolicy& policy) {
    policy.options.refresh_every = 10min;
    policy.options.refresh_jitter = 0ms;
    policy.refresh = [](RefreshContext&) { return document_of("1"); };
  });
  scheduled.hydrated = true;
  refreshes.run({.dataset = &scheduled, .id = scheduled.id("k")}, {});
  ground.run_for(10min - 1ms);
  EXPECT_TRUE(room.due.empty());
  ground.run_for(1s);
  EXPECT_EQ(room.due.size(), 1u);
}

}  // namespace
}  // namespace tiercache::detail
