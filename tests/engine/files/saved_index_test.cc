// The index that is saved while a cache works, and what a cache that opens makes of it: the files
// are the truth, whatever it says.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/files/entries.h"
#include "json/envelope.h"

namespace tiercache {
namespace {

using testing::MemoryDisk;

constexpr std::uint64_t kKeys = 40;
const EntryId kKey8{"d", "key 8"};

EntryId id_of(std::uint64_t number) {
  return {"d" + std::string(number % 2, 'd'), "key " + std::to_string(number)};
}

void pass(MemoryDisk& disk, std::chrono::seconds span) {
  disk.set_time(disk.time() + span, std::chrono::milliseconds(50));
}

// Syncs, and saves the index where that is due.
IoStatus save(EntryFiles& files) {
  IoStatus status = files.sync();
  for (bool more = true; more && status.ok();) status = files.save_index(&more);
  return status;
}

void fill(EntryFiles& files, std::uint64_t version = 1) {
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    const FileWriteResult result = files.write(id_of(i), document(version), Sync::none);
    ASSERT_EQ(result.status, WriteStatus::done) << result.io.what;
  }
}

// Keys in files that look settled and an index that has been saved since; the process is dead.
std::unique_ptr<MemoryDisk> disk_with_saved() {
  auto disk = std::make_unique<MemoryDisk>();
  Tier tier(*disk);
  fill(*tier.files);
  pass(*disk, std::chrono::seconds(10));
  EXPECT_TRUE(save(*tier.files).ok());
  disk->kill();
  return disk;
}

std::string envelope(const EntryId& id, const Entry& entry) {
  return encode_envelope(kProject, id, entry);
}

// What the files say, each read.
std::string truth(MemoryDisk& disk) {
  disk.remove(kSaved);
  disk.remove("/cache/index");
  Tier tier(disk);
  disk.kill();
  return contents(tier->index());
}

TEST(SavedIndex, headers_are_read_of_changed_files_alone) {
  const auto disk = disk_with_saved();
  {
    Tier tier(*disk);
    EXPECT_TRUE(tier.rebuilt);
    EXPECT_EQ(tier->headers_read(), 0u);
    EXPECT_EQ(tier->index().size(), kKeys);
    tier->write(id_of(3), document(2), Sync::none);
    tier->write(id_of(4), tombstone(2), Sync::none);
    tier->write({"other", ""}, document(2), Sync::none);
    tier->remove(id_of(5), {9, 9});
    disk->kill();
  }
  pass(*disk, std::chrono::seconds(10));
  Tier tier(*disk);
  EXPECT_EQ(tier->headers_read(), 3u);
  EXPECT_FALSE(tier->index().find(id_of(5))) << "its file is gone";
  EXPECT_EQ(tier->index().find(id_of(4))->kind, EntryKind::tombstone);
  const std::string loaded = contents(tier->index());
  disk->kill();
  EXPECT_EQ(loaded, truth(*disk));
}

TEST(SavedIndex, file_changed_shortly_before_the_saving_is_read) {
  MemoryDisk disk;
  disk.set_time(disk.time(), std::chrono::nanoseconds(0));
  {
    Tier tier(disk);
    fill(*tier.files);
    ASSERT_TRUE(save(*tier.files).ok());
    disk.kill();
  }
  pass(disk, std::chrono::seconds(10));
  EXPECT_EQ(Tier(disk)->headers_read(), kKeys);
}

TEST(SavedIndex, is_due_when_a_tenth_has_changed_and_then_not_again) {
  MemoryDisk disk;
  Tier tier(disk);
  EXPECT_FALSE(tier->is_save_due());
  for (std::uint64_t i = 0; i < 400; ++i) tier->write(id_of(i), document(1), Sync::none);
  EXPECT_TRUE(tier->is_save_due());
  ASSERT_TRUE(save(*tier.files).ok());
  EXPECT_FALSE(tier->is_save_due());
  for (std::uint64_t i = 0; i < 39; ++i) tier->write(id_of(i), document(2), Sync::none);
  EXPECT_FALSE(tier->is_save_due());
  tier->remove(id_of(39), {9, 9});
  EXPECT_TRUE(tier->is_save_due());
}

TEST(SavedIndex, index_left_by_a_close_is_the_saved_one_of_the_next_life) {
  MemoryDisk disk;
  {
    Tier tier(disk);
    fill(*tier.files);
    pass(disk, std::chrono::seconds(10));
    ASSERT_TRUE(tier->close().ok());
  }
  {
    Tier tier(disk);
    EXPECT_FALSE(tier.rebuilt);
    disk.kill();
  }
  Tier tier(disk);
  EXPECT_TRUE(tier.rebuilt);
  EXPECT_EQ(tier->headers_read(), 0u);
  EXPECT_EQ(tier->index().size(), kKeys);
}

TEST(SavedIndex, index_of_format_1_leads_to_the_files) {
  const auto disk = disk_with_saved();
  std::string bytes;
  ASSERT_TRUE(disk->read(kSaved, &bytes));
  Index index;
  ASSERT_TRUE(index.decode(bytes));
  disk->write(kSaved, Index().encode());
  Tier tier(*disk);
  EXPECT_EQ(tier->headers_read(), kKeys);
  EXPECT_EQ(contents(tier->index()), contents(index));
}

// What may happen to files while no cache looks.
struct Change {
  const char* name;
  std::function<void(MemoryDisk&)> make;
};

class SavedIndexOfChanged : public ::testing::TestWithParam<Change> {};

TEST_P(SavedIndexOfChanged, files_are_the_truth_I2_I3) {
  const auto disk = disk_with_saved();
  GetParam().make(*disk);
  std::string loaded;
  {
    Tier tier(*disk);
    loaded = contents(tier->index());
    for (std::uint64_t i = 0; i < kKeys; ++i) {
      const FileReadResult result = tier->read(id_of(i));
      const auto known = tier->index().find(id_of(i));
      ASSERT_EQ(result.entry != nullptr, known.has_value()) << i;
      EXPECT_TRUE(!known || result.entry->version == known->version) << i;
    }
    disk->kill();
  }
  EXPECT_EQ(loaded, truth(*disk));
}

void swap_files(MemoryDisk& disk, const EntryId& a, const EntryId& b) {
  ASSERT_TRUE(disk.boot()->exchange(file_of(a), file_of(b)).ok());
  disk.kill();
}

// With a file system of its own, as another process has it.
void replace(MemoryDisk& disk, const EntryId& id, const Entry& entry) {
  Tier other(disk);
  EXPECT_EQ(other->replace(id, {99, 9}, entry).status, WriteStatus::done);
  disk.kill();
}

INSTANTIATE_TEST_SUITE_P(
    By, SavedIndexOfChanged,
    ::testing::Values(
        Change{"another_process", [](MemoryDisk& disk) { replace(disk, kKey8, document(8)); }},
        Change{"an_older_version", [](MemoryDisk& disk) { replace(disk, kKey8, document(0)); }},
        Change{"a_clock_set_back",
               [](MemoryDisk& disk) {
                 pass(disk, std::chrono::hours(-24));
                 replace(disk, kKey8, document(8));
               }},
        Change{"a_clock_that_stood_still",
               [](MemoryDisk& disk) {
                 disk.set_time(disk.time(), std::chrono::nanoseconds(0));
                 replace(disk, kKey8, document(8));
                 replace(disk, id_of(12), document(9));
               }},
        Change{"the_same_inode_anew",
               [](MemoryDisk& disk) {
                 pass(disk, std::chrono::seconds(1));
                 disk.write(file_of(kKey8), envelope(kKey8, document(8)));
               }},
        Change{"a_swap", [](MemoryDisk& disk) { swap_files(disk, kKey8, id_of(10)); }},
        Change{"a_removal", [](MemoryDisk& disk) { disk.remove(file_of(kKey8)); }},
        Change{"a_new_file",
               [](MemoryDisk& disk) {
                 disk.write(file_of({"new", "k"}), envelope({"new", "k"}, document(3)));
               }},
        Change{"damage",
               [](MemoryDisk& disk) {
                 pass(disk, std::chrono::seconds(1));
                 disk.write(file_of(kKey8), "damage");
               }},
        Change{"all_of_it_gone",
               [](MemoryDisk& disk) {
                 disk.boot()->remove_tree("/cache/data");
                 disk.kill();
               }}),
    [](const auto& one) { return std::string(one.param.name); });

// Here a file looks as the index has it and is another: no print can tell.
TEST(SavedIndex, that_is_wrong_leads_to_no_wrong_read_and_no_older_write_I2_I3) {
  MemoryDisk disk;
  disk.set_time(disk.time(), std::chrono::nanoseconds(0));
  {
    Tier tier(disk);
    fill(*tier.files, 5);
    disk.write(file_of(kKey8), envelope(kKey8, document(8, "{\"a\":8}")));  // within the tick
    pass(disk, std::chrono::seconds(10));
    ASSERT_TRUE(save(*tier.files).ok());
    disk.kill();
  }
  Tier tier(disk);
  ASSERT_EQ(tier->headers_read(), 0u);
  ASSERT_EQ(tier->index().find(kKey8)->version.time, 5u) << "this index is wrong";
  EXPECT_EQ(tier->write(kKey8, document(7), Sync::none).status, WriteStatus::newer_there);
  EXPECT_EQ(tier.text(kKey8), "{\"a\":8}");
  EXPECT_EQ(tier->index().find(kKey8)->version.time, 8u);
}

TEST(SavedIndex, of_another_directory_leads_to_the_files_I2) {
  for (const bool looks_the_same : {false, true}) {
    const auto disk = disk_with_saved();
    MemoryDisk other;
    {
      Tier tier(other);
      if (!looks_the_same) other.boot()->make_directories("/elsewhere");
      if (!looks_the_same) pass(other, std::chrono::seconds(1));
      fill(*tier.files, 4);
      pass(other, std::chrono::seconds(10));
      other.kill();
    }
    std::string bytes;
    ASSERT_TRUE(disk->read(kSaved, &bytes));
    other.write(kSaved, bytes);
    Tier tier(other);
    EXPECT_EQ(tier->headers_read(), looks_the_same ? 0u : kKeys);
    for (std::uint64_t i = 0; i < kKeys; ++i) {
      EXPECT_EQ(tier.version(id_of(i)), 4u);
      EXPECT_EQ(tier->index().find(id_of(i))->version.time, 4u) << "a read has mended it";
    }
  }
}

TEST(SavedIndex, every_changed_byte_and_every_cut_leads_to_the_files_I2) {
  const auto disk = disk_with_saved();
  std::string bytes;
  ASSERT_TRUE(disk->read(kSaved, &bytes));
  Index whole;
  ASSERT_TRUE(whole.decode(bytes));
  const auto expect_all = [&](const std::string& damaged, std::size_t i) {
    disk->write(kSaved, damaged);
    Tier tier(*disk);
    EXPECT_EQ(tier->headers_read(), kKeys) << i;
    EXPECT_EQ(contents(tier->index()), contents(whole)) << i;
    disk->kill();
  };
  for (std::size_t i = 0; i < bytes.size(); i += 7) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x11);
    expect_all(damaged, i);
    expect_all(bytes.substr(0, i), i);
  }
}

TEST(SavedIndex, power_loss_at_every_operation_of_a_saving_never_leaves_a_wrong_index_I2) {
  constexpr std::uint64_t kSeeds = 12;
  const auto disk = disk_with_saved();
  std::vector<std::pair<std::string, std::unique_ptr<MemoryDisk>>> states;
  Tier tier(*disk);
  disk->on_operation([&](std::uint64_t, const std::string& what) {
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      states.emplace_back(what + " seed " + std::to_string(seed), disk->after_power_loss(seed));
    }
  });
  for (std::uint64_t i = 0; i < 20; ++i) {
    tier->write(id_of(i), document(2, "{\"b\":2}"), Sync::none);
    if (i == 9) pass(*disk, std::chrono::seconds(10));
  }
  pass(*disk, std::chrono::seconds(10));
  ASSERT_TRUE(tier->sync().ok());
  for (bool more = true; more;) {
    tier->write(id_of(30), document(2), Sync::none);
    ASSERT_TRUE(tier->save_index(&more).ok());
  }
  tier->write(id_of(31), document(2), Sync::none);
  disk->on_operation({});
  ASSERT_GT(states.size(), 50 * kSeeds);
  for (const auto& [when, state] : states) {
    std::string loaded;
    {
      Tier after(*state);
      loaded = contents(after->index());
      state->kill();
    }
    ASSERT_EQ(loaded, truth(*state)) << when;
  }
}

TEST(SavedIndex, fault_at_every_call_of_a_saving_leaves_the_one_before_and_no_rest) {
  int failures = 0;
  for (std::uint64_t failing = 1;; ++failing) {
    const auto disk = disk_with_saved();
    Tier tier(*disk);
    fill(*tier.files, 2);
    pass(*disk, std::chrono::seconds(10));
    std::uint64_t calls = 0;
    std::string failed;
    disk->set_fault([&](const std::string& operation, const std::string& path) {
      if (++calls != failing) return 0;
      failed = operation + " " + path;
      return ENOSPC;
    });
    const bool saved = save(*tier.files).ok();
    disk->set_fault({});
    if (calls < failing) break;
    failures += saved ? 0 : 1;
    tier->write(kKey8, document(3),
                Sync::none);  // half-written files that could not be removed go with it
    tier->write(kKey8, document(4), Sync::none);
    EXPECT_EQ(temps(*disk), 0) << failed;
    const std::string expected = contents(tier->index());
    disk->kill();
    EXPECT_EQ(contents(Tier(*disk)->index()), expected) << failed;
  }
  EXPECT_GT(failures, 3);
}

TEST(SavedIndex, saving_that_failed_is_not_repeated_before_as_much_has_changed_again) {
  MemoryDisk disk;
  Tier tier(disk);
  fill(*tier.files);
  disk.set_fault([](const std::string& operation, const std::string& path) {
    return operation == "sync_data" && is_temp(path) ? ENOSPC : 0;
  });
  EXPECT_FALSE(save(*tier.files).ok());
  EXPECT_FALSE(tier->is_save_due());
  disk.set_fault({});
  fill(*tier.files, 2);
  EXPECT_TRUE(save(*tier.files).ok());
  std::string bytes;
  EXPECT_TRUE(disk.read(kSaved, &bytes));
}

TEST(SavedIndex, failed_sync_saves_nothing) {
  MemoryDisk disk;
  Tier tier(disk);
  fill(*tier.files);
  disk.set_fault([](const std::string& operation, const std::string&) {
    return operation == "sync_all" ? EIO : 0;
  });
  EXPECT_FALSE(tier->sync().ok());
  disk.set_fault({});
  bool more = true;
  EXPECT_TRUE(tier->save_index(&more).ok());
  EXPECT_FALSE(more);
  std::string bytes;
  EXPECT_FALSE(disk.read(kSaved, &bytes));
}

TEST(SavedIndex, of_processes_that_share_a_directory_the_last_one_counts_and_none_is_believed_I10) {
  MemoryDisk disk;
  auto a = std::make_unique<Tier>(disk);
  fill(*a->files);
  pass(disk, std::chrono::seconds(10));
  ASSERT_TRUE(save(*a->files).ok());
  Tier b(disk);
  EXPECT_EQ(b->headers_read(), 0u) << "others being there is no reason to read";
  EXPECT_EQ(b->index().size(), kKeys);
  fill(*b.files, 2);
  pass(disk, std::chrono::seconds(10));
  ASSERT_TRUE(save(*b.files).ok());
  for (std::uint64_t i = kKeys; i < 2 * kKeys; ++i) (*a)->write(id_of(i), document(1), Sync::none);
  pass(disk, std::chrono::seconds(10));
  ASSERT_TRUE(save(*a->files).ok());  // which knows nothing of what b wrote
  disk.kill();
  disk.kill();
  Tier c(disk);
  EXPECT_EQ(c->headers_read(), kKeys);
  const std::string loaded = contents(c->index());
  disk.kill();
  EXPECT_EQ(loaded, truth(disk));
}

}  // namespace
}  // namespace tiercache
