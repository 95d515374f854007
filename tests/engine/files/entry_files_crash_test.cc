// Faults and power losses at every operation: the old entry or the new one, never anything else.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/files/entries.h"

namespace tiercache {
namespace {

constexpr std::uint64_t kSeeds = 24;

const EntryId kNew{"d", "new"};
const Entry kOld = document(1, "\"" + std::string(9000, 'o') + "\"");
const Entry kNext = document(2, "\"" + std::string(9000, 'n') + "\"");

struct Case {
  const char* name;
  // Does its work on a tier that holds `kOld` under `kId`; true when all of it was acknowledged.
  std::function<bool(EntryFiles&)> act;
  bool durable;         // once acknowledged it survives power loss
  bool remote = false;  // one syncfs does nothing on this disk
};

bool written(const FileWriteResult& result) {
  return result.status == WriteStatus::done;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"write_before",
       [](EntryFiles& files) {
         return written(files.write(kId, kNext, Sync::before)) &&
                written(files.write(kNew, kNext, Sync::before));
       },
       true},
      {"write_synced",
       [](EntryFiles& files) {
         const std::vector<std::pair<EntryId, EntryPtr>> batch = {{kId, shared(kNext)},
                                                                  {kNew, shared(kNext)}};
         bool all_written = true;
         for (const FileWriteResult& result : files.write_synced(batch)) {
           all_written = all_written && written(result);
         }
         return all_written;
       },
       true},
      {"write_none_then_sync",
       [](EntryFiles& files) {
         return written(files.write(kId, kNext, Sync::none)) &&
                written(files.write(kNew, kNext, Sync::none)) && files.sync().ok();
       },
       true},
      {"replace",
       [](EntryFiles& files) {
         return written(files.replace(kId, {9, 9}, kNext)) &&
                written(files.replace(kNew, {9, 9}, kNext));
       },
       true},
      {"merge_of_clocks",
       [](EntryFiles& files) {
         Entry moved = kOld;
         moved.clocks.last_fetch = at_ms(1'900'000'000'000);
         return written(files.write(kId, moved, Sync::none));
       },
       false},
  };
  return all;
}

std::vector<Case> cases_on_each_disk() {
  std::vector<Case> all = cases();
  for (Case one : cases()) {
    one.remote = true;
    all.push_back(one);
  }
  return all;
}

class EntryFilesCrash : public ::testing::TestWithParam<Case> {
 protected:
  static std::unique_ptr<testing::MemoryDisk> disk_with_old() {
    auto disk = std::make_unique<testing::MemoryDisk>();
    disk->set_remote(GetParam().remote);
    Tier tier(*disk);
    EXPECT_TRUE(written(tier->write(kId, kOld, Sync::before)));
    EXPECT_TRUE(tier->sync().ok());
    disk->kill();
    return disk;
  }
  static bool is_old_or_next(const std::string& text) {
    return text == *kOld.document || text == *kNext.document;
  }
  // What the directory holds must be served, counted and writable.
  static void expect_sound(testing::MemoryDisk& disk, bool torn_allowed, const std::string& when) {
    Tier tier(disk);
    EXPECT_EQ(temps(disk), 0) << when;
    const std::string text = tier.text(kId);
    const std::string fresh = tier.text(kNew);
    if (!torn_allowed) {
      EXPECT_TRUE(is_old_or_next(text)) << when << text.substr(0, 20);
      EXPECT_TRUE(fresh == "<absent>" || fresh == *kNext.document) << when << fresh.substr(0, 20);
      EXPECT_EQ(quarantined_files(disk), 0) << when;
    } else {
      EXPECT_TRUE(is_old_or_next(text) || text.front() == '<') << when;
    }
    // What recovery does from a journal that holds the new entry.
    EXPECT_TRUE(written(tier->write(kId, kNext, Sync::before))) << when;
    EXPECT_EQ(tier.text(kId), *kNext.document) << when;
    EXPECT_TRUE(tier->index().find(kId)) << when;
  }
};

TEST_P(EntryFilesCrash, fault_at_every_call_leaves_the_old_or_the_new_entry) {
  int failures = 0;
  for (std::uint64_t failing = 1;; ++failing) {
    std::unique_ptr<testing::MemoryDisk> disk = disk_with_old();
    Tier tier(*disk);
    std::uint64_t calls = 0;
    std::string failed;
    disk->set_fault([&](const std::string& operation, const std::string& path) {
      if (++calls != failing) return 0;
      failed = operation + " " + path;
      return failing % 2 == 0 ? EIO : ENOSPC;
    });
    const bool acknowledged = GetParam().act(*tier.files);
    disk->set_fault({});
    if (calls < failing) break;
    failures += acknowledged ? 0 : 1;
    const std::string text = tier.text(kId);
    EXPECT_TRUE(is_old_or_next(text)) << failed << ": " << text.substr(0, 20);
    if (acknowledged) {
      EXPECT_GE(tier->read(kId).entry->clocks.last_fetch, kOld.clocks.last_fetch) << failed;
    }
    // A half-written file that could not be removed at once goes with the next write.
    EXPECT_TRUE(written(tier->write({"d", "another"}, kNext, Sync::none))) << failed;
    tier->write({"d", "another"}, document(9), Sync::none);
    EXPECT_EQ(temps(*disk), 0) << failed;
    if (acknowledged && GetParam().durable) {
      for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        std::unique_ptr<testing::MemoryDisk> after = disk->after_power_loss(seed);
        EXPECT_EQ(Tier(*after).text(kId), *kNext.document) << failed << " seed " << seed;
      }
    }
    disk->kill();
    expect_sound(*disk, false, failed);
  }
  EXPECT_GT(failures, 3);
}

TEST_P(EntryFilesCrash, power_loss_at_every_operation_leaves_the_old_or_the_new_entry) {
  std::unique_ptr<testing::MemoryDisk> disk = disk_with_old();
  Tier tier(*disk);
  std::vector<std::pair<std::string, std::unique_ptr<testing::MemoryDisk>>> states;
  const auto take_states = [&](const std::string& when) {
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      states.emplace_back(when + " seed " + std::to_string(seed) + " ",
                          disk->after_power_loss(seed));
    }
  };
  disk->on_operation(
      [&](std::uint64_t, const std::string& what) { take_states("before " + what); });
  ASSERT_TRUE(GetParam().act(*tier.files));
  disk->on_operation({});
  const std::size_t until_acknowledged = states.size();
  ASSERT_GT(until_acknowledged, 3 * kSeeds);
  take_states("after");
  const bool torn_allowed = std::string(GetParam().name) == "write_none_then_sync";
  for (std::size_t i = 0; i < states.size(); ++i) {
    auto& [when, state] = states[i];
    if (i >= until_acknowledged && GetParam().durable) {
      Tier after(*state);
      EXPECT_EQ(after.text(kId), *kNext.document) << when;
      EXPECT_EQ(after.text(kNew), *kNext.document) << when;
      state->kill();
    }
    expect_sound(*state, torn_allowed && i < until_acknowledged, when);
  }
}

TEST_P(EntryFilesCrash, kill_at_every_operation_leaves_the_old_or_the_new_entry) {
  for (std::uint64_t last = 1;; ++last) {
    std::unique_ptr<testing::MemoryDisk> disk = disk_with_old();
    Tier tier(*disk);
    const std::uint64_t start = disk->operations();
    bool killed = false;
    std::string when;
    disk->on_operation([&](std::uint64_t number, const std::string& what) {
      if (number != start + last) return;
      when = what;
      killed = true;
      disk->kill();
    });
    GetParam().act(*tier.files);
    disk->on_operation({});
    if (!killed) break;
    expect_sound(*disk, false, when);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, EntryFilesCrash, ::testing::ValuesIn(cases_on_each_disk()),
                         [](const auto& one) {
                           return std::string(one.param.name) + (one.param.remote ? "_remote" : "");
                         });

TEST(EntryFilesCrashOfIndex, power_loss_or_kill_around_open_and_close_never_leaves_a_wrong_index) {
  testing::MemoryDisk disk;
  {
    Tier tier(disk);
    tier->write(kId, kOld, Sync::before);
    tier->close();
  }
  std::vector<std::pair<std::string, std::unique_ptr<testing::MemoryDisk>>> states;
  disk.on_operation([&](std::uint64_t, const std::string& what) {
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      states.emplace_back(what + " seed " + std::to_string(seed), disk.after_power_loss(seed));
    }
  });
  {
    Tier tier(disk);
    EXPECT_FALSE(tier.rebuilt);
    tier->write(kId, kNext, Sync::before);
    tier->write(kNew, kNext, Sync::none);
    tier->remove(kNew, {9, 9});
    tier->write({"d", "third"}, kNext, Sync::none);
    tier->close();
  }
  disk.on_operation({});
  ASSERT_GT(states.size(), 10 * kSeeds);
  for (const auto& [when, state] : states) {
    std::string loaded;
    {
      Tier tier(*state);
      loaded = contents(tier->index());
      state->kill();
    }
    Tier rebuilt(*state);
    EXPECT_TRUE(rebuilt.rebuilt);
    EXPECT_EQ(loaded, contents(rebuilt->index())) << when;
  }
}

TEST(EntryFilesCrashOfSync, failed_sync_before_a_write_keeps_the_old_entry_through_power_loss) {
  for (const std::string operation : {"sync_data", "sync_all", "sync_directory"}) {
    testing::MemoryDisk disk;
    Tier tier(disk);
    ASSERT_TRUE(written(tier->write(kId, kOld, Sync::before)));
    disk.set_fault(
        [&](const std::string& name, const std::string&) { return name == operation ? EIO : 0; });
    const std::vector<std::pair<EntryId, EntryPtr>> batch = {{kId, shared(kNext)}};
    const FileWriteResult result = operation == "sync_all" ? tier->write_synced(batch)[0]
                                                           : tier->write(kId, kNext, Sync::before);
    EXPECT_EQ(result.status, WriteStatus::failed);
    disk.set_fault({});
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      std::unique_ptr<testing::MemoryDisk> after = disk.after_power_loss(seed);
      const std::string text = Tier(*after).text(kId);
      EXPECT_TRUE(text == *kOld.document || text == *kNext.document) << operation << seed;
    }
  }
}

TEST(EntryFilesCrashOfSync, sync_makes_many_files_and_removals_last_on_each_disk_I1) {
  for (const bool remote : {false, true}) {
    testing::MemoryDisk disk;
    disk.set_remote(remote);
    Tier tier(disk);
    const auto id = [](int i) { return EntryId{i % 3 == 0 ? "one" : "other", std::to_string(i)}; };
    constexpr int kFiles = 60;
    for (int i = 0; i < kFiles; ++i) ASSERT_TRUE(written(tier->write(id(i), kNext, Sync::none)));
    ASSERT_TRUE(tier->sync().ok());
    for (int i = 0; i < kFiles; i += 5) ASSERT_TRUE(written(tier->remove(id(i), {9, 9})));
    ASSERT_TRUE(tier->sync().ok());
    EXPECT_EQ(tier->failed_syncs(), 0u);
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      std::unique_ptr<testing::MemoryDisk> after = disk.after_power_loss(seed);
      Tier later(*after);
      for (int i = 0; i < kFiles; ++i) {
        EXPECT_EQ(later.text(id(i)), i % 5 == 0 ? "<absent>" : *kNext.document) << remote << i;
      }
    }
  }
}

// As when another file system is mounted over the directory.
TEST(EntryFilesCrashOfSync, disk_whose_syncfs_stops_working_fails_one_sync_and_none_after_it) {
  testing::MemoryDisk disk;
  Tier tier(disk);
  disk.set_remote(true);
  ASSERT_TRUE(written(tier->write(kId, kOld, Sync::none)));
  EXPECT_EQ(tier->sync().error, ENOTSUP);
  EXPECT_EQ(tier->failed_syncs(), 1u);
  ASSERT_TRUE(written(tier->write(kId, kNext, Sync::none)));
  EXPECT_TRUE(tier->sync().ok());
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    EXPECT_EQ(Tier(*disk.after_power_loss(seed)).text(kId), *kNext.document) << seed;
  }
}

TEST(EntryFilesCrashOfSync, synced_write_of_what_stands_unsynced_makes_it_last) {
  for (const bool remote : {false, true}) {
    testing::MemoryDisk disk;
    disk.set_remote(remote);
    Tier tier(disk);
    ASSERT_TRUE(written(tier->write(kId, kOld, Sync::before)));
    for (const bool batch : {false, true}) {
      const EntryId id{"d", batch ? "batch" : "single"};
      const std::vector<std::pair<EntryId, EntryPtr>> one = {{id, shared(kNext)}};
      ASSERT_TRUE(written(tier->write(id, kNext, Sync::none)));
      ASSERT_TRUE(
          written(batch ? tier->write_synced(one)[0] : tier->write(id, kNext, Sync::before)));
      for (std::uint64_t seed = 0; seed < 100; ++seed) {
        std::unique_ptr<testing::MemoryDisk> after = disk.after_power_loss(seed);
        EXPECT_EQ(Tier(*after).text(id), *kNext.document) << remote << batch << seed;
      }
    }
  }
}

// The first sync drops what it should have written, and only says so; the next one succeeds.
TEST(EntryFilesCrashOfSync, write_anew_makes_what_a_failed_sync_dropped_last) {
  testing::MemoryDisk disk;
  Tier tier(disk);
  ASSERT_TRUE(written(tier->write(kId, kNext, Sync::none)));
  disk.set_fault(
      [](const std::string& name, const std::string&) { return name == "sync_all" ? EIO : 0; });
  ASSERT_FALSE(tier->sync().ok());
  EXPECT_EQ(tier->failed_syncs(), 1u);
  disk.set_fault({});
  ASSERT_TRUE(tier->sync().ok());
  ASSERT_NE(Tier(*disk.after_power_loss(0)).text(kId), *kNext.document) << "it was not dropped";
  const std::vector<std::pair<EntryId, EntryPtr>> batch = {{kId, shared(kNext)}};
  ASSERT_TRUE(written(tier->write_synced(batch, Sync::anew)[0]));
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    EXPECT_EQ(Tier(*disk.after_power_loss(seed)).text(kId), *kNext.document) << seed;
  }
}

TEST(EntryFilesCrashOfSync, rewrite_of_what_no_journal_has_never_loses_it) {
  testing::MemoryDisk disk;
  Tier tier(disk);
  ASSERT_TRUE(written(tier->write(kId, kOld, Sync::before)));
  std::vector<std::string> seen;
  disk.on_operation([&](std::uint64_t, const std::string&) {
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      seen.push_back(Tier(*disk.after_power_loss(seed)).text(kId));
    }
  });
  ASSERT_TRUE(written(tier->rewrite(kId, nullptr)));
  disk.write("/after", "");
  disk.on_operation({});
  ASSERT_GE(seen.size(), 3 * kSeeds);
  for (const std::string& text : seen) EXPECT_EQ(text, *kOld.document);
}

TEST(EntryFilesCrashOfReplace, newer_file_than_the_bound_stays_I3) {
  testing::MemoryDisk disk;
  Tier tier(disk);
  ASSERT_TRUE(written(tier->write(kId, kNext, Sync::before)));
  EXPECT_EQ(tier->replace(kId, kOld.version, kOld).status, WriteStatus::newer_there);
  EXPECT_EQ(tier.text(kId), *kNext.document);
}

TEST(EntryFilesCrashOfRemove, removed_entry_is_gone_for_good_once_synced_I4) {
  testing::MemoryDisk disk;
  Tier tier(disk);
  tier->write(kId, kOld, Sync::before);
  ASSERT_TRUE(written(tier->remove(kId, {9, 9})));
  ASSERT_TRUE(tier->sync().ok());
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::unique_ptr<testing::MemoryDisk> after = disk.after_power_loss(seed);
    EXPECT_EQ(Tier(*after).text(kId), "<absent>");
  }
}

}  // namespace
}  // namespace tiercache
