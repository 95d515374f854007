// What an outside observer may expect of each key, whichever process he asks, whatever crashed in
// between.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "tiercache/tiercache.h"

namespace tiercache::testing {

inline constexpr std::size_t kProcesses = 2;

// The newest write of a key that somebody may rely on.
struct Mark {
  Version floor = {};       // nothing older is served
  bool erased = false;      // that write was an erase
  bool matching = false;    // of many keys by a pattern
  bool compared = false;    // the store may have refused it for a row of a lower version
  std::uint64_t began = 0;  // its place in the order in which writes were begun
  std::uint64_t told = 0;   // and of it the place of its acknowledgement
  bool local = true;        // the directory has it, or memory until a crash

  void raise_to(const Mark& other);
};

// A write that was begun, and what its key's floor in the directory was by then.
struct Begun {
  std::uint64_t order = 0;
  Mark over;
};

// The processes share one directory. What one acknowledged the others must serve once it is in the
// files: after its flush, or once they had the time to adopt its journal.
//
// A read shows no less than the mark of the process that is asked (I1, I3), a tombstone's
// predecessor never comes back (I4), and content is always one that somebody wrote (I2).
class Oracle {
 public:
  Begun attempted(const std::string& key, const std::string& document,
                  const std::string& metadata = "{}");
  Begun attempted_erase(const std::string& key);
  // What one process was told of its write. A complaint where the version that it got is not above
  // what it replaced.
  struct Acknowledged {
    Version version;
    bool journaled = false;  // else only the store has it, and a crash may hide it for a while
    bool erased = false;
    bool matching = false;
    std::optional<Version> compared = {};  // with which it was to take the place of
  };
  std::optional<std::string> acknowledged(std::size_t process, const std::string& key,
                                          const Begun& begun, const Acknowledged& what);
  // Such a document is nowhere and never will be.
  void refused(const std::string& key, const std::string& document);
  // The store may have taken something that failed here.
  void in_doubt(const std::string& key) { keys_[key].store_only = true; }
  // Another machine's, straight into the store. No document: it erased.
  void wrote_elsewhere(const std::string& key, Version version,
                       const std::optional<std::string>& document);
  // The store lost the row, and so may every tier that hears of it.
  void lost_in_store(const std::string& key);

  // A living process may have taken over an erase by pattern from a dead one. Of a key without a
  // file that tells no other process before the store has the erase.
  enum class Beside : std::uint8_t { nobody, others };
  void opened(std::size_t process, Beside beside);
  // What it only saw, or only the store had, is not promised by the disk.
  void died(std::size_t process);
  // In the order of beginnings.
  std::uint64_t now() const { return begun_; }
  // All that it had acknowledged by then is in the files.
  void filed(std::size_t process, std::uint64_t then);
  // It had the time to adopt what dead processes left. How many keys that is news for.
  std::uint64_t adopted(std::size_t process);
  // The directory is gone: until they are seen again, entries may be missing where the store is not
  // asked or away.
  void wiped();
  // The time of day may go back, and with it the versions of writes after what leaves no trace of
  // its version in the directory: a matching erase, a file that was given up, a directory that was
  // wiped.
  void clock_may_go_back() { clock_may_go_back_ = true; }
  // What the store has may be missing in the directory, which then has nothing to compare with.
  void entries_are_evicted() { evicted_ = true; }

  // A disk that does not take a newer row than the file's gives the file up, and then only memory
  // has the entry. `row` tells of which version the store has the key now.
  void disk_failed() { disk_failed_ = ++begun_; }
  void rows_are_taken(std::function<Version(const std::string& key)> row) { row_ = std::move(row); }
  // The newest erase by pattern that was acknowledged.
  Version newest_matching_erase(const std::string& key) const;

  // Nullopt, or what is wrong with this answer. `floor` is what `floor()` was when the read began.
  std::optional<std::string> check(std::size_t process, const std::string& key,
                                   const Snapshot<JsonText>& snapshot, Version floor);
  Version floor(std::size_t process, const std::string& key);

  struct Key {
    std::array<Mark, kProcesses> seen_by;  // what each living process must serve
    std::array<Mark, kProcesses> written;  // what each acknowledged and journaled since it opened
    Mark directory;                 // what the directory holds whoever lives: files, dead journals
    bool store_only = false;        // the store may know a newer one that the disk refused
    std::uint64_t erase_tried = 0;  // when an erase was begun last, acknowledged or not
    Version erased_elsewhere;       // the newest erase that may win over what was acknowledged
    Version matching_erase;         // the newest that was acknowledged
    Version in_store;               // the newest that another machine put there
    bool dropped = false;           // the store lost its row once
    bool wiped = false;  // since then no plain write told the directory what the store may have
    struct Document {
      std::string metadata;
      std::uint64_t began = 0;
    };
    std::map<std::string, Document> documents;  // that somebody wrote
  };
  const std::map<std::string, Key>& keys() const { return keys_; }
  Key& of(const std::string& key) { return keys_[key]; }

 private:
  // The newest write of the key that the directory's processes acknowledged and journaled.
  static Mark in_directory(const Key& key);
  bool may_be_missing(const std::string& name, const Key& key, const Mark& mark) const;
  static bool compared_rightly(const Key& key, const Begun& begun, Version compared);
  // The clock was set back, and nothing here told of what is above `mark`: either may stand.
  static void forget_above(Key& key, const Mark& mark);
  bool was_given_up(const std::string& name, const Mark& mark) const;

  std::map<std::string, Key> keys_;
  std::uint64_t begun_ = 0;
  bool clock_may_go_back_ = false;
  bool evicted_ = false;
  std::uint64_t disk_failed_ = 0;  // when, in the order of beginnings
  std::function<Version(const std::string& key)> row_;
};

}  // namespace tiercache::testing
