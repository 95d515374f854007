// A random life of a journal, and what must be found after it ended at any point.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/glob.h"
#include "engine/journal/journal_fixture.h"

namespace tiercache::testing {

// What a journal was asked to hold and what it answered.
class JournalModel {
 public:
  void asked(const Record& record) {
    if (record.kind == RecordKind::content)
      keys_[record.id.key].asked[version_of(record)] = text(record);
    if (record.kind == RecordKind::erase_matching) erase_asked_[record.id.key] = version_of(record);
  }
  void answered(const Record& record, AppendStatus status) {
    const std::uint64_t version = version_of(record);
    if (record.kind == RecordKind::erase_matching) {
      if (status == AppendStatus::durable) erased_[record.id.key] = version;
      return;
    }
    Key& key = keys_[record.id.key];
    if (record.kind == RecordKind::clocks) {
      if (status == AppendStatus::durable) key.clocks.merge(record.entry.clocks);
      return;
    }
    if (status == AppendStatus::durable) key.acknowledged = version;
    if (status == AppendStatus::not_applied) key.nowhere.insert(version);
  }
  // Settled and synced: may be gone.
  void finished(const Record& record) {
    Key& key = keys_[record.id.key];
    if (record.kind == RecordKind::content) {
      key.finished = std::max(key.finished, version_of(record));
    }
    if (record.kind == RecordKind::clocks) key.clocks_finished = true;
  }
  void clocks_moved(const std::string& key) { keys_[key].clocks_finished = false; }

  // Holds what was recovered against what was promised.
  void check(const JournalOnDisk& log) const {
    std::set<std::pair<RecordKind, EntryId>> told;
    for (const Record& record : log.recovered) {
      EXPECT_TRUE(told.insert({record.kind, record.id}).second) << "told twice";
      if (record.kind == RecordKind::content) check_told(record);
    }
    for (const auto& [name, key] : keys_) check_kept(name, key, log);
  }

 private:
  struct Key {
    std::map<std::uint64_t, std::string> asked;
    std::set<std::uint64_t> nowhere;
    std::uint64_t acknowledged = 0;
    std::uint64_t finished = 0;
    Clocks clocks;
    bool clocks_finished = false;
  };

  static std::uint64_t version_of(const Record& record) { return record.entry.version.time; }
  static std::string text(const Record& record) {
    return record.entry.document ? *record.entry.document : std::string();
  }
  using Erased = std::map<std::string, std::uint64_t>;
  static std::uint64_t erased_below(const Erased& erased, const std::string& key) {
    std::uint64_t below = 0;
    for (const auto& [glob, version] : erased) {
      if (glob_matches(glob, key)) below = std::max(below, version);
    }
    return below;
  }

  void check_told(const Record& record) const {
    const auto key = keys_.find(record.id.key);
    ASSERT_NE(key, keys_.end()) << "a key that nobody wrote: " << record.id.key;
    const auto asked = key->second.asked.find(version_of(record));
    ASSERT_NE(asked, key->second.asked.end()) << "a version that nobody wrote";
    EXPECT_EQ(asked->second, text(record)) << "garbage (I2)";
    EXPECT_FALSE(key->second.nowhere.contains(version_of(record))) << "was answered not_applied";
    // Once the newest is in file and store, those refuse what an older segment may still hold.
    if (key->second.acknowledged > key->second.finished) {
      EXPECT_GE(version_of(record), key->second.acknowledged) << "older than acknowledged (I3)";
    }
    EXPECT_GE(version_of(record), erased_below(erased_, record.id.key)) << "came back (I4)";
  }

  void check_kept(const std::string& name, const Key& key, const JournalOnDisk& log) const {
    // An erase that was not acknowledged may hold all the same.
    const std::uint64_t below = erased_below(erase_asked_, name);
    const bool promised = key.acknowledged > key.finished && key.acknowledged > below;
    EXPECT_TRUE(!promised || log.recovered_content(name) != nullptr)
        << name << " version " << key.acknowledged << " is lost (I1)";
    if (key.clocks_finished || below > 0 || key.clocks == Clocks{}) return;
    const Record* clocks = log.recovered_of(RecordKind::clocks, name);
    ASSERT_NE(clocks, nullptr) << "clocks of " << name << " are lost (I1)";
    EXPECT_TRUE(covers(clocks->entry.clocks, key.clocks));
  }

  std::map<std::string, Key> keys_;
  Erased erased_;
  Erased erase_asked_;
};

// Writes, settles, syncs, compacts at random; the same for the same seed.
class JournalLife {
 public:
  JournalLife(JournalOnDisk& log, JournalModel& model, std::uint64_t seed)
      : log_(log), model_(model), random_(seed) {}

  void run(int steps) {
    for (int i = 0; i < steps && log_.journal; ++i) step();
  }

 private:
  void step() {
    switch (random_.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return write({new_content()});
      case 5:
      case 6:
        return write({new_content(), new_content(), new_clocks(), new_content()});
      case 7:
        return write({new_clocks()});
      case 8:
        return write({erase_matching("k" + std::to_string(random_.below(4)) + "*", ++version_)});
      case 9:
      case 10:
      case 11:
        return finish();
      case 12:
        return settle();
      case 13:
        return park();
      case 14:
        log_.journal->compact(Journal::Compact::when_due);
        return;
      default:
        log_.journal->compact(Journal::Compact::all);
        return;
    }
  }

  std::string key() {
    return "k" + std::to_string(random_.below(4)) + std::to_string(random_.below(3));
  }
  Record new_content() {
    const std::string name = key();
    ++version_;
    if (random_.below(8) == 0) return tombstone(name, version_);
    return content(name, version_,
                   document(name + "@" + std::to_string(version_), 50 + random_.below(1200)));
  }
  Record new_clocks() {
    const std::string name = key();
    model_.clocks_moved(name);
    const auto time = static_cast<std::int64_t>(++version_);
    return random_.below(2) == 0 ? clocks(name, version_, {ms(time), {}, {}})
                                 : clocks(name, version_, {{}, {}, ms(time)});
  }

  void write(std::vector<Record> records) {
    for (Record& record : records) {
      model_.asked(record);
      const Record kept = record;
      log_.journal->append(std::move(record), [this, kept](const AppendResult& result) {
        model_.answered(kept, result.status);
        if (result.status == AppendStatus::durable) unfinished_.push_back(kept);
      });
    }
    log_.journal->commit();
  }
  void finish() {
    if (unfinished_.empty()) return;
    const std::size_t which = random_.below(unfinished_.size());
    Record record = unfinished_[which];
    unfinished_.erase(unfinished_.begin() + static_cast<std::ptrdiff_t>(which));
    if (record.kind == RecordKind::clocks) return;
    model_.finished(record);
    log_.finish(record);
  }
  void settle() {
    const auto writes = log_.journal->take_unsettled(3, 4096);
    for (const UnsettledWrite& write : writes) {
      if (random_.below(2) == 0) {
        log_.journal->settled(write);
      } else {
        log_.journal->release(std::span(&write, 1));
      }
    }
  }
  void park() {
    for (const UnsettledWrite& write : log_.journal->take_unsettled(1, 1)) {
      log_.journal->park(write, "no");
    }
  }

  JournalOnDisk& log_;
  JournalModel& model_;
  Random random_;
  std::uint64_t version_ = 0;
  std::vector<Record> unfinished_;
};

}  // namespace tiercache::testing
