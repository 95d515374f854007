// When keys whose refresh failed may be tried again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/backoff.h"
#include "tiercache/entry.h"
#include "tiercache/time.h"

namespace tiercache {

// Holds at most `capacity` keys, at least one; when full, the key whose wait ends soonest is
// forgotten, which at worst lets it be tried early. Not thread-safe.
class RetryTable {
 public:
  explicit RetryTable(std::size_t capacity) : capacity_(capacity) {}

  // Counts a failure and puts the next try off: by the back-off, or by `source_delay`, what the
  // source itself asked for, when that is longer. At most a day. `why` is kept for `last_failure`.
  void note_failure(const EntryId& id, const BackoffOptions& backoff,
                    std::chrono::milliseconds source_delay, SteadyTime now, Random& random,
                    std::string why = {});
  void note_success(const EntryId& id);

  // When the key may be tried; nullopt when now.
  std::optional<SteadyTime> retry_at(const EntryId& id, SteadyTime now) const;
  // The same, but only for a wait that the source asked for.
  std::optional<SteadyTime> source_retry_at(const EntryId& id, SteadyTime now) const;
  // The failure after which nothing has succeeded, as far as it is remembered: "last failure 12 s
  // ago: HTTP 503; next try in 48 s". Empty when there is none.
  std::string last_failure(const EntryId& id, SteadyTime now) const;
  std::size_t size() const { return failures_.size(); }

 private:
  // Ordered by when the wait ends; the number tells keys of one time apart.
  struct Place {
    SteadyTime retry_at;
    std::uint64_t number;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Failure {
    int count = 0;
    Place place;
    SteadyTime source_until;  // not after now: the source asks for nothing
    SteadyTime failed_at;
    std::string why;
  };
  using Failures = std::map<EntryId, Failure>;

  const Failure* find(const EntryId& id) const;
  void forget(Failures::iterator failure);

  std::size_t capacity_;
  std::uint64_t last_number_ = 0;
  Failures failures_;
  std::map<Place, Failures::iterator> order_;
};

}  // namespace tiercache
