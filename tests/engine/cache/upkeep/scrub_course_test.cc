// The course of a scrub: what it leaves to others, what a second look is for, what ends it, and
// whose store it may take from.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/store/scripted_store.h"
#include "engine/cache/upkeep/scrub_fixture.h"
#include "tiercache/error.h"

namespace tiercache::detail {
namespace {

// --- What is on its way ---

TEST_F(ScrubPartTest, what_the_journal_holds_is_left_to_it) {
  have(document(5, "5"));
  ground.store_does(StoreFault::unavailable);
  local.write(data, document(6, "6"));
  ground.run_for(1s);
  ASSERT_EQ(local.file(), "6");
  ground.store_does(StoreFault::none);
  EXPECT_EQ(look(), "1 key, 0 differences, left to the journal 1");
}

TEST_F(ScrubPartTest, what_an_erase_hides_is_left_to_the_outbox_I4) {
  have(document(5, "5"));
  ground.put_row(document(6, "6"));
  ground.store_does(StoreFault::unavailable);
  local.journal_erase("k*", 7);
  ground.store_does(StoreFault::none);
  EXPECT_EQ(look(), "1 key, 0 differences, left to the journal 1");
}

TEST_F(ScrubPartTest, memory_that_is_ahead_of_a_file_which_is_being_written_is_no_difference) {
  have(document(5, "5"));
  local.journal(clocks_record(5, fetched_at(kStart + 1s)));
  local.into_memory(data, document(6, "6"));
  EXPECT_EQ(look(), "1 key, 0 differences, left to the journal 1");
}

// --- The second look ---

TEST_F(ScrubPartTest, row_that_follows_between_the_looks_is_no_difference) {
  have(document(5, "5"));
  ground.put_row(document(4, "4"));
  on_load(2, [this] { ground.put_row(document(5, "5")); });
  EXPECT_EQ(repair(), kSound);
  EXPECT_EQ(ground.store->calls("save"), 0u);
}

TEST_F(ScrubPartTest, file_that_is_written_between_the_looks_is_no_difference) {
  have(document(5, "5"));
  ground.put_row(document(6, "6"));
  on_load(1, [this] { local.into_file(document(6, "6")); });
  EXPECT_EQ(look(), kSound);
}

TEST_F(ScrubPartTest, lost_file_that_is_there_at_the_second_look_was_being_replaced) {
  have(document(5, "5"));
  lose_file();
  on_load(1, [this] { local.into_file(document(5, "5")); });
  EXPECT_EQ(repair(), kSound);
}

TEST_F(ScrubPartTest, write_that_comes_between_the_looks_is_left_to_the_outbox) {
  have(document(5, "5"));
  ground.put_row(document(4, "4"));
  on_load(2, [this] { local.write(data, document(6, "6")); });
  EXPECT_EQ(room.scrub({.repair = true}).to_string(), kSound);
}

TEST_F(ScrubPartTest, difference_is_mended_by_what_the_second_look_shows_I3) {
  have(document(5, "5"));
  ground.put_row(document(4, "4"));
  on_load(2, [this] { ground.put_row(document(6, "6")); });
  EXPECT_EQ(repair(), "1 key, 1 difference, store ahead 1, repaired 1");
  EXPECT_EQ(local.file(), "6");
}

TEST_F(ScrubPartTest, second_look_that_the_store_does_not_answer_ends_it_I13) {
  for (const EntryId& id : {kId, EntryId{"d", "l"}}) {
    have(document(5, "5"), id);
    ground.put_row(document(4, "4"), id);
  }
  ground.store->set_fault([this](const std::string& call) {
    const bool again = call == "load" && ground.store->calls("load") == 2;
    return again ? StoreFault::unavailable : StoreFault::none;
  });
  EXPECT_EQ(look(), "2 keys, 0 differences, ended early (fault asked for by the test)");
  EXPECT_EQ(ground.store->calls("load"), 2u) << "the other key is not asked for any more";
}

// --- What ends it ---

TEST_F(ScrubPartTest, store_that_does_not_answer_ends_it_I13) {
  have(document(5, "5"));
  ground.store->set_fault([](const std::string& call) {
    return call == "load" ? StoreFault::unavailable : StoreFault::none;
  });
  EXPECT_EQ(look(), "1 key, 0 differences, ended early (fault asked for by the test)");
}

TEST_F(ScrubPartTest, store_that_does_not_say_how_far_it_has_purged_ends_it_I4) {
  local.into_file(document(5, "5"));
  ground.store->set_fault([](const std::string& call) {
    return call == "purge" ? StoreFault::unavailable : StoreFault::none;
  });
  EXPECT_EQ(repair(),
            "1 key, 0 differences, ended early (the store did not say how far it has purged)");
  EXPECT_EQ(ground.store->calls("load"), 0u);
}

TEST_F(ScrubPartTest, deadline_that_has_passed_ends_it_before_anybody_is_asked_I7) {
  have(document(5));
  EXPECT_EQ(look({.deadline = 0ms}), "0 keys, 0 differences, ended early (the deadline passed)");
  EXPECT_EQ(ground.store->calls("load") + ground.store->calls("purge"), 0u);
}

TEST_F(ScrubPartTest, pages_have_as_many_keys_as_asked_for_and_a_pause_after_each_I7) {
  for (int n = 0; n < 5; ++n) have(document(5), {"d", std::to_string(n)});
  const SteadyTime began = ground.clock->steady_now();
  EXPECT_EQ(look({.page = 2, .pause = 1s}), "5 keys, 0 differences");
  EXPECT_EQ(ground.store->calls("load"), 3u);
  EXPECT_EQ(ground.clock->steady_now() - began, 3s);
  EXPECT_EQ(look({.page = 2, .pause = 1s, .deadline = 1500ms}),
            "4 keys, 0 differences, ended early (the deadline passed)");
  EXPECT_EQ(ground.clock->steady_now() - began, 4500ms);
}

TEST_F(ScrubPartTest, page_is_of_one_to_ten_thousand_keys) {
  EXPECT_THROW(look({.page = 0}), BadConfiguration);
  EXPECT_THROW(look({.page = 10'001}), BadConfiguration);
  EXPECT_EQ(look({.page = 10'000}), "0 keys, 0 differences");
}

TEST_F(ScrubPartTest, cache_that_closes_ends_it) {
  for (int n = 0; n < 2; ++n) have(document(5), {"d", std::to_string(n)});
  on_load(1, [this] { ground.runtime.tasks.close(); });
  EXPECT_EQ(look({.page = 1}), "1 key, 0 differences, ended early (the cache was closed)");
}

TEST_F(ScrubPartTest, what_was_mended_is_synced_or_the_report_says_so_I13) {
  have(document(5, "5"));
  local.into_memory(data, document(6, "6"));
  ground.refuse(EIO, {"sync_all"}, "");
  EXPECT_EQ(repair(),
            "1 key, 1 difference, memory differs 1, repaired 1, ended early (the disk did not take "
            "what was mended for good)");
  ground.disk_works();
}

// The outbox may have backed off from a store that was away.
TEST_F(ScrubPartTest, what_is_sent_again_goes_at_once_with_all_that_waits) {
  have(document(5, "5"));
  ground.store_does(StoreFault::unavailable);
  local.write(data, document(6, "6"), {"d", "waits"});
  room.writing.store_writer.wake();
  ground.run_for(1min);
  ground.store_does(StoreFault::none);
  ground.put_row(document(4, "4"));
  EXPECT_EQ(room.scrub({.repair = true}).repaired, 1u);
  ground.run_ready();
  EXPECT_EQ(row(), "5");
  EXPECT_EQ(row({"d", "waits"}), "6");
}

// --- Datasets ---

TEST_F(ScrubPartTest, one_dataset_alone_is_compared_where_that_is_asked_for) {
  have(document(5));
  have(document(5), {"e", "k"});
  have(document(5), {"e", "l"});
  EXPECT_EQ(look({.dataset = "e"}), "2 keys, 0 differences");
  EXPECT_EQ(look(), "3 keys, 0 differences");
}

TEST_F(ScrubPartTest, dataset_that_is_not_open_is_mended_as_well) {
  const EntryId closed{"closed", "k"}, other{"closed", "other"};
  have(document(5, "5"), closed);
  ground.put_row(document(6, "6"), closed);
  have(document(5, "here"), other);
  ground.put_row(document(5, "there"), other);
  EXPECT_EQ(repair(), "2 keys, 2 differences, store ahead 1, store differs 1, repaired 2");
  EXPECT_EQ(local.file(closed), "6");
  EXPECT_EQ(local.file(other), "there");
}

// --- Whose store it is ---

TEST_F(ScrubPartTest, repair_of_everything_says_that_this_store_is_meant) {
  local.belong_to_another_store();
  have(document(5, "5"));
  ground.put_row(document(6, "6"));
  local.into_file(document(5, "lacked"), {"d", "lacked"});
  ground.purge_up_to(9);
  EXPECT_EQ(repair(), "2 keys, 2 differences, store ahead 1, store missing 1, repaired 2");
  EXPECT_EQ(local.file(), "6");
  EXPECT_EQ(local.file({"d", "lacked"}), "lacked") << "its horizon told nothing of our entries";
  EXPECT_EQ(room.writing.store.accepted, std::vector<bool>{true});
}

TEST_F(ScrubPartTest, repair_of_one_dataset_takes_nothing_from_another_store_I1) {
  local.belong_to_another_store();
  have(document(5, "5"));
  ground.put_row(document(6, "6"));
  local.into_file(document(5, "lacked"), {"d", "lacked"});
  const ScrubReport report = room.scrub({.dataset = "d", .repair = true});
  EXPECT_EQ(report.store_ahead, 1u);
  EXPECT_EQ(report.failed, 1u);
  EXPECT_EQ(report.store_missing, 1u);
  EXPECT_EQ(report.repaired, 1u) << "what it lacks is in the outbox, which waits";
  EXPECT_NE(report.why.find("belongs to another store"), std::string::npos) << report.why;
  EXPECT_EQ(local.file(), "5");
  EXPECT_TRUE(room.writing.store.accepted.empty());
}

TEST_F(ScrubPartTest, repair_of_one_dataset_takes_from_the_store_that_was_reset_and_is_no_word) {
  local.belong_to_another_store("memory");
  have(document(5, "5"));
  ground.put_row(document(6, "6"));
  EXPECT_EQ(room.scrub({.dataset = "d", .repair = true}).repaired, 1u);
  EXPECT_EQ(local.file(), "6");
  EXPECT_TRUE(room.writing.store.accepted.empty());
}

TEST_F(ScrubPartTest, store_is_not_accepted_by_a_look_nor_by_a_repair_that_is_not_whole_I1) {
  local.belong_to_another_store();
  have(document(5, "5"));
  look();
  on_load(1, [this] { ground.clock->advance(1s); });
  EXPECT_FALSE(room.scrub({.repair = true, .deadline = 1s}).complete);
  ground.refuse(EIO, {"read_file"}, "/data/");
  EXPECT_EQ(room.scrub({.repair = true}).failed, 1u);
  ground.disk_works();
  EXPECT_TRUE(room.writing.store.accepted.empty());
}

// --- What it asks of the store ---

class ScrubBesideScriptedStoreTest : public ScrubPartTest {
 protected:
  ScrubBesideScriptedStoreTest()
      : ScrubBesideScriptedStoreTest(std::make_shared<ScriptedStore>()) {}
  explicit ScrubBesideScriptedStoreTest(std::shared_ptr<ScriptedStore> scripted)
      : ScrubPartTest([&](CacheOptions& options) { options.store = scripted; }),
        store(std::move(scripted)) {
    local.into_file(document(5));
  }

  const std::shared_ptr<ScriptedStore> store;
};

TEST_F(ScrubBesideScriptedStoreTest, every_call_ends_by_its_deadline_I7) {
  const SteadyTime by = ground.in(1s);
  EXPECT_EQ(look({.deadline = 1s}), "1 key, 1 difference, store missing 1");
  EXPECT_EQ(store->deadlines, std::vector<SteadyTime>(3, by)) << "horizon, page, second look";
}

TEST_F(ScrubBesideScriptedStoreTest, circuit_breaker_that_is_open_stops_no_call_asked_for_by_name) {
  store->purges = false;
  store->on_load = [](LoadReply& reply) { reply.status = StoreStatus::unavailable; };
  while (!room.writing.store.calls.breaker()->state().open) look();
  store->on_load = {};
  EXPECT_EQ(look(), "1 key, 1 difference, store missing 1");
}

// --- Without a store, and with bounds ---

class ScrubAloneTest : public ScrubPartTest {
 protected:
  ScrubAloneTest() : ScrubPartTest([](CacheOptions& options) { options.store = nullptr; }) {}
};

TEST_F(ScrubAloneTest, files_and_memory_are_compared_without_a_store) {
  local.into_file(document(5, "5"));
  EXPECT_EQ(repair(), kSound);
  local.into_memory(data, document(6, "6"));
  EXPECT_EQ(repair(), "1 key, 1 difference, memory differs 1, repaired 1");
  lose_file();
  EXPECT_EQ(look(), "1 key, 1 difference, file lost 1, repaired 1") << "memory alone has it";
}

class ScrubOfBoundedFilesTest : public ScrubPartTest {
 protected:
  ScrubOfBoundedFilesTest()
      : ScrubPartTest([](CacheOptions& options) { options.files.max_entries = 100; }) {}
};

TEST_F(ScrubOfBoundedFilesTest, file_that_another_process_evicted_is_not_lost) {
  have(document(5, "5"));
  lose_file();
  EXPECT_EQ(repair(), kSound);
  EXPECT_EQ(local.file(), "<nothing>");
}

TEST_F(ScrubOfBoundedFilesTest, file_whose_row_is_older_or_missing_was_not_evicted) {
  have(document(5, "5"));
  lose_file();
  ground.put_row(document(4, "4"));
  EXPECT_EQ(look(), "1 key, 1 difference, file lost 1");
  local.into_file(document(5, "5"));
  lose_file();
  ground.store->drop_row("test", kId);
  EXPECT_EQ(look(), "1 key, 1 difference, file lost 1");
}

TEST_F(ScrubOfBoundedFilesTest, damaged_file_was_not_evicted_I9) {
  have(document(5, "5"));
  damage_file();
  EXPECT_EQ(repair(), "1 key, 1 difference, file corrupt 1, repaired 1");
  EXPECT_EQ(local.file(), "5");
}

}  // namespace
}  // namespace tiercache::detail
