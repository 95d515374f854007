// When sources that have failed may be asked again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/backoff.h"
#include "refresh/source_id.h"
#include "tiercache/time.h"

namespace tiercache {

// Holds at most `capacity` sources, but at least one. When it is full, the one whose wait ends
// soonest is forgotten; the worst that can happen is that it is asked early. Not thread-safe.
class RetryTable {
 public:
  explicit RetryTable(std::size_t capacity) : capacity_(capacity) {}

  // Counts a failure and puts the next try off: by the back-off, or by `source_delay`, which the
  // source itself has asked for, if that is longer. The source can ask for a day at most. `why` is
  // kept for `last_failure`.
  void note_failure(const SourceId& source, const BackoffOptions& backoff,
                    std::chrono::milliseconds source_delay, SteadyTime now, Random& random,
                    std::string why = {});
  void note_success(const SourceId& source);

  // When the source may be asked again; nullopt if it may be now.
  std::optional<SteadyTime> retry_at(const SourceId& source, SteadyTime now) const;
  // The same, counting only a wait that the source has asked for.
  std::optional<SteadyTime> source_retry_at(const SourceId& source, SteadyTime now) const;
  // The last failure, if nothing has succeeded since and it is still remembered: "last failure 12 s
  // ago: HTTP 503; next try in 48 s". Otherwise empty.
  std::string last_failure(const SourceId& source, SteadyTime now) const;
  std::size_t size() const { return failures_.size(); }

 private:
  // Sources are ordered by when their wait ends; the number tells those of one time apart.
  struct Place {
    SteadyTime retry_at;
    std::uint64_t number;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Failure {
    int count = 0;
    Place place;
    SteadyTime source_until;  // in the past unless the source has asked to be left alone
    SteadyTime failed_at;
    std::string why;
  };
  using Failures = std::map<SourceId, Failure>;

  const Failure* find(const SourceId& source) const;
  void forget(Failures::iterator failure);

  std::size_t capacity_;
  std::uint64_t last_number_ = 0;
  Failures failures_;
  std::map<Place, Failures::iterator> order_;
};

}  // namespace tiercache
