// What becomes of the source's answer: it counts only while what it was asked with still stands.
#include "cache/refreshing/answers.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

using Status = FlightResult::Status;

NewDocument answer(const std::string& text) {
  NewDocument answer;
  answer.document = std::make_shared<const std::string>(text);
  return answer;
}

class AnswersTest : public ::testing::Test {
 protected:
  RefreshStart start(Cadence cadence = Cadence::normal) {
    request.cadence = cadence;
    return answers.start(request);
  }
  FlightResult apply(const RefreshStart& start, RefreshResult result) {
    FlightResult ended;
    int calls = 0;
    answers.apply(request, start, std::move(result), [&](const FlightResult& how) {
      ended = how;
      ++calls;
    });
    EXPECT_EQ(calls, 1);
    return ended;
  }
  Version put(std::string text) {
    return writing.write(WritingRoom::change(data, std::move(text))).version;
  }
  std::string found() { return local.found(data); }
  std::string in_memory() { return local.in_memory(data); }

  Ground ground;
  RefreshingRoom room{ground};
  WritingRoom& writing = room.writing;
  LocalRoom& local = writing.local;
  Answers& answers = room.answers;
  DatasetState& data = ground.open("d", [](DatasetPolicy& policy) {
    policy.rich_refresh = [](RefreshContext&) -> RefreshResult { return NotModified{}; };
  });
  RefreshRequest request{.dataset = &data, .id = kId, .reason = RefreshReason::behind};
};

// --- The start ---

TEST_F(AnswersTest, refresh_of_an_unknown_key_begins_with_nothing_and_is_guarded_by_its_start) {
  const RefreshStart begun = start();
  EXPECT_EQ(begun.previous, nullptr);
  EXPECT_TRUE(begun.base.is_zero() && begun.known.is_zero());
  EXPECT_GT(begun.guard, begun.begun) << "what the store has by now is older";
  EXPECT_EQ(begun.at, kStart);
}

TEST_F(AnswersTest, refresh_begins_with_the_document_that_a_read_would_find) {
  const Version there = put("1");
  const RefreshStart begun = start();
  EXPECT_EQ(text_of(begun.previous), "1");
  EXPECT_EQ(begun.base, there);
  EXPECT_EQ(begun.guard, there);
  EXPECT_GT(begun.begun, there);
}

TEST_F(AnswersTest, refresh_of_what_an_erase_hides_begins_with_nothing_and_knows_of_the_erase_I4) {
  const Version there = put("1");
  ASSERT_TRUE(local.file_writer.flush());
  local.tiers.memory().remove(data.ref("k"), there);
  local.journal_erase("*", ground.runtime.versions.next().time);
  const RefreshStart begun = start();
  EXPECT_EQ(begun.previous, nullptr);
  EXPECT_EQ(begun.base, there);
  EXPECT_GT(begun.known, there);
  EXPECT_EQ(begun.guard, begun.known);
}

TEST_F(AnswersTest, document_that_does_not_decode_is_no_previous_one) {
  Change other = WritingRoom::change(data, "1");
  other.entry.cache_version = "0.9";
  const Version there = writing.write(std::move(other)).version;
  const RefreshStart begun = start();
  EXPECT_EQ(begun.previous, nullptr) << "«not modified» would leave it so for ever";
  EXPECT_EQ(begun.base, there);
}

TEST_F(AnswersTest, both_callbacks_run_in_an_emergency_and_where_there_is_nothing_to_enrich) {
  EXPECT_TRUE(start().both);
  put("1");
  EXPECT_FALSE(start().both);
  request.reason = RefreshReason::emergency;
  EXPECT_TRUE(start().both);
  EXPECT_FALSE(start(Cadence::rich).both);
  request.cadence = Cadence::normal;
  request.callback = [](RefreshContext&) -> RefreshResult { return NotModified{}; };
  EXPECT_FALSE(answers.start(request).both) << "a callback of the call's own runs alone";
}

// --- A document ---

TEST_F(AnswersTest, document_is_saved_as_fetched_when_the_source_was_asked) {
  put("1");
  const RefreshStart begun = start();
  ground.clock->advance(3s);
  EXPECT_EQ(apply(begun, answer("2")).status, Status::saved);
  EXPECT_EQ(found(), "2");
  EXPECT_EQ(local.tiers.known(&data, kId).standing()->clocks.last_fetch, begun.at);
}

TEST_F(AnswersTest, answer_that_a_write_came_before_is_dropped_and_that_is_no_failure_I5) {
  put("1");
  const RefreshStart begun = start();
  put("newer");
  EXPECT_EQ(apply(begun, answer("\"late\"")).status, Status::saved);
  EXPECT_EQ(found(), "newer");
}

TEST_F(AnswersTest, answer_of_a_key_that_was_unknown_and_is_written_since_is_dropped_I5) {
  const RefreshStart begun = start();
  put("newer");
  apply(begun, answer("\"late\""));
  EXPECT_EQ(found(), "newer");
}

TEST_F(AnswersTest, answer_of_a_key_erased_since_does_not_bring_it_back_I4) {
  put("1");
  const RefreshStart begun = start();
  writing.write(WritingRoom::erase_matching(data, "*"));
  apply(begun, answer("\"late\""));
  EXPECT_EQ(found(), "<tombstone>");
}

TEST_F(AnswersTest, rich_answer_moves_the_rich_clock_alone_and_an_emergency_moves_both) {
  put("1");
  ground.clock->advance(1h);
  apply(start(Cadence::rich), answer("2"));
  Clocks clocks = local.tiers.known(&data, kId).standing()->clocks;
  EXPECT_EQ(clocks.last_fetch, kStart);
  EXPECT_EQ(clocks.last_rich_fetch, kStart + 1h);
  ground.clock->advance(1h);
  request.reason = RefreshReason::emergency;
  apply(start(), answer("3"));
  clocks = local.tiers.known(&data, kId).standing()->clocks;
  EXPECT_EQ(clocks.last_fetch, kStart + 2h);
  EXPECT_EQ(clocks.last_rich_fetch, kStart + 2h);
}

TEST_F(AnswersTest, lifetime_of_the_call_goes_before_that_of_the_answer) {
  NewDocument short_lived = answer("1");
  short_lived.fresh_for = 5s;
  apply(start(), short_lived);
  EXPECT_EQ(local.tiers.newest(kId)->fresh_for, 5s);
  request.ttl = 7s;
  short_lived.document = answer("2").document;
  apply(start(), short_lived);
  EXPECT_EQ(local.tiers.newest(kId)->fresh_for, 7s);
}

TEST_F(AnswersTest, answer_that_is_not_acceptable_fails_and_leaves_what_is_there_I2) {
  put("1");
  const RefreshStart begun = start();
  NewDocument odd_metadata = answer("2");
  odd_metadata.metadata = "[]";
  for (const NewDocument& bad : {NewDocument{}, answer("{"), odd_metadata}) {
    EXPECT_EQ(apply(begun, bad).status, Status::failed);
  }
  EXPECT_EQ(found(), "1");
}

TEST_F(AnswersTest, answer_that_the_dataset_refuses_fails) {
  DatasetState& picky = ground.open("picky", [](DatasetPolicy& policy) {
    policy.validate = [](const void*) -> bool { throw 1; };
  });
  request.dataset = &picky;
  request.id = {"picky", "k"};
  EXPECT_EQ(apply(start(), answer("1")).status, Status::failed);
  EXPECT_EQ(local.found(picky, request.id), "<nothing>");
}

TEST_F(AnswersTest, answer_that_no_durable_tier_takes_fails_and_says_so_I13) {
  const RefreshStart begun = start();
  ground.refuse(ENOSPC, {"open", "write_at", "sync_data"}, "/cache/journal/");
  ground.store_does(StoreFault::unavailable);
  const auto ended = std::make_shared<std::optional<FlightResult>>();
  answers.apply(request, begun, answer("1"), [ended](const FlightResult& how) { *ended = how; });
  ground.run_ready();
  ASSERT_TRUE(*ended);
  EXPECT_EQ((*ended)->status, Status::failed);
  EXPECT_NE((*ended)->why.find("could not be saved"), std::string::npos);
}

// --- Not modified ---

TEST_F(AnswersTest, not_modified_moves_the_clock_of_what_is_there) {
  put("1");
  ground.clock->advance(1h);
  EXPECT_EQ(apply(start(), NotModified{"{\"etag\":\"2\"}"}).status, Status::not_modified);
  const auto newest = local.tiers.newest(kId);
  EXPECT_EQ(*newest->document, "1");
  EXPECT_EQ(newest->clocks.last_fetch, kStart + 1h);
  EXPECT_EQ(newest->metadata, "{\"etag\":\"2\"}");
  EXPECT_EQ(data.counters.not_modified.read(), 1u);
}

TEST_F(AnswersTest, not_modified_where_nothing_is_cached_or_with_odd_metadata_fails) {
  EXPECT_EQ(apply(start(), NotModified{}).status, Status::failed);
  put("1");
  EXPECT_EQ(apply(start(), NotModified{"[]"}).status, Status::failed);
  EXPECT_EQ(data.counters.not_modified.read(), 0u);
}

// --- Not found ---

TEST_F(AnswersTest, nothing_found_is_remembered_for_a_while) {
  EXPECT_EQ(apply(start(), NotFound{}).status, Status::not_found);
  EXPECT_EQ(in_memory(), "<not found>");
  const auto found = local.tiers.memory().peek(data.ref("k"));
  EXPECT_EQ(found.lifetimes.trusted_until,
            ground.runtime.now().ticks + data.policy.options.not_found_for.count());
  EXPECT_EQ(data.counters.not_found.read(), 1u);
}

TEST_F(AnswersTest, nothing_found_is_not_remembered_where_the_dataset_does_not_want_it) {
  DatasetState& forgetful =
      ground.open("forgetful", [](DatasetPolicy& policy) { policy.options.not_found_for = 0ms; });
  request.dataset = &forgetful;
  request.id = {"forgetful", "k"};
  EXPECT_EQ(apply(start(), NotFound{}).status, Status::not_found);
  EXPECT_EQ(local.in_memory(forgetful, request.id), "<nothing>");
}

TEST_F(AnswersTest, nothing_found_does_not_hide_what_was_written_since_I5) {
  RefreshStart begun = start();
  put("1");
  apply(begun, NotFound{});
  EXPECT_EQ(in_memory(), "1");
}

// Memory would not know of it.
TEST_F(AnswersTest, nothing_found_does_not_hide_what_is_in_its_file_alone_by_now_I5) {
  const RefreshStart begun = start();
  const Version there = put("1");
  ASSERT_TRUE(local.file_writer.flush());
  local.tiers.memory().remove(data.ref("k"), there);
  apply(begun, NotFound{});
  EXPECT_EQ(in_memory(), "<nothing>");
  EXPECT_EQ(found(), "1");
}

TEST_F(AnswersTest, nothing_found_does_not_hide_a_write_that_is_under_way_I5) {
  const RefreshStart begun = start();
  Change under_way = WritingRoom::change(data, "1");
  ASSERT_FALSE(writing.stamps.stamp(under_way, ground.in(1s)));
  apply(begun, NotFound{});
  EXPECT_EQ(in_memory(), "<nothing>");
  writing.stamps.end(under_way);
}

TEST_F(AnswersTest, tombstone_on_its_way_to_its_file_keeps_its_place_in_memory_I4) {
  writing.write(WritingRoom::erase(data));
  const RefreshStart begun = start();
  apply(begun, NotFound{});
  EXPECT_EQ(in_memory(), "<tombstone>");
  ASSERT_TRUE(local.file_writer.flush());
  apply(start(), NotFound{});
  EXPECT_EQ(in_memory(), "<not found>") << "its file has it by now";
}

TEST_F(AnswersTest, document_that_the_source_has_no_more_stays_unless_the_dataset_erases) {
  put("1");
  EXPECT_EQ(apply(start(), NotFound{}).status, Status::not_found);
  EXPECT_EQ(in_memory(), "1");
  DatasetState& erasing =
      ground.open("erasing", [](DatasetPolicy& policy) { policy.options.not_found_erases = true; });
  writing.write(WritingRoom::change(erasing, "1"));
  request.dataset = &erasing;
  request.id = {"erasing", "k"};
  EXPECT_EQ(apply(start(), NotFound{}).status, Status::not_found);
  EXPECT_EQ(local.found(erasing, request.id), "<tombstone>");
}

TEST_F(AnswersTest, erase_for_what_was_not_found_gives_way_to_a_write_since_I5) {
  DatasetState& erasing =
      ground.open("erasing", [](DatasetPolicy& policy) { policy.options.not_found_erases = true; });
  writing.write(WritingRoom::change(erasing, "1"));
  request.dataset = &erasing;
  request.id = {"erasing", "k"};
  const RefreshStart begun = start();
  writing.write(WritingRoom::change(erasing, "newer"));
  apply(begun, NotFound{});
  EXPECT_EQ(local.found(erasing, request.id), "newer");
}

}  // namespace
}  // namespace tiercache::detail
