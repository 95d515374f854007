// One read on its way through the tiers: what each says, and what is left behind it.
#include "cache/reading/read_op.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

class ReadOpTest : public ::testing::Test {
 protected:
  // To its end, running what has to be run.
  ReadResult read(ReadRequest request = {}) {
    request.dataset = &data;
    request.key = "k";
    const auto op = std::make_shared<ReadOp>(room.parts, std::move(request));
    if (auto result = op->local()) {
      ended_locally = true;
      return *std::move(result);
    }
    ended_locally = false;
    const auto ended = std::make_shared<std::optional<ReadResult>>();
    op->remote([ended](ReadResult result) {
      EXPECT_FALSE(*ended) << "told twice";
      *ended = std::move(result);
    });
    EXPECT_TRUE(ground.executor->run_until([ended] { return ended->has_value(); }));
    return **ended;
  }
  // By a reader who takes nothing stale.
  ReadResult read_fresh() {
    ReadRequest request;
    request.max_stale = 0ms;
    return read(std::move(request));
  }
  ReadResult read_local() {
    ReadRequest request;
    request.reach = Reach::local;
    return read(std::move(request));
  }
  static std::string served(const ReadResult& result) {
    return result.resident ? text_of(EntryPtr(result.resident, &result.resident->entry))
                           : "<nothing>";
  }
  void into_file(const Entry& entry) { local.into_file(entry); }
  void into_memory(const Entry& entry, MemoryTier::Pin pin = MemoryTier::Pin::no) {
    const Lifetimes lifetimes = judge(entry, data.ages, ground.runtime.now());
    local.tiers.memory().put(data.ref("k"), data.resident_of(entry), lifetimes, pin);
  }
  void outlive_trust() { ground.clock->advance(ground.runtime.options.memory.ttl); }
  void outlive_freshness() { ground.clock->advance(25h); }
  void damage_file() { ground.disk->write("/cache/data/" + entry_path(kId), "torn"); }
  static RefreshResult document_of(const std::string& text) {
    NewDocument answer;
    answer.document = std::make_shared<const std::string>(text);
    return answer;
  }

  Ground ground;
  ReadingRoom room{ground};
  LocalRoom& local = room.refreshing.writing.local;
  Callback source;
  int asked = 0;  // the source
  DatasetState& data = ground.open();
  bool ended_locally = false;
};

// With a source.
class ReadOpSourceTest : public ReadOpTest {
 protected:
  ReadRequest asking() {
    ReadRequest request;
    request.callback = [this](RefreshContext& context) {
      ++asked;
      return source ? source(context) : document_of("\"source\"");
    };
    return request;
  }
};

// --- Memory ---

TEST_F(ReadOpTest, fresh_entry_that_memory_vouches_for_ends_the_read_without_io_I6) {
  into_memory(document(5, "memory"));
  into_file(document(6, "file"));
  const ReadResult result = read();
  EXPECT_EQ(served(result), "memory");
  EXPECT_EQ(result.tier, Tier::memory);
  EXPECT_TRUE(ended_locally);
  EXPECT_EQ(data.counters.memory_hits.read(), 1u);
}

TEST_F(ReadOpTest, what_was_not_found_a_moment_ago_is_not_looked_for_again) {
  auto resident = std::make_shared<Resident>();
  resident->kind = ResidentKind::not_found;
  const Ticks until = ground.runtime.now().ticks + 1'000;
  local.tiers.memory().put(data.ref("k"), resident, {until, until, until, 0}, MemoryTier::Pin::no);
  ground.put_row(document(5, "row"));
  ReadResult result = read();
  EXPECT_EQ(served(result), "<nothing>");
  EXPECT_EQ(result.passage->memory, TierAnswer::not_found);
  ReadRequest behind;
  behind.behind = true;
  EXPECT_EQ(served(read(std::move(behind))), "row") << "but for who looks behind the readers";
}

TEST_F(ReadOpTest, tombstone_that_memory_vouches_for_leads_past_the_files_to_the_store) {
  into_memory(tombstone(5));
  const ReadResult result = read();
  EXPECT_EQ(served(result), "<nothing>");
  EXPECT_EQ(result.passage->memory, TierAnswer::gone);
  EXPECT_EQ(result.passage->files, TierAnswer::not_asked);
  EXPECT_EQ(result.passage->store, TierAnswer::miss);
}

TEST_F(ReadOpTest, read_of_memory_alone_does_no_io) {
  into_file(document(5));
  ReadRequest request;
  request.reach = Reach::memory;
  EXPECT_EQ(served(read(std::move(request))), "<nothing>");
}

// --- Files ---

TEST_F(ReadOpTest, file_is_promoted_and_looked_at_again_once_trust_is_over) {
  into_file(document(5, "file"));
  EXPECT_EQ(read_local().tier, Tier::files);
  EXPECT_EQ(read_local().tier, Tier::memory);
  outlive_trust();
  EXPECT_EQ(read_local().tier, Tier::files);
  EXPECT_EQ(read_local().tier, Tier::memory) << "and trusted again";
}

TEST_F(ReadOpTest, corrupt_file_is_kept_aside_and_healed_from_memory_I2_I9) {
  into_file(document(5, "5"));
  into_memory(document(5, "5"));
  damage_file();
  outlive_trust();
  const ReadResult result = read_local();
  EXPECT_EQ(served(result), "5");
  ASSERT_NE(result.resident, nullptr);
  EXPECT_EQ(local.file_writer.waiting(), 1u);
  ground.run_for(1s);
  EXPECT_EQ(local.file(), "5");
}

TEST_F(ReadOpTest, corrupt_file_that_memory_knows_nothing_of_is_not_served_nor_written_I2) {
  into_file(document(5, "5"));
  damage_file();
  const ReadResult result = read_local();
  EXPECT_EQ(served(result), "<nothing>");
  EXPECT_EQ(result.passage->files, TierAnswer::corrupt);
  EXPECT_EQ(local.file_writer.waiting(), 0u);
}

TEST_F(ReadOpTest, corrupt_file_is_healed_from_the_store_I9) {
  into_file(document(5, "5"));
  damage_file();
  ground.put_row(document(5, "5"));
  EXPECT_EQ(read().tier, Tier::store);
  ground.run_ready();
  EXPECT_EQ(local.file(), "5");
}

// The store may lag behind what cannot be read here.
TEST_F(ReadOpTest, older_row_is_not_served_for_a_file_that_cannot_be_read_now_I3) {
  into_file(document(5, "5"));
  ground.put_row(document(4, "4"));
  ground.refuse(EIO, {"read_file"}, "/data/");
  ReadResult result = read();
  EXPECT_EQ(served(result), "<nothing>");
  EXPECT_EQ(result.passage->files, TierAnswer::unavailable);
  ground.put_row(document(6, "6"));
  EXPECT_EQ(served(read()), "6");
}

TEST_F(ReadOpTest, file_that_went_away_is_forgotten_and_the_store_asked) {
  into_file(document(5, "5"));
  into_memory(document(5, "5"));
  ground.disk->remove("/cache/data/" + entry_path(kId));
  outlive_trust();
  EXPECT_EQ(served(read_local()), "<nothing>");
  EXPECT_FALSE(local.tiers.index().find(kId));
  ground.put_row(document(4, "row"));
  EXPECT_EQ(served(read()), "row") << "nothing here stands against it any more";
}

TEST_F(ReadOpTest, write_on_its_way_to_its_file_is_served_whatever_the_file_says_I1) {
  into_memory(document(5, "pinned"), MemoryTier::Pin::yes);
  outlive_trust();
  EXPECT_EQ(served(read_local()), "pinned");
  into_file(document(4, "older"));
  outlive_trust();
  const ReadResult result = read_local();
  EXPECT_EQ(served(result), "pinned");
  EXPECT_EQ(result.tier, Tier::memory);
  EXPECT_EQ(read_local().passage, nullptr) << "it is trusted again";
}

// The store refused what memory has, and another process took the winner into the file.
TEST_F(ReadOpTest, older_file_tells_that_what_memory_has_was_refused_I5) {
  into_memory(document(5, "refused"));
  into_file(document(4, "row"));
  outlive_trust();
  EXPECT_EQ(served(read_local()), "row");
  EXPECT_EQ(local.in_memory(data), "row");
}

TEST_F(ReadOpTest, file_of_another_format_of_the_dataset_is_not_served) {
  Entry other = document(5);
  other.cache_version = "0.9";
  into_file(other);
  const ReadResult result = read_local();
  EXPECT_EQ(served(result), "<nothing>");
  EXPECT_EQ(result.passage->files, TierAnswer::undecodable);
  EXPECT_EQ(data.counters.undecodable.read(), 1u);
}

// --- The store ---

TEST_F(ReadOpTest, row_is_served_and_then_brought_into_the_file) {
  ground.put_row(document(5, "row"));
  EXPECT_EQ(read().tier, Tier::store);
  ground.run_ready();
  EXPECT_EQ(local.file(), "row");
  EXPECT_EQ(local.in_memory(data), "row");
}

TEST_F(ReadOpTest, row_that_gave_way_to_a_write_meanwhile_does_not_reach_the_file_I3) {
  ground.put_row(document(5, "row"));
  EXPECT_EQ(read().tier, Tier::store);
  into_memory(document(6, "newer"), MemoryTier::Pin::yes);
  ground.run_ready();
  EXPECT_EQ(local.file(), "<nothing>");
}

TEST_F(ReadOpTest, row_that_an_erase_hides_is_not_served_I4) {
  ground.put_row(document(5, "row"));
  local.journal_erase("*", 6);
  const ReadResult result = read();
  EXPECT_EQ(served(result), "<nothing>");
  EXPECT_EQ(result.passage->store, TierAnswer::gone);
}

TEST_F(ReadOpTest, row_that_is_a_tombstone_takes_what_is_here_along_I4) {
  into_file(document(5, "5"));
  outlive_freshness();
  ground.put_row(tombstone(6));
  EXPECT_EQ(served(read_fresh()), "<nothing>");
  ground.run_ready();
  EXPECT_EQ(local.file(), "<tombstone>");
}

TEST_F(ReadOpTest, row_of_a_store_that_is_not_the_directorys_is_served_and_not_kept_I1) {
  StoreRoom& store = room.refreshing.writing.store;
  local.belong_to_another_store();
  store.identity.seen("1");
  ASSERT_FALSE(store.identity.may_keep());
  ground.put_row(document(5, "row"));
  EXPECT_EQ(served(read()), "row");
  ground.run_ready();
  EXPECT_EQ(local.file(), "<nothing>");
  into_file(document(4, "ours"));
  ground.put_row(tombstone(6));
  local.tiers.memory().remove(data.ref("k"), version(9));
  outlive_freshness();
  EXPECT_EQ(served(read_fresh()), "<nothing>");
  ground.run_ready();
  EXPECT_EQ(local.file(), "ours");
}

TEST_F(ReadOpTest, document_that_the_store_lacks_below_its_horizon_is_dropped_here_I4) {
  into_file(document(5, "5"));
  outlive_freshness();
  ground.put_row(tombstone(9), {"d", "other"});
  PurgeRequest request;
  request.tombstones_below = version(10);
  room.refreshing.writing.store.horizon.purge(request, Breaker::Urgency::forced);
  EXPECT_EQ(served(read_fresh()), "<nothing>");
  EXPECT_EQ(local.file(), "<nothing>");
}

TEST_F(ReadOpTest, document_that_the_store_lacks_and_may_not_have_got_yet_stays_I1) {
  into_file(document(5, "5"));
  outlive_freshness();
  EXPECT_EQ(served(read_fresh()), "<nothing>");
  EXPECT_EQ(local.file(), "5");
}

TEST_F(ReadOpTest, passage_says_how_the_store_failed_I13) {
  ground.store_does(StoreFault::unavailable);
  EXPECT_EQ(read().passage->store, TierAnswer::unavailable);
  ground.clock->advance(1h);
  ground.store_does(StoreFault::unknown_undone);
  EXPECT_EQ(read().passage->store, TierAnswer::timed_out);
  ground.clock->advance(1h);
  ground.store->set_fault({});
  ground.put_row(document(5));
  ground.store->corrupt_row("test", kId, "torn");
  EXPECT_EQ(read().passage->store, TierAnswer::corrupt);
}

TEST_F(ReadOpTest, store_that_hangs_ends_the_read_at_its_deadline_with_what_there_is_I7) {
  std::optional<ReadResult> at_deadline;
  ReadRequest request;
  request.dataset = &data;
  request.key = "k";
  request.deadline = ground.in(1s);
  const auto op = std::make_shared<ReadOp>(room.parts, std::move(request));
  ASSERT_FALSE(op->local());
  ground.store->on_call([&](const std::string&) { ground.executor->sleep_for(1min); });
  int told = 0;
  SteadyTime when{};
  op->remote([&](ReadResult result) {
    ++told;
    when = ground.clock->steady_now();
    at_deadline = std::move(result);
  });
  const SteadyTime until = ground.in(1s);
  ground.run_for(2min);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(when, until);
  EXPECT_EQ(at_deadline->passage->store, TierAnswer::timed_out);
}

// --- The source ---

TEST_F(ReadOpSourceTest, source_is_asked_last_and_its_document_served) {
  const ReadResult result = read(asking());
  EXPECT_EQ(served(result), "\"source\"");
  EXPECT_EQ(result.tier, Tier::source);
  EXPECT_EQ(result.passage->store, TierAnswer::miss);
  EXPECT_EQ(data.counters.source_hits.read(), 1u);
}

TEST_F(ReadOpSourceTest, document_that_memory_has_no_room_for_is_served_from_its_file) {
  Ground small([](CacheOptions& options) { options.memory.max_bytes = 0; });
  ReadingRoom reading(small);
  DatasetState& dataset = small.open();
  ReadRequest request = asking();
  request.dataset = &dataset;
  request.key = "k";
  const auto op = std::make_shared<ReadOp>(reading.parts, std::move(request));
  ASSERT_FALSE(op->local());
  std::string text;
  op->remote([&](const ReadResult& result) { text = served(result); });
  small.run_for(1s);
  EXPECT_EQ(text, "\"source\"");
}

TEST_F(ReadOpSourceTest, failing_source_leaves_what_is_stale_and_says_why) {
  source = [](RefreshContext&) -> RefreshResult { throw std::runtime_error("down"); };
  ReadResult result = read(asking());
  EXPECT_EQ(served(result), "<nothing>");
  EXPECT_EQ(result.passage->source, TierAnswer::failed);
  EXPECT_NE(result.passage->source_why.find("down; next try in"), std::string::npos);
  result = read(asking());
  EXPECT_EQ(result.passage->source, TierAnswer::throttled);
  EXPECT_EQ(asked, 1);
}

TEST_F(ReadOpSourceTest, stale_entry_is_served_at_once_and_a_look_behind_it_asked_for_I6) {
  into_file(document(5, "stale"));
  outlive_freshness();
  const ReadResult result = read(asking());
  EXPECT_EQ(served(result), "stale");
  EXPECT_EQ(result.freshness, Freshness::stale);
  EXPECT_EQ(result.passage->source, TierAnswer::refreshing);
  EXPECT_EQ(room.stale, std::vector<std::string>{"k"});
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(data.counters.stale_served.read(), 1u);
}

TEST_F(ReadOpSourceTest, emergency_refreshes_that_are_switched_off_ask_no_source) {
  Ground off([](CacheOptions& options) { options.flags.emergency_refresh = false; });
  ReadingRoom reading(off);
  DatasetState& dataset = off.open();
  ReadRequest request = asking();
  request.dataset = &dataset;
  const auto op = std::make_shared<ReadOp>(reading.parts, std::move(request));
  ASSERT_FALSE(op->local());
  TierAnswer said = TierAnswer::hit;
  op->remote([&](const ReadResult& result) { said = result.passage->source; });
  off.run_ready();
  EXPECT_EQ(said, TierAnswer::disabled);
  EXPECT_EQ(asked, 0);
}

TEST_F(ReadOpSourceTest, cache_that_closes_asks_no_source) {
  ground.runtime.tasks.close();
  EXPECT_EQ(read(asking()).passage->source, TierAnswer::unavailable);
  EXPECT_EQ(asked, 0);
}

TEST_F(ReadOpSourceTest, read_whose_deadline_passes_leaves_the_refresh_running_I7) {
  source = [this](RefreshContext&) {
    ground.executor->sleep_for(10s);
    return document_of("\"late\"");
  };
  ReadRequest request = asking();
  request.deadline = ground.in(1s);
  const ReadResult result = read(std::move(request));
  EXPECT_EQ(served(result), "<nothing>");
  EXPECT_EQ(result.passage->source, TierAnswer::timed_out);
  ground.run_for(1min);
  EXPECT_EQ(local.found(data), "\"late\"");
}

TEST_F(ReadOpSourceTest, reader_with_something_stale_waits_softly_for_the_fresh_one_I6) {
  DatasetState& soft =
      ground.open("soft", [](DatasetPolicy& policy) { policy.options.soft_timeout = 1s; });
  const EntryId id = soft.id("k");
  local.into_file(document(5, "stale"), id);
  outlive_freshness();
  const auto read_while_the_source_takes = [&](std::chrono::milliseconds span) {
    source = [this, span](RefreshContext&) {
      ground.executor->sleep_for(span);
      return document_of("\"fresh\"");
    };
    ReadRequest request = asking();
    request.dataset = &soft;
    request.key = "k";
    const auto op = std::make_shared<ReadOp>(room.parts, std::move(request));
    EXPECT_FALSE(op->local());
    std::string text;
    op->remote([&](const ReadResult& result) { text = served(result); });
    ground.run_for(1s);
    return text;
  };
  EXPECT_EQ(read_while_the_source_takes(5s), "stale");
  ground.run_for(1min);
  outlive_freshness();
  source = {};
  EXPECT_EQ(read_while_the_source_takes(500ms), "\"fresh\"");
}

TEST_F(ReadOpSourceTest, look_behind_readers_ends_with_what_was_fetched_since) {
  into_file(document(5, "file"));
  ReadRequest request = asking();
  request.behind = true;
  request.fetched_after = kStart;
  EXPECT_EQ(served(read(std::move(request))), "\"source\"") << "the file is not newer than that";
  ground.clock->advance(1s);
  request = asking();
  request.behind = true;
  request.fetched_after = kStart - 1ms;
  asked = 0;
  read(std::move(request));
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(room.stale.empty()) << "nobody looks behind those who look";
}

// --- The cache ---

TEST_F(ReadOpTest, read_keeps_the_cache_until_its_end) {
  ReadRequest request;
  request.dataset = &data;
  request.key = "k";
  auto op = std::make_shared<ReadOp>(room.parts, std::move(request));
  ASSERT_FALSE(op->local());
  int told = 0;
  op->remote([&](const ReadResult&) { ++told; });
  op.reset();
  const std::weak_ptr<int> cache = ground.owner;
  ground.owner.reset();
  EXPECT_FALSE(cache.expired());
  ground.run_for(1s);
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(cache.expired());
}

}  // namespace
}  // namespace tiercache::detail
