// What every room of an open cache uses: the options, the ports, the time, the log, the datasets
// that are open, and how to run something later. It knows no tier.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/version_clock.h"
#include "cache/runtime/datasets.h"
#include "cache/runtime/health_marks.h"
#include "cache/runtime/judge.h"
#include "cache/runtime/signal.h"
#include "cache/runtime/tasks.h"
#include "json/document.h"
#include "system/process.h"
#include "tiercache/options.h"

namespace tiercache::detail {

// Thread-safe: what is not fixed at construction guards itself.
struct Runtime {
  // `cache_options` have been checked. Throws BadDirectory if their directory is relative and the
  // working directory cannot be asked for.
  explicit Runtime(CacheOptions cache_options);
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // --- Time ---
  // This instant by both clocks; the time of day as the store's clock has it, once that is known.
  Now now() const;
  // The time of `now` alone, cheap enough for a hit.
  Ticks coarse_ticks() const;
  // `kNever` for a delay of a year and more.
  SteadyTime after(std::chrono::milliseconds delay) const;
  // Blocks this thread for so long.
  void pause(std::chrono::milliseconds span) const;

  // --- State ---
  bool is_open() const { return tasks.is_open(); }
  // False in a child of the process that has opened the cache.
  bool is_own_process() const { return forks_so_far() == forks_at_open; }
  // Throws `Error` in such a child.
  void check_process() const;
  // The same, and `Closed` once the cache has begun to close.
  void check_open() const;

  // A file of the cache's directory.
  std::string path(const std::string& name) const;
  // Warns of something that was found wrong with one entry, and names neither its key nor what is
  // in it.
  void warn_of_entry(LogTopic topic, const EntryId& id, const std::string& what);

  const std::uint32_t forks_at_open;
  CacheOptions options;      // fixed; the directory is absolute
  const std::uint64_t seed;  // for all that is random; each part adds a number of its own
  const std::shared_ptr<Clock> clock;
  const std::shared_ptr<FileSystem> file_system;
  const bool owns_executor;
  const std::shared_ptr<Executor> executor;
  DocumentRules rules;  // for documents of the user and of sources; fixed
  Log log;
  HealthMarks marks;
  VersionClock versions;
  Datasets datasets;
  Tasks tasks;
  Signal changed;  // notified when outbox, files, hydration or refreshes may let a waiter go on
};

}  // namespace tiercache::detail
