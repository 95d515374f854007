// What is listed of the outbox, and what becomes of writes that the store refused.
#include <gtest/gtest.h>

#include <cerrno>

#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {
namespace {

class JournalParking : public OpenJournalTest {
 protected:
  void put_parked(const Record& record, const std::string& why = "no") {
    log.put(record);
    journal().park(write_of(record), why);
    ASSERT_TRUE(journal().commit());
  }
  std::vector<OutboxWrite> pending() {
    return journal().list({.state = OutboxState::pending, .limit = 100});
  }
};

TEST_F(JournalParking, each_kind_is_listed_as_what_it_is_with_size_and_time) {
  log.put(content("document", std::uint64_t{5'000} << 16, document("d")));
  log.put(tombstone("erased", std::uint64_t{6'000} << 16));
  log.put(clocks("moved", std::uint64_t{7'000} << 16, {ms(3), ms(9), ms(5)}));
  log.put(clocks("unmoved", std::uint64_t{7'500} << 16, {}));
  log.put(erase_matching("user/*", std::uint64_t{8'000} << 16));
  const auto all = pending();
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all[0].kind, OutboxKind::document);
  EXPECT_EQ(all[0].id, id_of("document"));
  EXPECT_EQ(all[0].state, OutboxState::pending);
  EXPECT_GT(all[0].bytes, document("d").size());
  EXPECT_EQ(all[0].since, ms(5'000));
  EXPECT_EQ(all[1].kind, OutboxKind::tombstone);
  EXPECT_EQ(all[1].since, ms(6'000));
  EXPECT_EQ(all[2].kind, OutboxKind::clocks);
  EXPECT_EQ(all[2].since, ms(9)) << "the latest of its clocks, not its content's time";
  EXPECT_EQ(all[3].since, ms(0));
  EXPECT_EQ(all[4].kind, OutboxKind::erase_matching);
  EXPECT_EQ(all[4].since, ms(8'000));
}

TEST_F(JournalParking, listing_keeps_to_state_and_dataset) {
  put_parked(content("parked", 5, "1"));
  log.put(content("waiting", 6, "1"));
  Record elsewhere = content("waiting", 7, "1");
  elsewhere.id.dataset = "e";
  log.put(elsewhere);
  ASSERT_EQ(journal().parked().size(), 1u);
  EXPECT_EQ(journal().parked()[0].id, id_of("parked"));
  EXPECT_EQ(journal().parked()[0].state, OutboxState::parked);
  EXPECT_EQ(pending().size(), 2u);
  const auto of_e = journal().list({.state = OutboxState::pending, .dataset = "e", .limit = 10});
  ASSERT_EQ(of_e.size(), 1u);
  EXPECT_EQ(of_e[0].version, at(7));
}

TEST_F(JournalParking, refusal_without_a_reason_has_one_all_the_same) {
  put_parked(content("k", 5, "1"), "");
  EXPECT_EQ(journal().parked().at(0).why, "refused");
  reopen();
  ASSERT_EQ(journal().parked().size(), 1u)
      << "an empty reason would mean that it is parked no more";
}

TEST_F(JournalParking, figures_tell_of_what_is_parked) {
  put_parked(content("k", 5, document("k")));
  log.put(content("l", 6, "1"));
  const JournalStats stats = journal().stats();
  EXPECT_EQ(stats.parked, 1u);
  EXPECT_EQ(stats.parked_bytes, journal().parked().at(0).bytes);
  EXPECT_EQ(stats.unsettled, 1u);
  EXPECT_EQ(stats.live_records, 3u) << "the marker lives too";
  EXPECT_GT(stats.live_bytes, stats.parked_bytes);
  EXPECT_EQ(stats.disk_bytes, 4'096u + 128u);
  EXPECT_EQ(journal().parked_of(id_of("k")).at(0).why, "no");
  EXPECT_TRUE(journal().parked_of(id_of("l")).empty());
}

TEST_F(JournalParking, refusal_of_a_version_that_was_replaced_writes_nothing) {
  log.put(content("k", 5, "1"));
  log.put(content("k", 6, "1"));
  const std::uint64_t before = disk.operations();
  journal().park(write_of(content("k", 5, "1")), "no");
  EXPECT_TRUE(journal().commit());
  EXPECT_EQ(disk.operations(), before);
  EXPECT_TRUE(journal().parked().empty());
}

TEST_F(JournalParking, parked_write_is_parked_after_any_number_of_restarts_I1) {
  put_parked(content("k", 5, document("k")));
  for (int i = 0; i < 3; ++i) {
    reopen();
    ASSERT_EQ(journal().parked().size(), 1u) << i;
    EXPECT_EQ(journal().parked()[0].why, "no");
    EXPECT_EQ(*journal().live_content(id_of("k"))->entry.document, document("k"));
  }
}

TEST_F(JournalParking, one_of_several_parked_under_a_name_is_retried_by_its_version) {
  put_parked(content("k", 5, "1"));
  put_parked(clocks("k", 4, {ms(3), {}, {}}));
  EXPECT_FALSE(journal().retry_parked(id_of("k"), at(9)));
  EXPECT_TRUE(journal().retry_parked(id_of("k"), at(4)));
  ASSERT_TRUE(journal().commit());
  EXPECT_EQ(journal().parked().size(), 1u);
  reopen();
  ASSERT_EQ(journal().parked().size(), 1u);
  EXPECT_EQ(journal().parked()[0].kind, OutboxKind::document);
  EXPECT_TRUE(journal().retry_parked(id_of("k")));
  EXPECT_EQ(journal().stats().unsettled, 2u);
}

TEST_F(JournalParking, refused_again_after_a_retry_it_has_the_later_reason_I1) {
  put_parked(content("k", 5, "1"), "first");
  EXPECT_TRUE(journal().retry_parked(id_of("k")));
  journal().park(write_of(content("k", 5, "1")), "second");
  ASSERT_TRUE(journal().commit());
  reopen();
  ASSERT_EQ(journal().parked().size(), 1u);
  EXPECT_EQ(journal().parked()[0].why, "second");
}

TEST_F(JournalParking, closed_journal_neither_parks_nor_retries_nor_forgets) {
  put_parked(content("k", 5, "1"));
  log.put(content("l", 6, "1"));
  journal().close();
  journal().park(write_of(content("l", 6, "1")), "no");
  EXPECT_FALSE(journal().retry_parked(id_of("k")));
  EXPECT_FALSE(journal().discard_parked(id_of("k")));
  EXPECT_EQ(journal().forget_discarded().error, EBADF);
  ASSERT_TRUE(log.open().ok());
  ASSERT_EQ(journal().parked().size(), 1u);
  EXPECT_EQ(journal().parked()[0].id, id_of("k"));
}

// --- Forgetting ---

TEST_F(JournalParking, nothing_to_forget_is_forgotten_at_once) {
  log.put(content("k", 5, "1"));
  EXPECT_TRUE(journal().forget_discarded().ok());
  EXPECT_EQ(journal().stats().segments, 1u);
}

TEST_F(JournalParking, record_in_several_segments_is_forgotten_in_all_I1) {
  log.put(content("k", 4, document("k", 3'000)));
  put_parked(content("k", 5, document("k", 3'000)));
  log.put(content("other", 6, document("other", 3'000)));
  ASSERT_TRUE(journal().discard_parked(id_of("k")));
  ASSERT_TRUE(journal().forget_discarded().ok());
  for (const std::string& path : segment_files(disk)) {
    std::string bytes;
    ASSERT_TRUE(disk.read(path, &bytes));
    EXPECT_EQ(bytes.find("\"of\":\"k\""), std::string::npos);
  }
  reopen();
  EXPECT_EQ(log.recovered_content("k"), nullptr);
  EXPECT_NE(log.recovered_content("other"), nullptr);
}

TEST_F(JournalParking, what_lies_in_the_open_segment_is_forgotten_with_it) {
  put_parked(content("k", 5, document("k")));
  ASSERT_TRUE(journal().discard_parked(id_of("k")));
  ASSERT_TRUE(journal().forget_discarded().ok());
  EXPECT_TRUE(segment_files(disk).empty());
  log.put(content("l", 6, "1"));
  const std::uint64_t before = disk.operations();
  EXPECT_TRUE(journal().forget_discarded().ok());
  EXPECT_EQ(disk.operations(), before + 1) << "nothing is left to forget but a sync of the folder";
}

TEST_F(JournalParking, disk_that_will_not_sync_the_folder_is_told_and_asked_again_I1) {
  put_parked(content("k", 5, "1"));
  ASSERT_TRUE(journal().discard_parked(id_of("k")));
  disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "sync_directory" && path == "/cache/journal/life-1" ? EIO : 0;
  });
  EXPECT_EQ(journal().forget_discarded().error, EIO);
  disk.set_fault(nullptr);
  ASSERT_TRUE(journal().forget_discarded().ok());
  disk.power_loss(0);
  ASSERT_TRUE(log.open().ok());
  EXPECT_TRUE(journal().parked().empty());
}

TEST_F(JournalParking, segment_that_cannot_be_copied_forward_is_told_and_stays_I1) {
  put_parked(content("k", 5, "1"));
  log.put(content("other", 6, document("other")));
  ASSERT_TRUE(journal().discard_parked(id_of("k")));
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "write_at" ? ENOSPC : 0;
  });
  EXPECT_EQ(journal().forget_discarded().error, ENOSPC);
  disk.set_fault(nullptr);
  EXPECT_TRUE(journal().forget_discarded().ok());
  EXPECT_EQ(*journal().live_content(id_of("other"))->entry.document, document("other"));
}

TEST_F(JournalParking, bytes_beside_an_unreadable_record_cannot_be_forgotten_and_that_is_told_I9) {
  put_parked(content("k", 5, document("k")));
  log.put(content("bad", 6, document("bad")));
  const std::string path = segment_files(disk).at(0);
  std::string bytes;
  ASSERT_TRUE(disk.read(path, &bytes));
  bytes[bytes.find("\"of\":\"bad\"")] ^= 1;
  disk.write(path, bytes);
  ASSERT_TRUE(journal().discard_parked(id_of("k")));
  const IoStatus status = journal().forget_discarded();
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(journal().stats().corrupt_records, 1u);
  EXPECT_TRUE(disk.read(path, &bytes));
}

TEST_F(JournalParking, forgetting_waits_for_the_turn_of_whoever_writes_I1) {
  put_parked(content("k", 5, "1"));
  ASSERT_TRUE(journal().discard_parked(id_of("k")));
  int met = 0;
  disk.on_operation([&](std::uint64_t, const std::string& what) {
    if (what.starts_with("write_at") && met++ == 0) {
      EXPECT_EQ(journal().forget_discarded().error, EAGAIN);
    }
  });
  EXPECT_EQ(log.put(content("l", 6, document("l"))).status, AppendStatus::durable);
  disk.on_operation(nullptr);
  ASSERT_EQ(met, 1);
  ASSERT_TRUE(journal().forget_discarded().ok());
  reopen();
  EXPECT_TRUE(journal().parked().empty());
  EXPECT_NE(log.recovered_content("l"), nullptr);
}

}  // namespace
}  // namespace tiercache::testing
