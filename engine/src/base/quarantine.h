// The folder for bytes that did not hold. They are kept for a person to look at, up to a bound.
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

// Everything that is kept aside in one directory shares one bound; above it the oldest files are
// deleted first. A file counts in whole blocks of 4 KiB, so that empty files are bounded too. Names
// begin with a rising number, which tells the age, since a file that is moved keeps its times.
//
// Other processes may use the folder as well. What they add is seen each time an eighth of the
// bound has been added here, so each process may exceed the bound by an eighth.
//
// Thread-safe. The folder is made when the first file comes in.
class Quarantine {
 public:
  static constexpr std::uint64_t kDefaultMaxBytes = 64 << 20;

  // With `max_bytes` 0 everything that comes in is deleted at once.
  Quarantine(FileSystem& file_system, std::string folder, std::uint64_t max_bytes);
  Quarantine(const Quarantine&) = delete;
  Quarantine& operator=(const Quarantine&) = delete;

  // Moves a file in. `name` becomes the end of its new name. It may have at most 220 bytes, and no
  // other user of the folder may use the same one at the same time. Not synced.
  IoStatus move_in(const std::string& path, std::string_view name);
  // Keeps these bytes, synced along with their name. Replaces what came in under this `name`
  // before.
  IoStatus write(std::string_view name, std::string_view bytes);
  // Deletes what is above the bound, as is needed after the bound was changed.
  void trim();
  QuarantineStats stats() const;

 private:
  struct Key {
    std::uint64_t number = 0;
    std::string file_name;

    friend auto operator<=>(const Key&, const Key&) = default;
  };

  IoStatus look() TIERCACHE_REQUIRES(mutex_);
  // Looks at the folder, unless that was done recently.
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
  // Bytes that were added since the last look at the folder.
  std::uint64_t added_ TIERCACHE_GUARDED_BY(mutex_) = 0;
  std::uint64_t deleted_ TIERCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace tiercache
