// Judges what machines over one store were told, given all that they tried and what stands at rest.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "machines/record.h"
#include "tiercache/version.h"

namespace tiercache::testing {

enum class Wrong : std::uint8_t {
  lost,    // what was acknowledged is not there, and nothing that may have won is
  lied,    // what was told to be superseded or not applied is there
  unseen,  // a count made from an unconfirmed write replaced another machine's that it had not seen
  tail,    // as `lost`, `lied` and `returned`, where the store may lose the tail of its log
  returned,  // an erased entry is back
  bytes,     // a document or metadata that nobody wrote, or not together
  differs,   // a machine at rest has something else than the store
  fresh,     // invalidated and served as fresh
  stuck,     // a write is parked or never sent, an answer never given, a process hung or died
};
const char* to_string(Wrong wrong);

// What a tier holds of a key at rest.
struct Standing {
  bool document = false;  // else nothing, or a tombstone
  bool fresh = false;
  bool right = true;  // bytes and metadata are those of the write `number`
  std::uint64_t number = 0;
  Version version;
};

// Not thread-safe.
class Checker {
 public:
  void add(const std::vector<Call>& calls);
  // The store's row of each key, in order of the keys, and what a machine has beside it.
  void check_rows(const std::vector<Standing>& rows);
  void check_machine(const std::string& where, const std::vector<Standing>& rows,
                     const std::vector<Standing>& local);
  void broken(Wrong wrong, const std::string& why);

  // The store fails over to a standby that may lack what was confirmed last.
  void forgive_lost_tails() { tails_are_lost_ = true; }

  std::uint64_t count(Wrong wrong) const;
  // Without `tail`, and without `unseen`, which is not promised for counts that are made from
  // unconfirmed writes of a machine's own (docs/decisions/0006-guards-compose.md); of exact
  // counters it is a violation.
  std::uint64_t violations() const;
  std::uint64_t told(Op op, Told told) const;
  // How many counts stand in the store.
  std::uint64_t counted() const { return counted_; }

 private:
  struct Attempt {
    Call begun;
    Told told = Told::nothing;
    Version version;
    bool stands = false;  // the row was made from it
  };
  struct Key {
    std::vector<std::uint64_t> writes;  // numbers, in order of beginning by machine
    std::vector<Version> stale;         // invalidated, acknowledged
    Version acknowledged;               // the newest plain write of all that were
    std::uint64_t acknowledged_number = 0;
  };
  void learn(const Call& call);
  void check_chain(std::uint8_t key, const Standing& row);
  std::vector<const Attempt*> chain_of(std::uint8_t key, const Standing& row);
  void check_count(std::uint8_t key, const Attempt& attempt, const Standing& row,
                   const std::vector<const Attempt*>& chain);
  void check_register(std::uint8_t key, const Standing& row);
  std::string told_of(const Attempt& attempt) const;

  std::unordered_map<std::uint64_t, Attempt> attempts_;  // by key and number
  std::map<std::uint8_t, Key> keys_;
  std::map<Wrong, std::uint64_t> counts_;
  std::map<std::pair<Op, Told>, std::uint64_t> told_;
  std::uint64_t counted_ = 0;
  bool tails_are_lost_ = false;
};

}  // namespace tiercache::testing
