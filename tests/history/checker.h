// Judges what several processes were told, given all that they wrote.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "history/record.h"
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
};
const char* to_string(Wrong wrong);

// Not thread-safe.
class Checker {
 public:
  void add(const std::vector<Call>& calls);
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

 private:
  struct Key {
    std::vector<Call> writes;  // acknowledged, by version
    std::vector<Call> reads;
  };
  void check_key(const Key& key);
  void check_order(const Key& key);
  void check_increments(const Key& key);
  void check_reads(const Key& key);
  // `floor`: what the reader's process knew; `superseded`: by write, when it or a newer one was
  // acknowledged first.
  void judge_read(const Key& key, const Call& read, Version floor,
                  const std::vector<std::int64_t>& superseded);
  static bool written(const Key& key, const Call& read);
  void broken(Wrong wrong, const std::string& why);

  std::map<std::uint8_t, Key> keys_;
  std::map<Wrong, std::uint64_t> counts_;
  std::map<Call::Kind, std::uint64_t> calls_;
  std::int64_t stalest_ns_ = 0;
};

}  // namespace tiercache::testing
