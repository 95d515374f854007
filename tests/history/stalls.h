// When the disk stood still, or a process did.
#pragma once

#include <cstdint>
#include <vector>

namespace tiercache::testing {

// Times are nanoseconds of the monotonic clock. Not thread-safe.
class Stalls {
 public:
  struct Span {
    std::int64_t began = 0;
    std::int64_t ended = 0;
  };

  // From when something was done that is done every `kBeatEvery`. Pauses of `kStall` and more are
  // stalls.
  static Stalls of_beats(const std::vector<std::int64_t>& beats);

  void add(const Span& span);
  void add(const Stalls& others);

  // How much of the time between these moments was stalled.
  std::int64_t between(std::int64_t began, std::int64_t ended) const;
  // The first moment at which `span` has passed since `from`, not counting stalls.
  std::int64_t after(std::int64_t from, std::int64_t span) const;
  // The last moment since which `span` has passed by `until`, not counting stalls.
  std::int64_t before(std::int64_t until, std::int64_t span) const;

  std::int64_t longest() const;
  std::size_t count() const { return spans_.size(); }

 private:
  std::vector<Span> spans_;  // in order, apart from each other
};

}  // namespace tiercache::testing
