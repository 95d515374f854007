// Which store the directory belongs to: by its notes, which may be absent, damaged or unreadable,
// and by what other processes write into them.
#include "cache/store/store_identity.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "engine/cache/ground.h"
#include "engine/cache/store/scripted_store.h"

namespace tiercache::detail {
namespace {

constexpr auto kUrgency = Breaker::Urgency::background;

class StoreIdentityPartTest : public ::testing::Test {
 protected:
  StoreIdentityPartTest() {
    ground.runtime.file_system->make_directories("/cache");
    store->on_changes = [this](ChangesReply& reply) { reply.incarnation = incarnation; };
  }
  // What another process, or an earlier life of this one, has left in the directory.
  void note(const std::string& known, const std::string& name = {}) {
    FileSystem& file_system = *ground.runtime.file_system;
    ASSERT_TRUE(keep_text(file_system, "/cache/store", "tiercache-store 1\n", known, 9));
    if (name.empty()) return;
    ASSERT_TRUE(keep_text(file_system, "/cache/store-name", "tiercache-store-name 1\n", name, 9));
  }
  std::string noted(const std::string& file, std::string_view head) {
    return read_kept_text(*ground.runtime.file_system, "/cache/" + file, head).text;
  }
  std::string noted() { return noted("store", "tiercache-store 1\n"); }
  std::string noted_name() { return noted("store-name", "tiercache-store-name 1\n"); }
  bool replaced() const { return identity.replaced_since().has_value(); }

  std::string incarnation = "life 1";
  std::shared_ptr<ScriptedStore> store = std::make_shared<ScriptedStore>();
  Ground ground{[this](CacheOptions& options) { options.store = store; }};
  StoreRoom room{ground};
  StoreIdentity& identity = room.identity;
};

// --- Notes ---

TEST_F(StoreIdentityPartTest, first_store_that_is_seen_is_the_directorys) {
  identity.seen("life 1");
  EXPECT_TRUE(identity.is_same());
  EXPECT_FALSE(replaced());
  EXPECT_EQ(noted(), "life 1");
  EXPECT_EQ(noted_name(), "scripted");
  EXPECT_EQ(identity.names().met, "");
}

TEST_F(StoreIdentityPartTest, reply_that_names_none_says_nothing) {
  identity.seen("");
  EXPECT_EQ(noted(), "");
  identity.seen("life 1");
  identity.seen("");
  EXPECT_TRUE(identity.is_same());
}

TEST_F(StoreIdentityPartTest, store_of_another_life_is_the_directorys_no_longer_I1) {
  note("life 0", "scripted");
  ground.clock->advance(1h);
  identity.seen("life 1");
  EXPECT_FALSE(identity.is_same());
  EXPECT_EQ(identity.replaced_since(), kStart + 1h);
  EXPECT_EQ(noted(), "life 0") << "nobody has said that it is meant";
  EXPECT_EQ(identity.names().expected, "scripted (incarnation life 0)");
  EXPECT_EQ(identity.names().met, "scripted (incarnation life 1)");
  ground.clock->advance(1h);
  identity.seen("life 2");
  EXPECT_EQ(identity.replaced_since(), kStart + 1h) << "since the first time";
}

TEST_F(StoreIdentityPartTest, store_that_comes_back_as_it_was_is_the_directorys_again) {
  identity.seen("life 1");
  identity.seen("life 2");
  EXPECT_TRUE(replaced());
  identity.seen("life 1");
  EXPECT_TRUE(identity.is_same());
  EXPECT_FALSE(replaced());
}

TEST_F(StoreIdentityPartTest, directory_that_takes_no_note_has_the_first_store_all_the_same) {
  room.keeps_notes = false;
  identity.seen("life 1");
  EXPECT_TRUE(identity.is_same());
  EXPECT_EQ(noted(), "");
  identity.seen("life 2");
  EXPECT_FALSE(identity.is_same()) << "what was seen in this life counts";
}

TEST_F(StoreIdentityPartTest, note_that_was_deleted_does_not_make_another_store_the_directorys_I1) {
  identity.seen("life 1");
  ground.disk->remove("/cache/store");
  identity.seen("life 2");
  EXPECT_FALSE(identity.is_same());
  EXPECT_EQ(noted(), "");
}

TEST_F(StoreIdentityPartTest,
       note_that_cannot_be_read_says_nothing_and_is_looked_at_again_at_once) {
  note("life 1");
  ground.refuse(EIO, {"read_file"}, "/cache/store");
  identity.seen("life 1");
  EXPECT_FALSE(identity.is_same()) << "not known now";
  EXPECT_FALSE(replaced());
  EXPECT_EQ(noted(), "") << "nor overwritten";
  ground.disk_works();
  identity.seen("life 1");
  EXPECT_TRUE(identity.is_same());
}

TEST_F(StoreIdentityPartTest,
       damaged_note_is_another_store_whose_name_says_that_it_is_meant_I1_I9) {
  note("life 1", "scripted");
  ground.disk->write("/cache/store", "tiercache-store 1\ntorn");
  identity.seen("life 1");
  EXPECT_FALSE(identity.is_same());
  EXPECT_TRUE(replaced());
  EXPECT_TRUE(identity.may_send(kUrgency));
  EXPECT_FALSE(identity.keeps_outbox_waiting());
  EXPECT_TRUE(identity.may_keep());
}

TEST_F(StoreIdentityPartTest, damaged_note_beside_another_name_keeps_the_outbox_waiting_I1) {
  note("life 1", "another");
  ground.disk->write("/cache/store", "tiercache-store 1\ntorn");
  identity.seen("life 1");
  EXPECT_FALSE(identity.may_send(kUrgency));
  EXPECT_TRUE(identity.keeps_outbox_waiting());
  EXPECT_FALSE(identity.may_keep());
}

TEST_F(StoreIdentityPartTest, what_another_process_has_accepted_is_seen_within_a_second_I10) {
  note("life 0");
  identity.seen("life 1");
  note("life 1");
  ground.clock->advance(999ms);
  identity.seen("life 1");
  EXPECT_FALSE(identity.is_same());
  EXPECT_EQ(room.accepted, std::vector<bool>{});
  ground.clock->advance(1ms);
  identity.seen("life 1");
  EXPECT_TRUE(identity.is_same());
  EXPECT_FALSE(replaced());
  identity.seen("life 1");
  EXPECT_EQ(room.accepted, std::vector{true}) << "told once";
}

TEST_F(StoreIdentityPartTest, store_that_was_given_another_name_is_known_by_that_from_then_on) {
  note("life 1", "old name");
  identity.seen("life 1");
  EXPECT_EQ(noted_name(), "scripted");
  identity.seen("life 2");
  EXPECT_TRUE(identity.may_keep());
  store->name = "another";
  EXPECT_FALSE(identity.may_keep());
}

TEST_F(StoreIdentityPartTest, notes_are_kept_once_more_in_a_directory_that_was_made_anew) {
  identity.keep_again();
  EXPECT_EQ(noted(), "") << "nothing was known";
  identity.seen("life 1");
  ground.disk->remove("/cache/store");
  ground.disk->remove("/cache/store-name");
  identity.keep_again();
  EXPECT_EQ(noted(), "life 1");
  EXPECT_EQ(noted_name(), "scripted");
  note("life 2");
  identity.keep_again();
  EXPECT_EQ(noted(), "life 2") << "another process was first";
}

// --- What may go there ---

TEST_F(StoreIdentityPartTest, outbox_goes_once_the_store_has_said_who_it_is_and_asks_once) {
  EXPECT_TRUE(identity.may_send(kUrgency));
  EXPECT_TRUE(identity.may_send(kUrgency));
  EXPECT_EQ(room.calls.polls.read(), 1u);
  EXPECT_EQ(noted(), "life 1");
}

TEST_F(StoreIdentityPartTest, outbox_waits_while_the_store_does_not_say_who_it_is) {
  store->on_changes = [](ChangesReply& reply) { reply.status = StoreStatus::unavailable; };
  EXPECT_FALSE(identity.may_send(kUrgency));
  EXPECT_FALSE(identity.keeps_outbox_waiting()) << "that is not known";
}

TEST_F(StoreIdentityPartTest, outbox_waits_for_a_store_that_is_another_until_it_is_accepted_I1) {
  note("life 0");
  EXPECT_FALSE(identity.may_send(kUrgency));
  EXPECT_TRUE(identity.keeps_outbox_waiting());
  ASSERT_TRUE(identity.accept());
  EXPECT_TRUE(identity.may_send(kUrgency));
  EXPECT_FALSE(identity.keeps_outbox_waiting());
}

TEST_F(StoreIdentityPartTest, outbox_goes_once_another_process_has_accepted_without_a_reply_I10) {
  note("life 0");
  EXPECT_FALSE(identity.may_send(kUrgency));
  note("life 1");
  EXPECT_FALSE(identity.may_send(kUrgency));
  ground.clock->advance(1s);
  EXPECT_TRUE(identity.may_send(kUrgency));
  EXPECT_EQ(room.accepted, std::vector{true});
}

TEST_F(StoreIdentityPartTest, outbox_goes_to_a_store_that_tells_nothing_of_itself) {
  incarnation.clear();
  EXPECT_TRUE(identity.may_send(kUrgency));
  EXPECT_TRUE(identity.may_send(kUrgency));
  EXPECT_EQ(room.calls.polls.read(), 1u) << "it was asked already";
  EXPECT_TRUE(identity.is_same());
}

TEST_F(StoreIdentityPartTest, store_without_a_feed_is_not_asked_who_it_is) {
  store->tells_changes = false;
  EXPECT_TRUE(identity.may_send(kUrgency));
  EXPECT_EQ(room.calls.polls.read(), 0u);
}

// --- Accepting ---

TEST_F(StoreIdentityPartTest, accepted_store_is_the_directorys_and_that_is_told) {
  note("life 0", "another");
  identity.seen("life 1");
  ASSERT_TRUE(identity.accept());
  EXPECT_TRUE(identity.is_same());
  EXPECT_FALSE(replaced());
  EXPECT_EQ(noted(), "life 1");
  EXPECT_EQ(noted_name(), "scripted");
  EXPECT_EQ(room.accepted, std::vector<bool>{true});
}

TEST_F(StoreIdentityPartTest, store_that_was_the_directorys_is_accepted_as_no_other) {
  identity.seen("life 1");
  ASSERT_TRUE(identity.accept());
  EXPECT_EQ(room.accepted, std::vector<bool>{false});
}

TEST_F(StoreIdentityPartTest, disk_that_refuses_the_note_leaves_the_store_another_one_I13) {
  note("life 0");
  identity.seen("life 1");
  room.keeps_notes = false;
  EXPECT_FALSE(identity.accept());
  EXPECT_FALSE(identity.is_same());
  EXPECT_TRUE(replaced());
  EXPECT_TRUE(room.accepted.empty());
}

TEST_F(StoreIdentityPartTest, store_that_nobody_has_met_cannot_be_accepted) {
  EXPECT_FALSE(identity.accept());
  incarnation.clear();
  identity.may_send(kUrgency);
  EXPECT_TRUE(identity.accept()) << "it tells nothing of itself, and there is nothing to keep";
  EXPECT_EQ(noted(), "");
  EXPECT_TRUE(room.accepted.empty());
}

}  // namespace
}  // namespace tiercache::detail
