#include "cache/runtime/runtime.h"

#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "system/coarse_clock.h"
#include "tiercache/error.h"

namespace tiercache::detail {

using std::chrono::milliseconds;

namespace {

// The limits of the cache and of its store together. The store's count even while it is switched
// off, since what is put meanwhile will be sent to it later.
DocumentRules rules_of(const CacheOptions& options) {
  DocumentRules rules;
  rules.max_bytes = options.limits.max_document_bytes;
  rules.max_depth = options.limits.max_depth;
  if (options.store) {
    const StoreLimits limits = options.store->limits();
    rules.max_bytes = std::min(rules.max_bytes, limits.max_document_bytes);
    rules.numbers_written_out = limits.writes_numbers_out;
    rules.refuse_nul_escape = limits.refuses_nul_escape;
    rules.refuse_unbounded_numbers = limits.refuses_unbounded_numbers;
  }
  return rules;
}

// The path is made absolute once, so that a process that changes its working directory later does
// not move the cache.
std::string absolute(FileSystem& file_system, const std::string& directory) {
  std::string fixed;
  const IoStatus status = file_system.absolute(directory, &fixed);
  if (!status.ok()) {
    throw BadDirectory("cannot tell where the cache directory \"" + directory +
                       "\" is: " + status.what + ". Give an absolute path.");
  }
  return fixed;
}

}  // namespace

Runtime::Runtime(CacheOptions cache_options)
    : forks_at_open(forks_so_far()),
      options(std::move(cache_options)),
      seed(options.seed != 0 ? options.seed : random_seed()),
      clock(options.ports.clock ? options.ports.clock : system_clock()),
      file_system(options.ports.file_system ? options.ports.file_system : posix_file_system()),
      owns_executor(options.ports.executor == nullptr),
      executor(owns_executor ? thread_executor({.callback = options.concurrent_refreshes})
                             : options.ports.executor),
      rules(rules_of(options)),
      log(options.logger, *clock),
      marks(log, *clock),
      versions(*clock, static_cast<std::uint32_t>(Random(seed).next()) | 1),
      datasets(options.memory.ttl, log, *clock),
      tasks(*executor),
      changed(*executor) {
  options.directory = absolute(*file_system, options.directory.string());
}

Now Runtime::now() const {
  return {.wall = versions.now(), .ticks = coarse_ticks()};
}

Ticks Runtime::coarse_ticks() const {
  const SteadyTime now = options.ports.clock ? clock->coarse_now() : system_coarse_now();
  return std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count();
}

SteadyTime Runtime::after(milliseconds delay) const {
  const SteadyTime now = clock->steady_now();
  return delay > std::chrono::hours(24 * 365) ? kNever : now + delay;
}

void Runtime::pause(milliseconds span) const {
  executor->make_event()->wait_until(after(span));
}

void Runtime::check_process() const {
  if (is_own_process()) return;
  throw Error(
      "this cache was opened before a fork and its threads are not in the child: open a cache "
      "of its own in each process");
}

void Runtime::check_open() const {
  check_process();
  if (!is_open()) throw Closed("the cache of project \"" + options.project + "\" is closed");
}

std::string Runtime::path(const std::string& name) const {
  return options.directory.string() + "/" + name;
}

void Runtime::warn_of_entry(LogTopic topic, const EntryId& id, const std::string& what) {
  log.warn(topic, LogSubject{id.dataset}, "dataset {}: {}", id.dataset, what);
}

}  // namespace tiercache::detail
