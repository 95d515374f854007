// Folders of a journal that somebody deletes while it is open.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {
namespace {

constexpr char kFolder[] = "/cache/journal/life-1/";

class JournalRestoring : public OpenJournalTest {
 protected:
  void delete_folder(const std::string& folder = kFolder) {
    for (const std::string& path : disk.files()) {
      if (path.starts_with(folder)) disk.remove(path);
    }
  }
  // The owner has `newest` in memory or in files.
  IoStatus restore() {
    asked.clear();
    return journal().restore([this](const EntryId& id) -> std::optional<Entry> {
      asked.push_back(id.key);
      const auto found = newest.find(id.key);
      return found == newest.end() ? std::nullopt : std::optional(found->second);
    });
  }
  void has_in_memory(const Record& record) { newest[record.id.key] = record.entry; }
  // So many documents that all but the last lie in segments that are closed.
  void put_over_segments(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string key = "k" + std::to_string(i);
      log.put(content(key, static_cast<std::uint64_t>(i) + 1, document(key, 2'000)));
    }
  }
  void refuse(const std::string& operation, int error = ENOSPC) {
    disk.set_fault(
        [=](const std::string& name, const std::string&) { return name == operation ? error : 0; });
  }

  std::map<std::string, Entry> newest;
  std::vector<std::string> asked;
};

TEST_F(JournalRestoring, journal_stands_until_its_folder_is_deleted_and_again_once_restored) {
  EXPECT_TRUE(journal().stands());
  log.put(content("k", 1, "1"));
  EXPECT_TRUE(journal().stands());
  delete_folder();
  EXPECT_FALSE(journal().stands());
  ASSERT_TRUE(restore().ok());
  EXPECT_TRUE(journal().stands());
}

TEST_F(JournalRestoring, journal_whose_folder_was_replaced_by_another_does_not_stand) {
  disk.remove(std::string(kFolder) + "owner");
  disk.write(std::string(kFolder) + "owner", "");
  EXPECT_FALSE(journal().stands());
}

TEST_F(JournalRestoring, disk_that_does_not_answer_says_nothing_of_the_folder) {
  refuse("info", EIO);
  EXPECT_TRUE(journal().stands());
}

TEST_F(JournalRestoring, restoring_a_folder_that_is_there_changes_nothing) {
  log.put(content("k", 1, "1"));
  const std::uint64_t before = disk.operations();
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(disk.operations(), before);
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(journal().stats().segments, 1u);
}

TEST_F(JournalRestoring, segment_written_last_is_read_through_its_descriptor_I1) {
  log.put(content("k", 5, document("k")));
  log.put(clocks("k", 5, {ms(7), {}, {}}));
  delete_folder();
  ASSERT_TRUE(restore().ok());
  EXPECT_TRUE(asked.empty()) << "nothing is lost, so nobody is asked";
  EXPECT_EQ(journal().stats().lost_records, 0u);
  EXPECT_EQ(journal().stats().segments, 1u) << "the deleted one is forgotten";
  ASSERT_EQ(segment_files(disk).size(), 1u);
  EXPECT_TRUE(segment_files(disk)[0].starts_with("/cache/journal/life-1-1/"));
  EXPECT_EQ(log.put(content("later", 6, "1")).status, AppendStatus::durable);
  const auto writes = take();
  ASSERT_EQ(writes.size(), 2u);
  EXPECT_EQ(*writes[0].write.entry.document, document("k"));
  EXPECT_EQ(writes[0].write.entry.clocks.last_fetch, ms(7));
  reopen();
  EXPECT_EQ(log.recovered.size(), 3u);
}

TEST_F(JournalRestoring, deleted_segment_alone_is_made_anew_by_the_next_write_I1) {
  log.put(content("k", 5, document("k")));
  disk.remove(segment_files(disk).at(0));
  EXPECT_TRUE(journal().stands());
  EXPECT_EQ(log.put(content("l", 6, "1")).status, AppendStatus::durable);
  EXPECT_EQ(journal().stats().segments_abandoned, 1u);
  reopen();
  EXPECT_NE(log.recovered_content("k"), nullptr);
  EXPECT_NE(log.recovered_content("l"), nullptr);
}

TEST_F(JournalRestoring, write_into_a_deleted_folder_is_not_acknowledged_I1) {
  log.put(content("k", 5, document("k")));
  delete_folder();
  disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "open" && path.starts_with(kFolder) ? ENOENT : 0;
  });
  EXPECT_NE(log.put(content("l", 6, "1")).status, AppendStatus::durable);
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(log.put(content("m", 7, "1")).status, AppendStatus::durable);
  EXPECT_EQ(journal().stats().lost_records, 0u);
  reopen();
  EXPECT_NE(log.recovered_content("k"), nullptr);
  EXPECT_NE(log.recovered_content("m"), nullptr);
}

TEST_F(JournalRestoring, documents_of_closed_segments_come_from_the_owner_I1) {
  put_over_segments(4);
  for (int i = 0; i < 4; ++i) {
    const std::string key = "k" + std::to_string(i);
    Record record = content(key, static_cast<std::uint64_t>(i) + 1, document(key, 2'000));
    record.entry.metadata = R"({"etag":")" + key + "\"}";
    has_in_memory(record);
  }
  delete_folder();
  ASSERT_TRUE(restore().ok());
  std::sort(asked.begin(), asked.end());
  ASSERT_FALSE(asked.empty());
  EXPECT_EQ(std::count(asked.begin(), asked.end(), "k0"), 1);
  EXPECT_EQ(std::count(asked.begin(), asked.end(), "k3"), 0) << "its segment is still open";
  EXPECT_EQ(journal().stats().lost_records, 0u);
  EXPECT_EQ(journal().stats().unsettled, 4u);
  const auto writes = take();
  ASSERT_EQ(writes.size(), 4u);
  EXPECT_EQ(*writes[0].write.entry.document, document("k0", 2'000));
  EXPECT_EQ(writes[0].write.entry.metadata, R"({"etag":"k0"})");
  reopen();
  EXPECT_EQ(log.recovered.size(), 4u);
}

TEST_F(JournalRestoring, document_that_is_nowhere_is_let_go_and_counted_I13) {
  put_over_segments(4);
  has_in_memory(content("k0", 9, "\"newer\""));
  has_in_memory(content("k1", 1, "\"older\""));
  delete_folder();
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(journal().stats().lost_records, 2u) << "k1 and k2; of k0 something newer is known";
  const auto writes = take();
  ASSERT_EQ(writes.size(), 1u);
  EXPECT_EQ(writes[0].write.id, id_of("k3"));
  EXPECT_FALSE(journal().holds(id_of("k1")));
}

TEST_F(JournalRestoring, document_that_the_store_has_is_not_counted_as_lost_I13) {
  put_over_segments(3);
  log.settle(content("k0", 1, ""));
  delete_folder();
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(journal().stats().lost_records, 1u) << "k1 alone";
}

TEST_F(JournalRestoring, without_a_store_nothing_counts_as_confirmed_I13) {
  log.options.has_store = false;
  ASSERT_TRUE(log.open().ok());
  put_over_segments(3);
  delete_folder("/cache/journal/life-2/");
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(journal().stats().lost_records, 2u);
}

TEST_F(JournalRestoring, what_is_known_without_reading_needs_nobody_I1) {
  log.put(tombstone("gone", 1));
  log.put(clocks("moved", 2, {ms(5), ms(6), ms(7)}));
  log.put(erase_matching("user/*", 3));
  log.put(content("fill", 4, document("fill", 3'900)));
  delete_folder();
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(std::count(asked.begin(), asked.end(), "user/*"), 0) << "a glob is no key";
  EXPECT_EQ(journal().stats().lost_records, 0u);
  EXPECT_EQ(journal().erased_below(id_of("user/1")), at(3));
  EXPECT_EQ(journal().live_clocks(id_of("moved")), (Clocks{ms(5), ms(6), ms(7)}));
  EXPECT_EQ(journal().stats().live_records, 4u);
  reopen();
  EXPECT_EQ(log.recovered.size(), 4u);
  EXPECT_EQ(log.recovered_content("gone")->entry.kind, EntryKind::tombstone);
  EXPECT_EQ(log.recovered_of(RecordKind::clocks, "moved")->entry.clocks,
            (Clocks{ms(5), ms(6), ms(7)}));
}

TEST_F(JournalRestoring, clocks_take_the_metadata_of_their_version_from_the_owner) {
  for (const std::uint64_t known : {2, 3}) {
    const std::string key = "k" + std::to_string(known);
    Record moved = clocks(key, 2, {ms(5), {}, {}});
    moved.entry.metadata = R"({"on":"disk"})";
    log.put(moved);
    Record entry = content(key, known, "1");
    entry.entry.metadata = R"({"of":"owner"})";
    has_in_memory(entry);
  }
  log.put(content("fill", 4, document("fill", 3'900)));
  delete_folder();
  ASSERT_TRUE(restore().ok());
  reopen();
  EXPECT_EQ(log.recovered_of(RecordKind::clocks, "k2")->entry.metadata, R"({"of":"owner"})");
  EXPECT_NE(log.recovered_of(RecordKind::clocks, "k3")->entry.metadata, R"({"of":"owner"})");
}

TEST_F(JournalRestoring, guard_and_lineage_are_kept_I3) {
  Record guarded = content("k", 5, "1");
  guarded.not_newer_than = at(3);
  guarded.made_from.add({4, 9});
  log.put(guarded);
  log.put(content("fill", 6, document("fill", 3'900)));
  has_in_memory(guarded);
  delete_folder();
  ASSERT_TRUE(restore().ok());
  const auto writes = take();
  ASSERT_EQ(writes.size(), 2u);
  EXPECT_EQ(writes[0].write.not_newer_than, at(3));
  EXPECT_EQ(writes[0].made_from, guarded.made_from);
}

TEST_F(JournalRestoring, parked_write_stays_parked_for_its_reason_I1) {
  log.put(tombstone("k", 1));
  journal().park(take().at(0), "no such table");
  ASSERT_TRUE(journal().commit());
  log.put(content("fill", 4, document("fill", 3'900)));
  delete_folder();
  ASSERT_TRUE(restore().ok());
  ASSERT_EQ(journal().parked().size(), 1u);
  EXPECT_EQ(journal().parked()[0].why, "no such table");
  reopen();
  ASSERT_EQ(journal().parked().size(), 1u);
  EXPECT_EQ(journal().parked()[0].why, "no such table");
}

TEST_F(JournalRestoring, nothing_is_written_until_a_refused_restoring_was_tried_again_I1) {
  log.put(content("k", 5, document("k")));
  delete_folder();
  refuse("make_directories");
  EXPECT_EQ(restore().error, ENOSPC);
  EXPECT_FALSE(journal().stands());
  const AppendResult refused = log.put(content("l", 6, "1"));
  EXPECT_EQ(refused.status, AppendStatus::not_applied);
  EXPECT_EQ(refused.io.error, ENOENT);
  disk.set_fault(nullptr);
  EXPECT_EQ(log.put(content("l", 7, "1")).status, AppendStatus::not_applied)
      << "until `restore` is done";
  ASSERT_TRUE(restore().ok());
  EXPECT_TRUE(journal().stands());
  EXPECT_EQ(log.put(content("l", 8, "1")).status, AppendStatus::durable);
  EXPECT_EQ(*take().at(0).write.entry.document, document("k"));
}

TEST_F(JournalRestoring, lost_records_are_counted_once_however_often_it_is_tried_I13) {
  put_over_segments(3);
  delete_folder();
  refuse("write_at");
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(restore().ok());
    EXPECT_FALSE(journal().stands());
  }
  disk.set_fault(nullptr);
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(journal().stats().lost_records, 2u);
  EXPECT_EQ(*take().at(0).write.entry.document, document("k2", 2'000));
  EXPECT_EQ(journal().stats().segments, 1u);
}

TEST_F(JournalRestoring, folder_that_was_adopted_is_restored_into_the_own_one_I1) {
  put_over_segments(4);
  reopen();
  ASSERT_EQ(journal().stats().segments, 4u) << "too much to be copied at once";
  log.put(content("own", 50, "1"));
  for (int i = 0; i < 4; ++i) {
    const std::string key = "k" + std::to_string(i);
    if (i != 2) has_in_memory(content(key, static_cast<std::uint64_t>(i) + 1, document(key)));
  }
  EXPECT_TRUE(journal().stands());
  delete_folder();
  EXPECT_FALSE(journal().stands());
  ASSERT_TRUE(restore().ok());
  EXPECT_TRUE(journal().stands());
  EXPECT_EQ(journal().stats().lost_records, 1u);
  for (const std::string& path : segment_files(disk)) {
    EXPECT_TRUE(path.starts_with("/cache/journal/life-2/")) << path;
  }
  reopen();
  EXPECT_EQ(log.recovered.size(), 4u);
  EXPECT_NE(log.recovered_content("own"), nullptr);
}

TEST_F(JournalRestoring, deleted_folder_is_left_alone_by_compaction) {
  put_over_segments(4);
  delete_folder();
  refuse("make_directories");
  EXPECT_FALSE(restore().ok());
  EXPECT_TRUE(journal().compact(Journal::Compact::all).ok());
  EXPECT_EQ(journal().stats().parked, 0u);
  disk.set_fault(nullptr);
  for (int i = 0; i < 4; ++i) {
    const std::string key = "k" + std::to_string(i);
    has_in_memory(content(key, static_cast<std::uint64_t>(i) + 1, document(key)));
  }
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(take().size(), 4u);
}

TEST_F(JournalRestoring, what_was_acknowledged_before_is_on_the_disk_again_after_it_I1) {
  log.put(content("k", 5, document("k")));
  delete_folder();
  EXPECT_FALSE(journal().stands());
  ASSERT_TRUE(restore().ok());
  EXPECT_TRUE(journal().stands());
  disk.power_loss(0);
  ASSERT_TRUE(log.open().ok());
  ASSERT_NE(log.recovered_content("k"), nullptr);
  EXPECT_EQ(*log.recovered_content("k")->entry.document, document("k"));
}

TEST_F(JournalRestoring, copy_whose_sync_fails_is_brought_to_another_segment_I1) {
  log.put(content("k", 5, document("k")));
  delete_folder();
  int syncs = 0;  // the first one is of the segment while it is made
  disk.set_fault([&](const std::string& operation, const std::string&) {
    return operation == "sync_data" && ++syncs == 2 ? EIO : 0;
  });
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(journal().stats().segments_abandoned, 1u);
  EXPECT_EQ(journal().stats().lost_records, 0u);
  disk.power_loss(0);
  ASSERT_TRUE(log.open().ok());
  ASSERT_NE(log.recovered_content("k"), nullptr);
  EXPECT_EQ(*log.recovered_content("k")->entry.document, document("k"));
}

TEST_F(JournalRestoring, folder_that_comes_back_after_a_try_that_failed_is_restored_all_the_same) {
  log.put(content("k", 5, document("k")));
  ASSERT_TRUE(disk.boot()->rename(kDirectory, "/cache/away").ok());
  refuse("make_directories");
  EXPECT_FALSE(restore().ok());
  disk.set_fault({});
  ASSERT_TRUE(disk.boot()->rename("/cache/away", kDirectory).ok());
  EXPECT_EQ(log.put(content("l", 6, "1")).status, AppendStatus::not_applied);
  EXPECT_FALSE(journal().stands()) << "nothing is written until it is restored";
  ASSERT_TRUE(restore().ok());
  EXPECT_TRUE(journal().stands());
  EXPECT_EQ(log.put(content("l", 6, "1")).status, AppendStatus::durable);
}

// --- Between two steps of another thread ---

TEST_F(JournalRestoring, restoring_waits_for_the_turn_of_whoever_writes_and_holds_up_later_ones) {
  log.put(content("k", 5, document("k")));
  int met = 0;
  disk.on_operation([&](std::uint64_t, const std::string& what) {
    if (!what.starts_with("write_at") || met++ > 0) return;
    EXPECT_EQ(restore().error, EAGAIN);
    EXPECT_TRUE(asked.empty());
  });
  log.put(content("l", 6, "1"));
  disk.on_operation(nullptr);
  ASSERT_EQ(met, 1);
  EXPECT_FALSE(journal().stands());
  EXPECT_EQ(log.put(content("m", 7, "1")).status, AppendStatus::not_applied);
  ASSERT_TRUE(restore().ok());
  EXPECT_EQ(log.put(content("m", 8, "1")).status, AppendStatus::durable);
  EXPECT_EQ(take().size(), 3u);
}

TEST_F(JournalRestoring, record_queued_meanwhile_is_written_when_the_restoring_ends) {
  log.put(content("k", 5, document("k")));
  delete_folder();
  std::optional<AppendStatus> answer;
  int met = 0;
  disk.on_operation([&](std::uint64_t, const std::string& what) {
    if (!what.starts_with("write_at") || met++ > 0) return;
    journal().append(content("l", 6, "1"), [&](const AppendResult& r) { answer = r.status; });
    EXPECT_TRUE(journal().commit()) << "whoever has the turn sees to it";
  });
  ASSERT_TRUE(restore().ok());
  disk.on_operation(nullptr);
  EXPECT_EQ(answer, AppendStatus::durable);
  EXPECT_EQ(take().size(), 2u);
}

TEST_F(JournalRestoring, journal_closed_meanwhile_stays_closed_and_keeps_no_lock) {
  log.put(content("k", 5, document("k")));
  delete_folder();
  int met = 0;
  disk.on_operation([&](std::uint64_t, const std::string& what) {
    if (what.starts_with("make_director") && met++ == 0) journal().close();
  });
  EXPECT_EQ(restore().error, EBADF);
  disk.on_operation(nullptr);
  EXPECT_TRUE(journal().stands()) << "nothing of it is missed";
  AppendStatus answer = AppendStatus::durable;
  journal().append(content("l", 6, "1"), [&](const AppendResult& r) { answer = r.status; });
  EXPECT_EQ(answer, AppendStatus::not_applied);
  JournalOnDisk next(disk);
  next.options.name = "next";
  EXPECT_TRUE(next.open().ok());
}

TEST_F(JournalRestoring, closed_journal_is_not_restored) {
  journal().close();
  EXPECT_EQ(restore().error, EBADF);
  EXPECT_TRUE(journal().stands());
}

}  // namespace
}  // namespace tiercache::testing
