// What an oracle outside the cache knows of one key, and the judgement whether an answer keeps what
// was promised (I1 to I4).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tiercache/version.h"

namespace tiercache::testing {

enum class Broken : std::uint8_t {
  lost,       // an acknowledged write is not there, and nothing newer is
  came_back,  // a deleted document is there
  wrong,      // bytes that nobody wrote, or of a write that said it was never applied
  older,      // an older document stands where a newer one was acknowledged
};
const char* to_string(Broken broken);

struct Verdict {
  Broken broken = Broken::lost;
  std::string why;
};

// What a tier holds or serves for the key.
struct Answer {
  std::optional<std::string> document;  // absent: nothing, or a tombstone
  Version version;
  bool fresh = false;  // served as needing no refresh
};

// The writes of one key, in the order in which they were begun. A write that was begun and not
// acknowledged may or may not be there, until a later one is acknowledged. Not thread-safe.
class KeyHistory {
 public:
  explicit KeyHistory(std::string key) : key_(std::move(key)) {}

  // A write begins; numbers grow.
  void put_begins(std::uint64_t number);
  // The source answers. `base`: the version that this replaces; none: nothing was cached. It must
  // not replace a newer one, and gives way to one that the store was told of meanwhile.
  void refresh_begins(std::uint64_t number, std::optional<Version> base);
  // `Scope::matching`: one of many keys erased by a pattern.
  enum class Scope : std::uint8_t { key, matching };
  void erase_begins(std::uint64_t number, Scope scope = Scope::key);

  enum class Durable : std::uint8_t { here, elsewhere };
  // The write was acknowledged with this version. `elsewhere`: not on this disk.
  void acknowledged(std::uint64_t number, Version version, Durable durable = Durable::here);
  // The write said that it is nowhere and never will be.
  void refused(std::uint64_t number);
  // The write failed on the way; it may turn up later by another way, such as the store, and then
  // its version decides.
  void went_astray(std::uint64_t number);
  // The content of this version was acknowledged to be stale; `confirmed`: it is not any more.
  void invalidated(Version version) {
    stale_version_ = version;
    stale_since_ = last_number_;
  }
  void confirmed() { stale_version_ = Version{}; }

  // Nullopt when the answer keeps all promises.
  std::optional<Verdict> judge(const Answer& answer) const;
  // Such a write was begun and not settled yet.
  bool is_open(std::uint64_t number) const;
  const std::string& key() const { return key_; }

 private:
  struct Write {
    std::uint64_t number = 0;
    bool erase = false;
    bool matching = false;
    bool refresh = false;
    bool elsewhere = false;
    bool refused = false;
    bool astray = false;
    std::optional<Version> base;
    // That of the first of the refreshes that led to it: if the store refuses that one for what
    // this directory had not seen, it refuses all of them.
    std::optional<Version> first_base;
    std::optional<Version> version;
  };
  void begins(Write write);
  Write* find(std::uint64_t number);
  const Write* find(std::uint64_t number) const;
  // It may be what is seen, given what was acknowledged.
  bool may_stand(const Write& write) const;
  bool fetched_elsewhere() const;
  std::optional<Verdict> judge_nothing() const;
  std::optional<Verdict> judge_document(std::uint64_t number, const Answer& answer) const;
  std::string story() const;

  std::string key_;
  std::vector<Write> writes_;  // the acknowledged one that stands, and what may replace it
  std::uint64_t last_number_ = 0;
  std::optional<Write> standing_;
  Version stale_version_;
  std::uint64_t stale_since_ = 0;  // the newest write by then
};

}  // namespace tiercache::testing
