// Judges what several processes were told, given all that they wrote.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "history/record.h"
#include "history/stalls.h"
#include "tiercache/version.h"

namespace tiercache::testing {

enum class Wrong : std::uint8_t {
  lost,  // an acknowledged write was overwritten by one that should have seen it, or is gone
  // A process was served something older than it had written before, or than it had been served
  // longer ago than reads may be out of date: a read that is under way while its process puts the
  // key may see what is newer than that put, and the put is served until its file is compared.
  regress,
  stale,     // served although superseded for longer than is promised
  returned,  // an erased entry is back
  bytes,     // served what nobody wrote, or under another version
  refused,   // a write ended at its deadline although nothing stood still
};
const char* to_string(Wrong wrong);

// Judges by the time in which neither the disk nor a process stood still, as far as heartbeats
// tell: what is late has to be so by that time. A write in doubt may have been made or not; which
// it was is concluded from what was served.
//
// Not thread-safe.
class Checker {
 public:
  void add(const std::vector<Call>& calls);
  // Of all processes before `check_calls`; without any, nothing stood still.
  void add(std::uint8_t process, const std::vector<std::int64_t>& beats);
  // Compares all calls, then the end: `final_of` is what stands there now, its number and version;
  // nullopt: nothing.
  struct Standing {
    std::uint64_t number = 0;
    Version version;
  };
  void check_calls();
  void check_end(const std::string& where, std::uint8_t key, std::optional<Standing> standing);

  std::uint64_t count(Wrong wrong) const;
  std::uint64_t violations() const;
  // Of each kind of call.
  std::uint64_t calls(Call::Kind kind) const;
  // By how much the oldest of all served values was out of date.
  std::int64_t stalest_ns() const { return stalest_ns_; }
  std::int64_t longest_stall_ns() const { return any_stalls_.longest(); }

 private:
  struct Key {
    std::vector<Call> writes;  // acknowledged, or in doubt and seen, by version
    std::vector<Call> reads;
    std::vector<Call> doubts;             // of no known version
    std::map<std::string, Version> ends;  // by place, once there were doubts
  };
  // By write: from when on neither it nor anything older may be served.
  struct Due {
    std::vector<std::int64_t> superseded;  // it or a newer one was acknowledged
    std::vector<std::int64_t> own;  // the same, and its process has had the time that is promised
    std::vector<std::int64_t> any;  // the same, and all processes had
  };
  const Stalls& stalls_of(std::uint8_t process) const;
  Due due_of(const Key& key) const;
  void check_unapplied(const Call& call);
  void conclude_doubts(Key& key);
  void check_order(const Key& key);
  void check_increments(const Key& key);
  void check_reads(const Key& key);
  // `floor`: what the reader's process knew.
  void judge_read(const Key& key, const Call& read, Version floor, const Due& due);
  void check_held_up();
  static bool written(const Key& key, const Call& read);
  static bool may_stand(const Key& key, const std::optional<Standing>& standing);
  void broken(Wrong wrong, const std::string& why);

  std::map<std::uint8_t, Key> keys_;
  std::vector<Call> unapplied_;
  std::map<Wrong, std::uint64_t> counts_;
  std::map<Call::Kind, std::uint64_t> calls_;
  std::int64_t stalest_ns_ = 0;
  std::map<std::uint8_t, Stalls> stalls_;  // by process
  Stalls any_stalls_;
  // Late, while some other process than the one that wrote stood still: by key.
  std::map<std::uint8_t, std::vector<std::pair<Wrong, std::string>>> held_up_;
};

}  // namespace tiercache::testing
