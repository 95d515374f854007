// A journal on a disk that takes nothing new, and how it gets its folder.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {
namespace {

class JournalAway : public JournalOnDiskTest {
 protected:
  void open_away() {
    disk.set_read_only(true);
    log.open();
    ASSERT_NE(log.journal, nullptr);
    ASSERT_EQ(journal().away().error, EROFS);
  }
  void leave_behind(const Record& record) {
    ASSERT_TRUE(log.open().ok());
    log.put(record);
    log.kill();
  }
  AppendStatus put(const std::string& key, std::uint64_t version) {
    return log.put(content(key, version, document(key))).status;
  }
  void refuse(const std::string& operation, const std::string& path, int error, int times = 1000) {
    auto left = std::make_shared<int>(times);
    disk.set_fault([=](const std::string& name, const std::string& of) {
      return name == operation && of == path && (*left)-- > 0 ? error : 0;
    });
  }
  // Called once, before the first mutating operation of this name.
  void meanwhile(const std::string& operation, std::function<void()> then) {
    auto met = std::make_shared<bool>(false);
    disk.on_operation([=](std::uint64_t, const std::string& what) {
      if (what.starts_with(operation) && !std::exchange(*met, true)) then();
    });
  }
  bool has_file(const std::string& path) const {
    const auto files = disk.files();
    return std::find(files.begin(), files.end(), path) != files.end();
  }
};

TEST_F(JournalAway, records_are_refused_until_the_journal_has_come_back) {
  open_away();
  const AppendResult refused = log.put(content("k", 1, "1"));
  EXPECT_EQ(refused.status, AppendStatus::not_applied);
  EXPECT_EQ(refused.io.error, EROFS);
  EXPECT_TRUE(journal().stands()) << "what it never had was not deleted";
  EXPECT_EQ(journal().come_back().error, EROFS);
  EXPECT_EQ(journal().away().error, EROFS);
  disk.set_read_only(false);
  EXPECT_EQ(put("k", 2), AppendStatus::not_applied) << "until `come_back`";
  ASSERT_TRUE(journal().come_back().ok());
  EXPECT_TRUE(journal().away().ok());
  EXPECT_TRUE(journal().stands());
  EXPECT_EQ(put("k", 3), AppendStatus::durable);
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.recovered_content("k")->entry.version, at(3));
}

TEST_F(JournalAway, reason_is_that_of_the_last_attempt) {
  open_away();
  disk.set_read_only(false);
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "make_directories" ? ENOSPC : 0;
  });
  EXPECT_EQ(journal().come_back().error, ENOSPC);
  EXPECT_EQ(journal().away().error, ENOSPC);
  EXPECT_EQ(log.put(content("k", 1, "1")).io.error, ENOSPC);
}

TEST_F(JournalAway, journal_that_is_there_need_not_come_back) {
  ASSERT_TRUE(log.open().ok());
  const std::uint64_t before = disk.operations();
  EXPECT_TRUE(journal().come_back().ok());
  EXPECT_EQ(disk.operations(), before);
}

TEST_F(JournalAway, closed_journal_does_not_come_back) {
  open_away();
  journal().close();
  disk.set_read_only(false);
  EXPECT_EQ(journal().come_back().error, EBADF);
  EXPECT_TRUE(segment_files(disk).empty());
}

TEST_F(JournalAway, what_a_dead_owner_left_is_served_and_settled_meanwhile_I1) {
  leave_behind(content("k", 5, document("k")));
  open_away();
  ASSERT_NE(log.recovered_content("k"), nullptr);
  EXPECT_EQ(*journal().live_content(id_of("k"))->entry.document, document("k"));
  EXPECT_TRUE(journal().compact(Journal::Compact::all).ok()) << "there is nowhere to copy to";
  const auto writes = journal().take_unsettled(10, 1 << 20);
  ASSERT_EQ(writes.size(), 1u);
  journal().settled(writes[0]);
  EXPECT_EQ(journal().stats().unsettled, 0u);
  disk.set_read_only(false);
  ASSERT_TRUE(journal().come_back().ok());
  log.kill();
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.recovered_content("k"), nullptr) << "its file is not synced";
}

TEST_F(JournalAway, folder_of_a_dead_owner_that_goes_meanwhile_is_missed_and_restored) {
  leave_behind(content("k", 5, document("k")));
  open_away();
  EXPECT_TRUE(journal().stands());
  for (const std::string& path : disk.files()) {
    if (path.starts_with("/cache/journal/life-1/")) disk.remove(path);
  }
  EXPECT_FALSE(journal().stands());
  const auto newest = [](const EntryId&) {
    return std::optional(content("k", 5, document("k")).entry);
  };
  EXPECT_EQ(journal().restore(newest).error, EROFS);
  disk.set_read_only(false);
  ASSERT_TRUE(journal().restore(newest).ok());
  EXPECT_TRUE(journal().away().ok()) << "it has a folder now";
  EXPECT_EQ(put("l", 6), AppendStatus::durable);
  EXPECT_EQ(journal().take_unsettled(10, 1 << 20).size(), 2u);
}

TEST_F(JournalAway, journal_closed_while_it_comes_back_stays_closed) {
  open_away();
  disk.set_read_only(false);
  meanwhile("make_director", [this] { journal().close(); });
  journal().come_back();
  disk.on_operation(nullptr);
  EXPECT_EQ(log.journal->come_back().error, EBADF);
  AppendStatus answer = AppendStatus::durable;
  journal().append(content("l", 6, "1"), [&](const AppendResult& r) { answer = r.status; });
  EXPECT_EQ(answer, AppendStatus::not_applied);
}

TEST_F(JournalAway, come_back_waits_for_the_turn_of_whoever_writes) {
  open_away();
  disk.set_read_only(false);
  IoStatus second;
  meanwhile("make_director", [&] { second = journal().come_back(); });
  ASSERT_TRUE(journal().come_back().ok());
  EXPECT_EQ(second.error, EAGAIN);
}

TEST_F(JournalAway, record_queued_while_it_comes_back_is_written_then) {
  open_away();
  disk.set_read_only(false);
  std::optional<AppendStatus> answer;
  meanwhile("make_director", [&] {
    journal().append(content("l", 6, "1"), [&](const AppendResult& r) { answer = r.status; });
    EXPECT_TRUE(journal().commit());
  });
  ASSERT_TRUE(journal().come_back().ok());
  EXPECT_EQ(answer, AppendStatus::durable);
}

// --- The making of a folder ---

TEST_F(JournalAway, folder_that_an_adopter_holds_or_took_is_made_under_another_name) {
  for (const int error : {EAGAIN, ENOENT}) {
    MemoryDisk own_disk;
    JournalOnDisk own(own_disk);
    own_disk.set_fault([=](const std::string& operation, const std::string& path) {
      return operation == "try_lock" && path == "/cache/journal/life-1/owner" ? error : 0;
    });
    ASSERT_TRUE(own.open().ok());
    EXPECT_EQ(own.put(content("k", 1, "1")).status, AppendStatus::durable);
    EXPECT_TRUE(segment_files(own_disk).at(0).starts_with("/cache/journal/life-1-1/"));
  }
}

TEST_F(JournalAway, names_are_tried_a_bounded_number_of_times) {
  std::set<std::string> tried;
  disk.set_fault([&](const std::string& operation, const std::string& path) {
    if (operation != "try_lock" || !path.ends_with("/owner")) return 0;
    tried.insert(path);
    return EAGAIN;
  });
  EXPECT_EQ(log.open().error, EAGAIN);
  EXPECT_EQ(log.journal, nullptr);
  EXPECT_EQ(tried.size(), 8u);
}

TEST_F(JournalAway, folder_that_is_there_is_never_used_again) {
  disk.write("/cache/journal/life-1/owner", "");
  disk.write("/cache/journal/life-1-1/owner", "");
  ASSERT_TRUE(log.open().ok());
  put("k", 1);
  EXPECT_TRUE(segment_files(disk).at(0).starts_with("/cache/journal/life-1-2/"));
}

TEST_F(JournalAway, name_of_which_all_forms_are_taken_is_refused) {
  for (int i = 0; i < 8; ++i) {
    disk.write("/cache/journal/life-1" + (i == 0 ? "" : "-" + std::to_string(i)) + "/owner", "");
  }
  const IoStatus status = log.open();
  EXPECT_EQ(status.error, EEXIST);
  EXPECT_NE(status.what.find("life-1"), std::string::npos) << status.what;
  EXPECT_EQ(log.journal, nullptr);
}

TEST_F(JournalAway, folder_whose_lock_is_refused_leaves_nothing_behind) {
  for (const int error : {ENOSPC, EIO}) {
    MemoryDisk own_disk;
    JournalOnDisk own(own_disk);
    const std::uint64_t before = own_disk.used_inodes();
    own_disk.set_fault([=](const std::string& operation, const std::string& path) {
      return operation == "try_lock" && path.ends_with("/owner") ? error : 0;
    });
    EXPECT_EQ(own.open().error, error == EIO ? EIO : 0);
    EXPECT_EQ(own.journal == nullptr, error == EIO) << "a full disk passes, a broken one does not";
    EXPECT_FALSE(has_file("/cache/journal/life-1/owner"));
    EXPECT_LE(own_disk.used_inodes(), before + 2) << "the journal's directory and its lock";
  }
}

TEST_F(JournalAway, folder_counts_only_once_its_name_is_synced_all_the_way_up_I1) {
  for (const char* path : {"/cache/journal/life-1", "/cache/journal", "/cache"}) {
    MemoryDisk own_disk;
    JournalOnDisk own(own_disk);
    own_disk.set_fault([=](const std::string& operation, const std::string& of) {
      return operation == "sync_directory" && of == path ? EIO : 0;
    });
    EXPECT_EQ(own.open().error, EIO) << path;
    EXPECT_EQ(own.journal, nullptr) << path;
  }
}

// --- The lock of the adopter ---

TEST_F(JournalAway, disk_that_takes_no_lock_is_no_matter_where_nobody_left_anything) {
  refuse("try_lock", "/cache/journal/adopting", EROFS);
  EXPECT_TRUE(log.open().ok());
  EXPECT_TRUE(journal().away().ok());
}

TEST_F(JournalAway, disk_that_takes_no_lock_is_told_where_somebody_left_something_I1) {
  leave_behind(content("k", 5, "1"));
  refuse("try_lock", "/cache/journal/adopting", EROFS);
  EXPECT_EQ(log.open().error, EROFS);
  ASSERT_NE(log.journal, nullptr);
  EXPECT_TRUE(log.recovered.empty());
  disk.set_fault(nullptr);
  std::size_t told = 0;
  EXPECT_TRUE(journal().adopt([&](const Record&) { ++told; }).ok());
  EXPECT_EQ(told, 1u);
}

TEST_F(JournalAway, file_beside_the_folders_is_nobodys) {
  disk.write("/cache/journal/notes.txt", "");
  refuse("try_lock", "/cache/journal/adopting", EROFS);
  EXPECT_TRUE(log.open().ok());
}

TEST_F(JournalAway, directory_that_cannot_be_listed_may_hold_something_I1) {
  ASSERT_TRUE(log.open().ok());
  disk.set_fault([](const std::string& operation, const std::string& path) {
    if (operation == "list") return EIO;
    return operation == "try_lock" && path.ends_with("/adopting") ? EROFS : 0;
  });
  EXPECT_EQ(journal().adopt({}).error, EROFS);
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "list" ? EIO : 0;
  });
  EXPECT_EQ(journal().adopt({}).error, EIO);
}

TEST_F(JournalAway, whoever_finds_another_adopting_tries_again_even_where_nothing_is_left) {
  refuse("try_lock", "/cache/journal/adopting", EAGAIN);
  EXPECT_EQ(log.open().error, EAGAIN);
  ASSERT_NE(log.journal, nullptr);
}

TEST_F(JournalAway, all_is_told_before_another_process_can_adopt) {
  leave_behind(content("k", 5, "1"));
  JournalOnDisk other(disk);
  other.options.name = "other";
  std::unique_ptr<Journal> second;
  std::vector<std::string> steps;
  const auto adopt_too = [&] {
    EXPECT_EQ(Journal::open(disk.boot(), other.options, {}, &second).error, EAGAIN);
    EXPECT_NE(second, nullptr);
  };
  std::unique_ptr<Journal> first;
  JournalOptions options = log.options;
  options.name = "first";
  ASSERT_TRUE(Journal::open(
                  disk.boot(), options,
                  [&](const Record& record) {
                    steps.push_back(record.id.key);
                    adopt_too();
                  },
                  [&] { steps.emplace_back("all"); }, &first)
                  .ok());
  EXPECT_EQ(steps, (std::vector<std::string>{"k", "all"}));
}

TEST_F(JournalAway, that_all_is_told_is_told_where_there_was_nothing) {
  int all = 0;
  ASSERT_TRUE(Journal::open(
                  disk.boot(), log.options, {}, [&] { ++all; }, &log.journal)
                  .ok());
  EXPECT_EQ(all, 1);
}

}  // namespace
}  // namespace tiercache::testing
