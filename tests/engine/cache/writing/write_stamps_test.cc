// What version a write gets, and whether it may be made at all: among the threads of a process, and
// among the processes on a directory.
#include "cache/writing/write_stamps.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

using Status = ChangeResult::Status;

class WriteStampsTest : public ::testing::Test {
 protected:
  Change put(std::string text = "1") { return WritingRoom::change(data, std::move(text)); }
  Change compared(Version if_version) {
    Change change = put();
    change.if_version = if_version;
    return change;
  }
  // The answer of a refresh that was made from `base` and began now.
  Change refreshed(Version base, std::string text = "1") {
    Change change = put(std::move(text));
    change.base = base;
    change.begun = ground.runtime.versions.next();
    return change;
  }
  // The status of what must not be made; nullopt: it was stamped.
  std::optional<Status> stamp(Change& change, std::chrono::milliseconds deadline = 1s) {
    const auto refused = room.stamps.stamp(change, ground.in(deadline));
    return refused ? std::optional(refused->status) : std::nullopt;
  }
  Version written(std::string text = "1") {
    const ChangeResult result = room.write(put(std::move(text)));
    EXPECT_EQ(result.status, Status::durable);
    return result.version;
  }
  Version erased() { return room.write(WritingRoom::erase(data)).version; }
  // As another process writes the key's file.
  void into_file(Entry entry) { room.local.into_file(entry); }

  Ground ground;
  WritingRoom room{ground};
  DatasetState& data = ground.open();
};

// --- One process ---

TEST_F(WriteStampsTest, version_is_above_all_that_is_known_of_the_key_or_under_way_I3) {
  Version ahead = ground.runtime.versions.next();
  ahead.time += std::uint64_t{60'000} << Version::kCounterBits;
  Entry filed = document(1);
  filed.version = ahead;
  into_file(filed);
  Change first = put(), second = put();
  EXPECT_EQ(stamp(first), std::nullopt);
  EXPECT_GT(first.entry.version, ahead);
  EXPECT_EQ(stamp(second), std::nullopt);
  EXPECT_GT(second.entry.version, first.entry.version);
  EXPECT_EQ(room.stamps.newest(data, kId), second.entry.version);
  room.stamps.end(second);
  EXPECT_EQ(room.stamps.newest(data, kId), first.entry.version);
  room.stamps.end(first);
  EXPECT_EQ(room.stamps.newest(data, kId), ahead) << "neither was made";
}

TEST_F(WriteStampsTest, version_is_above_a_matching_erase_that_hides_the_key_I4) {
  const Version erase = room.write(WritingRoom::erase_matching(data, "*")).version;
  Change change = put();
  EXPECT_EQ(stamp(change), std::nullopt);
  EXPECT_GT(change.entry.version, erase);
}

TEST_F(WriteStampsTest, version_is_above_a_row_that_the_disk_did_not_take_I1_I3) {
  into_file(document(4, "older"));
  Entry row = document(5, "row");
  row.version = ground.runtime.versions.next();
  row.version.time += std::uint64_t{3'600'000} << Version::kCounterBits;  // by a clock far ahead
  ground.refuse_new_files();
  ASSERT_TRUE(room.local.tiers.keep_in_files(kId, row));
  ground.disk_works();
  ASSERT_EQ(room.local.file(), "<nothing>");
  EXPECT_GT(written("ours"), row.version);
  EXPECT_TRUE(room.local.file_writer.flush());
  EXPECT_EQ(room.local.file(), "ours");
  EXPECT_EQ(room.local.in_memory(data), "ours");
}

// A clock that was set back would come to it once more, after a start that knows of no stamps.
TEST_F(WriteStampsTest, version_that_the_store_refused_is_not_given_again_I3) {
  Entry standing = document(4, "row");
  standing.version = ground.runtime.versions.next();
  standing.version.time += std::uint64_t{3'600'000} << Version::kCounterBits;
  into_file(standing);
  const Version refused{standing.version.time + 1, ground.runtime.versions.writer()};
  const auto row = std::make_shared<const Entry>(standing);
  ASSERT_TRUE(room.local.tiers.withdraw(kId, refused, row).ok());
  EXPECT_GT(written("ours"), refused);
  EXPECT_EQ(room.local.in_memory(data), "ours");
}

TEST_F(WriteStampsTest, if_version_holds_for_that_version_alone) {
  const Version there = written();
  Change right = compared(there), older = compared(version(1)), none = compared({});
  EXPECT_EQ(stamp(older), Status::conflict);
  EXPECT_EQ(stamp(none), Status::conflict);
  EXPECT_EQ(stamp(right), std::nullopt);
  EXPECT_EQ(right.guard, there) << "the store compares too";
  Change second = compared(there);
  EXPECT_EQ(stamp(second), Status::conflict) << "the first is under way";
}

TEST_F(WriteStampsTest, if_version_of_zero_says_that_there_is_none_be_it_erased) {
  Change none = compared({});
  EXPECT_EQ(stamp(none), std::nullopt);
  room.stamps.end(none);
  written();
  const Version tombstone = erased();
  Change after_erase = compared({});
  EXPECT_EQ(stamp(after_erase), std::nullopt);
  EXPECT_EQ(after_erase.guard, tombstone);
  room.stamps.end(after_erase);
  written();
  room.write(WritingRoom::erase_matching(data, "*"));
  Change after_pattern = compared({});
  EXPECT_EQ(stamp(after_pattern), std::nullopt);
}

TEST_F(WriteStampsTest, conflict_names_the_version_that_is_there) {
  const Version there = written();
  Change change = compared(version(1));
  const auto conflict = room.stamps.stamp(change, ground.in(1s));
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->version, there);
  EXPECT_NE(conflict->why.find(there.to_string()), std::string::npos);
}

TEST_F(WriteStampsTest, answer_counts_only_while_what_it_was_made_from_is_there_I5) {
  const Version base = written();
  Change good = refreshed(base, "2");
  EXPECT_EQ(stamp(good), std::nullopt);
  EXPECT_EQ(good.guard, base);
  Change second = refreshed(base, "3");
  EXPECT_EQ(stamp(second), Status::superseded) << "the first is under way";
  room.stamps.end(good);
  written("4");
  Change late = refreshed(base, "5");
  EXPECT_EQ(stamp(late), Status::superseded);
}

TEST_F(WriteStampsTest, answer_of_a_key_erased_by_a_pattern_since_it_began_does_not_count_I4) {
  const Version base = written();
  Change begun_before = refreshed(base, "2");
  room.stamps.erased({"d", "*"}, ground.runtime.versions.next());
  EXPECT_EQ(stamp(begun_before), Status::superseded);
  Change begun_after = refreshed(base, "2");
  EXPECT_EQ(stamp(begun_after), std::nullopt);
}

TEST_F(WriteStampsTest, write_made_from_one_the_store_may_yet_refuse_holds_for_its_guard_too) {
  const Version base = written("1");
  Change first = refreshed(base, "2");
  const ChangeResult second = room.write(std::move(first));
  ASSERT_EQ(second.status, Status::durable);
  Change third = refreshed(second.version, "3");
  EXPECT_EQ(stamp(third), std::nullopt);
  EXPECT_EQ(third.guard, base);
  EXPECT_TRUE(third.made_from.has(second.version));
}

// --- The document that is there already ---

TEST_F(WriteStampsTest, refresh_that_brings_the_document_that_is_there_moves_its_clocks) {
  const Version base = written("1");
  ground.clock->advance(1s);
  Change same = refreshed(base, "1");
  same.entry.clocks.last_fetch = kStart + 1s;
  EXPECT_EQ(stamp(same), std::nullopt);
  EXPECT_EQ(same.kind, RecordKind::clocks);
  EXPECT_EQ(same.entry.version, base);
  EXPECT_EQ(same.entry.document, nullptr);
  EXPECT_EQ(same.entry.clocks.last_fetch, kStart + 1s);
  EXPECT_EQ(data.counters.unchanged.read(), 1u);
}

TEST_F(WriteStampsTest, same_document_of_the_file_alone_moves_its_clocks_too) {
  into_file(document(5, "1"));
  Change same = refreshed(version(5), "1");
  EXPECT_EQ(stamp(same), std::nullopt);
  EXPECT_EQ(same.kind, RecordKind::clocks);
}

TEST_F(WriteStampsTest, what_a_move_of_clocks_does_not_carry_is_written_as_content) {
  const Version base = written("1");
  Change other_format = refreshed(base, "1");
  other_format.entry.cache_version = "2.0";
  Change other_lifetime = refreshed(base, "1");
  other_lifetime.entry.fresh_for = 1s;
  Change own_put = put("1");
  for (Change* change : {&other_format, &other_lifetime, &own_put}) {
    EXPECT_EQ(stamp(*change), std::nullopt);
    EXPECT_EQ(change->kind, RecordKind::content);
    room.stamps.end(*change);
  }
}

TEST_F(WriteStampsTest, document_that_the_store_may_yet_refuse_is_written_again_whole) {
  const Version base = written("1");
  const ChangeResult guarded = room.write(refreshed(base, "2"));
  Change same = refreshed(guarded.version, "2");
  EXPECT_EQ(stamp(same), std::nullopt);
  EXPECT_EQ(same.kind, RecordKind::content);
}

// --- Clocks ---

TEST_F(WriteStampsTest, content_carries_the_clocks_that_the_key_has_so_far) {
  Entry there = document(5);
  there.clocks.last_rich_fetch = kStart - 1h;
  there.clocks.invalidated_at = kStart - 2h;
  into_file(there);
  Change change = put();
  EXPECT_EQ(stamp(change), std::nullopt);
  EXPECT_EQ(change.entry.clocks.last_rich_fetch, kStart - 1h);
  EXPECT_EQ(change.entry.clocks.invalidated_at, kStart - 2h);
}

TEST_F(WriteStampsTest, invalidation_by_a_clock_that_was_ahead_does_not_reach_new_content) {
  Entry there = document(5);
  there.clocks.invalidated_at = kStart + 1h;
  into_file(there);
  Change change = put();
  EXPECT_EQ(stamp(change), std::nullopt);
  EXPECT_EQ(change.entry.clocks.invalidated_at, std::nullopt);
}

TEST_F(WriteStampsTest, invalidation_is_not_before_what_it_invalidates) {
  Entry there = document(5);
  there.version = ground.runtime.versions.next();
  there.clocks.last_fetch = kStart + 30s;
  into_file(there);
  Change invalidation;
  invalidation.dataset = &data;
  invalidation.key = "k";
  invalidation.kind = RecordKind::clocks;
  invalidation.entry.clocks.invalidated_at = kStart - 1h;
  EXPECT_EQ(stamp(invalidation), std::nullopt);
  EXPECT_EQ(invalidation.entry.version, there.version);
  EXPECT_EQ(invalidation.entry.clocks.invalidated_at, kStart + 30s);
}

// --- Matching erases ---

TEST_F(WriteStampsTest, erase_is_above_all_keys_that_match_I4) {
  Version ahead = ground.runtime.versions.next();
  ahead.time += std::uint64_t{60'000} << Version::kCounterBits;
  Entry filed = document(1);
  filed.version = ahead;
  into_file(filed);
  Change erase = WritingRoom::erase_matching(data, "k*");
  EXPECT_EQ(stamp(erase), std::nullopt);
  EXPECT_GT(erase.entry.version, ahead);
}

// The store would refuse it for that erase, after readers were served it.
TEST_F(WriteStampsTest, write_that_compares_gives_way_to_an_erase_that_is_being_journaled_I5) {
  const Version base = written();
  Change erase = WritingRoom::erase_matching(data, "*");
  ASSERT_EQ(stamp(erase), std::nullopt);
  Change refresh = refreshed(base, "2"), compare = compared(base), plain = put("3");
  EXPECT_EQ(stamp(refresh), Status::superseded);
  EXPECT_EQ(stamp(compare), Status::conflict);
  EXPECT_EQ(stamp(plain), std::nullopt) << "it compares with nothing";
  EXPECT_GT(plain.entry.version, erase.entry.version);
  room.stamps.end(plain);
  room.stamps.end(erase);
  Change again = compared(base);
  EXPECT_EQ(stamp(again), std::nullopt) << "the erase was not made after all";
}

// --- Processes on one directory ---

class WriteStampsBesideTest : public WriteStampsTest {
 protected:
  // The other process has stamped a write of the key, which is not in its file yet.
  Change write_under_way(const std::string& key = "k") {
    Change change = WritingRoom::change(others_data, "other", key);
    EXPECT_FALSE(others.stamps.stamp(change, ground.in(1s)));
    return change;
  }
  std::uint64_t seen_by_others(const EntryId& id = kId) {
    return others.local.tiers.write_order().others(shared_hash(id.dataset, id.key));
  }

  Ground other{Ground::Beside{ground}};
  WritingRoom others{other};
  DatasetState& others_data = other.open();
};

TEST_F(WriteStampsBesideTest,
       writes_of_all_processes_have_one_order_also_by_clocks_that_differ_I3) {
  other.runtime.versions.set_offset(-10min);
  Change first = put(), third = put();
  EXPECT_EQ(stamp(first), std::nullopt);
  const Change second = write_under_way();
  EXPECT_EQ(stamp(third), std::nullopt);
  EXPECT_GT(second.entry.version, first.entry.version);
  EXPECT_GT(third.entry.version, second.entry.version);
}

TEST_F(WriteStampsBesideTest, comparison_waits_until_the_others_write_is_in_its_file_I5) {
  Change theirs = write_under_way();
  ground.runtime.tasks.later(ground.in(500ms), Lane::compute, [&] {
    others.local.into_file(theirs.entry);
    others.stamps.end(theirs);
    EXPECT_TRUE(others.stamps.release_filed());
  });
  Change compare = compared({});
  EXPECT_EQ(stamp(compare), Status::conflict) << "it sees what was stamped before it";
  Change again = compared(theirs.entry.version);
  EXPECT_EQ(stamp(again), std::nullopt);
}

TEST_F(WriteStampsBesideTest,
       comparison_that_another_process_is_in_the_way_of_ends_at_its_deadline_I7) {
  write_under_way();
  const SteadyTime until = ground.in(1s);
  Change compare = compared({});
  EXPECT_EQ(stamp(compare), Status::in_the_way);
  EXPECT_GE(ground.clock->steady_now(), until);
  EXPECT_LT(ground.clock->steady_now(), until + 100ms);
  EXPECT_EQ(seen_by_others(), 0u) << "nobody waits for what was not made";
}

// What another process has put there may be what the write would take the place of.
TEST_F(WriteStampsBesideTest, comparison_needs_the_file_that_others_may_have_written_I5) {
  others.local.into_file(document(9));
  ground.refuse(EMFILE, {"open"}, "/cache/data/");
  Change compare = compared({});
  EXPECT_EQ(stamp(compare), Status::in_the_way);
  EXPECT_EQ(seen_by_others(), 0u);
  ground.disk_works();
  Change again = compared({});
  EXPECT_EQ(stamp(again), Status::conflict);
}

TEST_F(WriteStampsBesideTest, plain_write_waits_for_nobody_I6) {
  write_under_way();
  const SteadyTime began = ground.clock->steady_now();
  Change plain = put();
  EXPECT_EQ(stamp(plain), std::nullopt);
  EXPECT_EQ(ground.clock->steady_now(), began);
}

TEST_F(WriteStampsBesideTest,
       process_that_died_is_not_waited_for_once_what_it_left_is_adopted_I7_I10) {
  write_under_way();
  ground.disk->kill(*other.runtime.file_system);
  Change compare = compared({});
  EXPECT_EQ(stamp(compare, 10s), std::nullopt);
  EXPECT_EQ(room.adoptions, 1);
}

TEST_F(WriteStampsBesideTest, erase_is_seen_by_others_at_every_key_while_it_waits_I4) {
  write_under_way("elsewhere");
  std::uint64_t seen = 0;
  ground.runtime.tasks.later(ground.in(500ms), Lane::compute, [&] { seen = seen_by_others(); });
  Change erase = WritingRoom::erase_matching(data, "*");
  EXPECT_EQ(stamp(erase), Status::in_the_way);
  EXPECT_NE(seen, 0u);
  EXPECT_EQ(seen_by_others(), 0u) << "past its deadline it is under way no longer";
  Change compare = compared({});
  EXPECT_EQ(stamp(compare), std::nullopt) << "here neither";
}

TEST_F(WriteStampsBesideTest,
       erase_waits_for_what_others_stamped_before_it_and_for_nothing_later_I4) {
  Change before = write_under_way();
  bool settled = false;
  ground.runtime.tasks.later(ground.in(500ms), Lane::compute, [&] {
    others.stamps.end(before);
    const Change after = write_under_way("later");
    settled = true;
    others.stamps.release_filed();
  });
  Change erase = WritingRoom::erase_matching(data, "*");
  EXPECT_EQ(stamp(erase, 10s), std::nullopt);
  EXPECT_TRUE(settled);
  room.stamps.end(erase);
  EXPECT_EQ(seen_by_others(), 0u);
}

TEST_F(WriteStampsBesideTest, settle_leaves_what_waits_for_its_file) {
  written();
  EXPECT_FALSE(room.stamps.release_filed());
  EXPECT_NE(seen_by_others(), 0u);
  ASSERT_TRUE(room.local.file_writer.flush());
  EXPECT_TRUE(room.stamps.release_filed());
  EXPECT_EQ(seen_by_others(), 0u);
}

}  // namespace
}  // namespace tiercache::detail
