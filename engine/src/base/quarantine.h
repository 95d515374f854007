// The folder for bytes that did not hold: kept for a person to look at, up to a bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/annotations.h"
#include "base/mutex.h"
#include "tiercache/file_system.h"

namespace tiercache {

struct QuarantineStats {
  std::uint64_t bytes = 0;    // kept there, as far as this process knows
  std::uint64_t deleted = 0;  // files that this process deleted to keep the bound
};

// All that is kept aside in one directory shares one bound; past it the oldest goes first. A file
// counts in whole blocks of 4 KiB, so that empty ones are bounded too. Names begin with a number
// that rises: the age, since moving a file keeps its times.
//
// Other processes may use the folder as well. What they bring is seen whenever an eighth of the
// bound was brought in here, so the bound may be exceeded by an eighth for each process.
//
// Thread-safe. The folder is made when something comes in.
class Quarantine {
 public:
  static constexpr std::uint64_t kDefaultMaxBytes = 64 << 20;

  // `max_bytes` 0: what comes in is deleted at once.
  Quarantine(FileSystem& file_system, std::string folder, std::uint64_t max_bytes);
  Quarantine(const Quarantine&) = delete;
  Quarantine& operator=(const Quarantine&) = delete;

  // Moves a file in. `name` is the end of its new name, at most 220 bytes, unique at any time among
  // all that use the folder. Not synced.
  IoStatus move_in(const std::string& path, std::string_view name);
  // Keeps these bytes, synced with their name. What came in under the same `name` before is
  // replaced.
  IoStatus write(std::string_view name, std::string_view bytes);
  // Deletes what is above the bound, as after a change of it.
  void trim();
  QuarantineStats stats() const;

 private:
  struct Key {
    std::uint64_t number = 0;
    std::string file_name;

    friend auto operator<=>(const Key&, const Key&) = default;
  };

  IoStatus look() TIERCACHE_REQUIRES(mutex_);
  // Looks at the folder if that was not done for long.
  IoStatus know() TIERCACHE_REQUIRES(mutex_);
  std::string path_of(const Key& key) const { return folder_ + "/" + key.file_name; }
  Key next_key(std::string_view name) const TIERCACHE_REQUIRES(mutex_);
  void add(const Key& key, std::uint64_t size) TIERCACHE_REQUIRES(mutex_);
  void drop_oldest() TIERCACHE_REQUIRES(mutex_);

  FileSystem& file_system_;
  const std::string folder_;
  const std::uint64_t max_bytes_;
  mutable Mutex mutex_;
  bool looked_ TIERCACHE_GUARDED_BY(mutex_) = false;
  std::map<Key, std::uint64_t> files_ TIERCACHE_GUARDED_BY(mutex_);  // with their sizes
  std::uint64_t bytes_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  std::uint64_t added_ TIERCACHE_GUARDED_BY(mutex_) = 0;  // bytes, since the folder was looked at
  std::uint64_t deleted_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace tiercache
