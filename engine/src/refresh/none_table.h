// Which sources have said that they have nothing of a key, while the cache has something.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "refresh/source_id.h"
#include "tiercache/time.h"

namespace tiercache {

// Holds at most `capacity` sources, but at least one. When it is full, the one that is believed for
// the shortest time is forgotten; the worst that can happen is that it is asked early. Not
// thread-safe.
class NoneTable {
 public:
  explicit NoneTable(std::size_t capacity) : capacity_(capacity) {}

  // Believes the source for `hold_for` from `now` on, but for a year at most. Zero or less: it is
  // not believed any more.
  void note(const SourceId& source, std::chrono::milliseconds hold_for, SteadyTime now);
  void forget(const SourceId& source) { nones_.erase(source); }
  // What is to be said of it while the source is believed: "12 s ago the source said that it has
  // none; it is asked again in 48 s". Otherwise nullopt.
  std::optional<std::string> said(const SourceId& source, SteadyTime now) const;
  bool has(const SourceId& source, SteadyTime now) const { return find(source, now) != nullptr; }
  std::size_t size() const { return nones_.size(); }

 private:
  struct None {
    SteadyTime said_at;
    SteadyTime until;
  };
  const None* find(const SourceId& source, SteadyTime now) const;
  void make_room(SteadyTime now);

  std::size_t capacity_;
  std::map<SourceId, None> nones_;
};

}  // namespace tiercache
