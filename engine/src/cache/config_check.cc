#include "cache/config_check.h"

#include <cstdint>
#include <limits>
#include <string>

#include "cache/judge.h"
#include "json/utf8.h"
#include "tiercache/error.h"

namespace tiercache::detail {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxNameBytes = 100;

// Collects faults, one line each, and throws them together.
class Faults {
 public:
  explicit Faults(std::string what) : what_(std::move(what)) {}

  void check(bool good, std::string_view field, const std::string& value,
             std::string_view allowed) {
    if (good) return;
    lines_ += "\n  ";
    lines_.append(field).append(" = ").append(value).append(": must be ").append(allowed);
  }
  template <class Number>
  void at_least(Number value, Number least, std::string_view field, std::string_view unit) {
    check(value >= least, field, std::to_string(value),
          "at least " + std::to_string(least) + " " + std::string(unit));
  }
  void at_least(milliseconds value, milliseconds least, std::string_view field) {
    at_least(value.count(), least.count(), field, "ms");
  }
  void check_name(const std::string& name, std::string_view field) {
    bool plain = !name.empty() && name.size() <= kMaxNameBytes && is_utf8(name);
    for (const char c : name) plain = plain && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
    const std::string shown = is_utf8(name)
                                  ? '"' + name.substr(0, 40) + (name.size() > 40 ? "…\"" : "\"")
                                  : "(not UTF-8)";
    check(plain, field, shown, "1 to 100 bytes of UTF-8 without control characters");
  }
  void throw_if_any() const {
    if (!lines_.empty()) throw BadConfiguration(what_ + " cannot work:" + lines_);
  }

 private:
  std::string what_;
  std::string lines_;
};

}  // namespace

void check_cache_options(const CacheOptions& options) {
  Faults faults("the cache options");
  faults.check_name(options.project, "project");
  faults.check(!options.directory.empty(), "directory", "\"\"", "the path of a local directory");
  faults.at_least(options.memory.ttl, milliseconds(0), "memory.ttl");
  faults.at_least(options.files.write_behind, milliseconds(0), "files.write_behind");
  faults.check(options.files.write_behind <= milliseconds(50), "files.write_behind",
               std::to_string(options.files.write_behind.count()), "at most 50 ms");
  faults.at_least(options.files.sync_every, milliseconds(1), "files.sync_every");
  faults.at_least<std::uint64_t>(options.journal.segment_bytes, 4096, "journal.segment_bytes",
                                 "bytes");
  faults.at_least<std::uint64_t>(options.journal.max_bytes, options.journal.segment_bytes,
                                 "journal.max_bytes", "bytes (one segment)");
  faults.at_least(options.store_calls.call_timeout, milliseconds(1), "store_calls.call_timeout");
  faults.at_least<std::size_t>(options.store_calls.batch_items, 1, "store_calls.batch_items",
                               "write");
  faults.at_least(options.store_calls.retry_first, milliseconds(1), "store_calls.retry_first");
  faults.at_least(options.store_calls.retry_cap, options.store_calls.retry_first,
                  "store_calls.retry_cap");
  faults.at_least(options.store_calls.poll_every, milliseconds(0), "store_calls.poll_every");
  faults.at_least<std::size_t>(options.limits.max_document_bytes, 2, "limits.max_document_bytes",
                               "bytes");
  faults.check(options.limits.max_document_bytes <= (1u << 30), "limits.max_document_bytes",
               std::to_string(options.limits.max_document_bytes), "at most 1 GiB");
  faults.at_least<std::size_t>(options.limits.max_depth, 1, "limits.max_depth", "level");
  faults.check(options.limits.max_depth <= 1024, "limits.max_depth",
               std::to_string(options.limits.max_depth), "at most 1,024 levels");
  faults.check(options.limits.max_key_bytes >= 1 && options.limits.max_key_bytes <= 4096,
               "limits.max_key_bytes", std::to_string(options.limits.max_key_bytes),
               "1 to 4,096 bytes");
  faults.at_least(options.tombstone_retention, milliseconds(std::chrono::hours(24)),
                  "tombstone_retention");
  faults.at_least(options.concurrent_refreshes, 1, "concurrent_refreshes", "callback");
  faults.throw_if_any();
}

void check_dataset_options(const std::string& name, const DatasetPolicy& policy) {
  const auto& options = policy.options;
  Faults faults("the options of dataset \"" + name + "\"");
  faults.check_name(name, "name");
  faults.at_least(options.refresh_every, milliseconds(0), "refresh_every");
  faults.at_least(options.rich_refresh_every, milliseconds(0), "rich_refresh_every");
  const milliseconds jitter = options.refresh_jitter.value_or(milliseconds(0));
  faults.check(jitter >= milliseconds(0) && jitter <= options.refresh_every, "refresh_jitter",
               std::to_string(jitter.count()) + " ms", "between 0 and refresh_every");
  faults.at_least(options.fresh_for.value_or(milliseconds(0)), milliseconds(0), "fresh_for");
  faults.at_least(options.stale_for, milliseconds(0), "stale_for");
  faults.at_least(options.soft_timeout, milliseconds(0), "soft_timeout");
  faults.at_least(options.hard_timeout, milliseconds(1), "hard_timeout");
  faults.at_least(options.retry_first, milliseconds(1), "retry_first");
  faults.at_least(options.not_found_for, milliseconds(0), "not_found_for");
  const milliseconds served = default_fresh_for(options) + options.stale_for;
  faults.check(options.retention == milliseconds(0) || options.retention >= served, "retention",
               std::to_string(options.retention.count()) + " ms",
               "0, or at least fresh_for + stale_for");
  faults.check(options.refresh_every == milliseconds(0) || policy.refresh, "refresh", "none",
               "set where refresh_every is");
  faults.check(options.rich_refresh_every == milliseconds(0) || policy.rich_refresh, "rich_refresh",
               "none", "set where rich_refresh_every is");
  faults.check(!options.cache_version.empty() && options.cache_version.size() <= kMaxNameBytes &&
                   is_utf8(options.cache_version),
               "cache_version", '"' + options.cache_version.substr(0, 40) + '"',
               "1 to 100 bytes of UTF-8");
  faults.throw_if_any();
}

void check_key(const std::string& dataset, std::string_view key, bool keyed, const Limits& limits) {
  const std::string where = "key for dataset \"" + dataset + "\"";
  if (!keyed && !key.empty()) {
    throw InvalidKey(where +
                     ": the dataset is one document and takes no key; open it with "
                     ".keyed = true to keep many. Nothing was done.");
  }
  if (keyed && key.empty()) {
    throw InvalidKey(where + " is empty; a keyed dataset needs one. Nothing was done.");
  }
  if (key.size() > limits.max_key_bytes) {
    throw InvalidKey(where + " is " + std::to_string(key.size()) + " bytes long; allowed are " +
                     std::to_string(limits.max_key_bytes) + ". Nothing was done.");
  }
  if (!is_utf8(key)) throw InvalidKey(where + " is not valid UTF-8. Nothing was done.");
}

}  // namespace tiercache::detail
