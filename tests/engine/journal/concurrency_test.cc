// Real threads: writers that share syncs, and beside them whoever settles, syncs files and
// compacts.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {
namespace {

constexpr int kWriters = 4;
constexpr int kWrites = 400;

// Writes keys of its own, each write awaited.
void write_and_wait(Journal& journal, int writer) {
  for (int i = 0; i < kWrites; ++i) {
    const std::string key = std::to_string(writer) + "/" + std::to_string(i % 20);
    std::atomic<int> answered{0};
    journal.append(content(key, static_cast<std::uint64_t>(i) + 1, document(key, 300)),
                   [&](const AppendResult& result) {
                     EXPECT_EQ(result.status, AppendStatus::durable);
                     answered = 1;
                     answered.notify_all();
                   });
    while (!journal.commit()) {
    }
    answered.wait(0);
  }
}

using Versions = std::map<EntryId, Version>;

// What it settled is in `*settled`.
void settle_some(Journal& journal, const std::atomic<bool>& stop, Versions* settled) {
  while (!stop) {
    const auto writes = journal.take_unsettled(7, 1 << 16);
    for (std::size_t i = 0; i < writes.size(); ++i) {
      if (i % 3 == 0) {
        journal.release(std::span(&writes[i], 1));
      } else {
        journal.settled(writes[i]);
        Version& newest = (*settled)[writes[i].write.id];
        EXPECT_LT(newest, writes[i].write.entry.version) << "sent twice or out of order";
        newest = writes[i].write.entry.version;
        journal.file_written(writes[i].write.id, writes[i].write.entry.version, {});
      }
    }
    journal.files_synced(journal.files_mark());
    std::this_thread::yield();
  }
}

void compact_and_look(Journal& journal, const std::atomic<bool>& stop) {
  while (!stop) {
    EXPECT_TRUE(journal.compact(Journal::Compact::when_due).ok());
    EXPECT_TRUE(journal.adopt(nullptr).ok());
    EXPECT_GE(journal.stats().records_synced, journal.stats().syncs == 0 ? 0u : 1u);
    std::this_thread::yield();
  }
}

TEST(JournalThreads, writers_share_syncs_and_find_all_they_were_promised_I1) {
  MemoryDisk disk;
  JournalOnDisk log(disk);
  ASSERT_TRUE(log.open().ok());
  Journal& journal = *log.journal;
  std::atomic<bool> stop{false};
  Versions settled;
  {
    std::vector<std::jthread> writers;
    std::vector<std::jthread> others;
    others.emplace_back([&] { settle_some(journal, stop, &settled); });
    others.emplace_back([&] { compact_and_look(journal, stop); });
    for (int i = 0; i < kWriters; ++i) writers.emplace_back([&, i] { write_and_wait(journal, i); });
    for (std::jthread& writer : writers) writer.join();
    stop = true;
  }
  Versions unsettled;
  for (const UnsettledWrite& write : journal.take_unsettled(1000, 1 << 30)) {
    unsettled[write.write.id] = write.write.entry.version;
  }
  for (int writer = 0; writer < kWriters; ++writer) {
    for (int i = kWrites - 20; i < kWrites; ++i) {
      const EntryId id = id_of(std::to_string(writer) + "/" + std::to_string(i % 20));
      const Version last = at(static_cast<std::uint64_t>(i) + 1);
      EXPECT_EQ(std::max(settled[id], unsettled[id]), last) << id.key << " was dropped";
    }
  }
  std::erase_if(unsettled, [](const auto& item) { return item.second.is_zero(); });
  log.kill();
  ASSERT_TRUE(log.open().ok());
  for (const auto& [id, version] : unsettled) {
    const Record* record = log.recovered_content(id.key);
    ASSERT_NE(record, nullptr) << id.key;
    EXPECT_EQ(record->entry.version, version);
    EXPECT_EQ(*record->entry.document, document(id.key, 300));
  }
}

TEST(JournalThreads, every_record_is_answered_once_while_the_journal_closes) {
  for (int round = 0; round < 20; ++round) {
    MemoryDisk disk;
    JournalOnDisk log(disk);
    ASSERT_TRUE(log.open().ok());
    std::atomic<int> answered{0};
    {
      std::vector<std::jthread> threads;
      for (int writer = 0; writer < kWriters; ++writer) {
        threads.emplace_back([&, writer] {
          for (int i = 0; i < 50; ++i) {
            log.journal->append(content(std::to_string(writer), at(1).time + i, "1"),
                                [&](const AppendResult&) { ++answered; });
            while (!log.journal->commit()) {
            }
          }
        });
      }
      threads.emplace_back([&] { log.journal->close(); });
    }
    EXPECT_EQ(answered, kWriters * 50);
  }
}

TEST(JournalThreads, last_word_on_a_parked_write_is_the_last_on_the_disk_too_I1) {
  MemoryDisk disk;
  JournalOnDisk log(disk);
  for (int life = 0; life < 20; ++life) {
    ASSERT_TRUE(log.open().ok());
    const Record record = content("k", 5, "1");
    if (life == 0) log.put(record);
    Journal& journal = *log.journal;
    {
      std::vector<std::jthread> threads;
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) journal.park(write_of(record), "no");
      });
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) journal.retry_parked(record.id);
      });
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) journal.commit();
      });
    }
    while (!journal.commit()) {
    }
    const std::size_t parked = journal.parked().size();
    log.kill();
    ASSERT_TRUE(log.open().ok());
    EXPECT_EQ(log.journal->parked().size(), parked);
    log.kill();
  }
}

}  // namespace
}  // namespace tiercache::testing
