#include "cache/config_check.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "cache/runtime/judge.h"
#include "json/utf8.h"
#include "tiercache/error.h"

namespace tiercache::detail {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxNameBytes = 100;

std::string shown(bool value) {
  return value ? "true" : "false";
}
std::string shown(milliseconds value) {
  return std::to_string(value.count()) + " ms";
}
std::string shown(const std::optional<milliseconds>& value) {
  return value ? shown(*value) : "not set";
}
std::string shown(const std::string& value) {
  return '"' + value + '"';
}
std::string shown(Hydrate value) {
  return value.most_recent == SIZE_MAX ? "all" : std::to_string(value.most_recent) + " most recent";
}

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
  void add(std::string_view field, const std::string& why) {
    lines_.append("\n  ").append(field).append(": ").append(why);
  }
  template <class Number>
  void at_least(Number value, Number least, std::string_view field, std::string_view unit) {
    check(value >= least, field, std::to_string(value),
          "at least " + std::to_string(least) + " " + std::string(unit));
  }
  // `of`: the option that sets the bound.
  void at_least(milliseconds value, milliseconds least, std::string_view field,
                std::string_view of = {}) {
    check(value >= least, field, shown(value),
          "at least " + shown(least) + (of.empty() ? "" : ", which is " + std::string(of)));
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

// One line for each field in which two sets of options differ.
class Differences {
 public:
  template <class Value>
  void compare(std::string_view field, const Value& there, const Value& given) {
    if (shown(there) != shown(given)) add(field, shown(there), shown(given));
  }
  template <class Function>
  void compare_presence(std::string_view field, const Function& there, const Function& given) {
    if (bool(there) != bool(given)) {
      add(field, there ? "set" : "not set", given ? "set" : "not set");
    }
  }
  void add(std::string_view field, const std::string& there, const std::string& given) {
    lines_.append("\n  ").append(field).append(": ");
    lines_.append(there).append(" there, ").append(given).append(" given");
  }
  const std::string& lines() const { return lines_; }

 private:
  std::string lines_;
};

std::string differences(const DatasetPolicy& there, const DatasetPolicy& given) {
  const auto& a = there.options;
  const auto& b = given.options;
  Differences found;
  found.compare("keyed", a.keyed, b.keyed);
  found.compare("refresh_every", a.refresh_every, b.refresh_every);
  found.compare("refresh_jitter", a.refresh_jitter, b.refresh_jitter);
  found.compare("rich_refresh_every", a.rich_refresh_every, b.rich_refresh_every);
  found.compare("fresh_for", a.fresh_for, b.fresh_for);
  found.compare("stale_for", a.stale_for, b.stale_for);
  found.compare("soft_timeout", a.soft_timeout, b.soft_timeout);
  found.compare("hard_timeout", a.hard_timeout, b.hard_timeout);
  found.compare("retry_first", a.retry_first, b.retry_first);
  found.compare("not_found_for", a.not_found_for, b.not_found_for);
  found.compare("not_found_erases", a.not_found_erases, b.not_found_erases);
  found.compare("cache_version", a.cache_version, b.cache_version);
  found.compare("retention", a.retention, b.retention);
  found.compare("hydrate", a.hydrate, b.hydrate);
  found.compare_presence("refresh", there.refresh, given.refresh);
  found.compare_presence("rich_refresh", there.rich_refresh, given.rich_refresh);
  found.compare_presence("validate", there.validate, given.validate);
  found.compare_presence("fallback", there.fallback, given.fallback);
  if (there.fallback && given.fallback &&
      *there.fallback->entry.document != *given.fallback->entry.document) {
    found.add("fallback", "one document", "another");
  }
  return found.lines();
}

}  // namespace

void check_cache_options(const CacheOptions& options) {
  Faults faults("the cache options");
  faults.check_name(options.project, "project");
  faults.check(!options.directory.empty(), "directory", "\"\"", "the path of a local directory");
  faults.at_least(options.memory.ttl, milliseconds(0), "memory.ttl");
  faults.at_least(options.files.write_behind, milliseconds(0), "files.write_behind");
  faults.check(options.files.write_behind <= milliseconds(50), "files.write_behind",
               shown(options.files.write_behind), "at most 50 ms");
  faults.at_least(options.files.sync_every, milliseconds(1), "files.sync_every");
  faults.at_least<std::uint64_t>(options.journal.segment_bytes, 4096, "journal.segment_bytes",
                                 "bytes");
  faults.check(options.journal.segment_bytes <= (1u << 30), "journal.segment_bytes",
               std::to_string(options.journal.segment_bytes), "at most 1 GiB");
  faults.at_least<std::uint64_t>(options.journal.max_bytes, options.journal.segment_bytes,
                                 "journal.max_bytes", "bytes, which is journal.segment_bytes");
  faults.at_least(options.store_calls.call_timeout, milliseconds(1), "store_calls.call_timeout");
  faults.check(options.store_calls.call_timeout <= std::chrono::hours(24),
               "store_calls.call_timeout", shown(options.store_calls.call_timeout), "at most 24 h");
  faults.at_least<std::size_t>(options.store_calls.batch_items, 1, "store_calls.batch_items",
                               "write");
  faults.at_least(options.store_calls.retry_first, milliseconds(1), "store_calls.retry_first");
  faults.at_least(options.store_calls.retry_cap, options.store_calls.retry_first,
                  "store_calls.retry_cap", "store_calls.retry_first");
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

void check_dataset_options(const std::string& name, const DatasetPolicy& policy,
                           const DocumentRules& rules) {
  const auto& options = policy.options;
  Faults faults("the options of dataset \"" + name + "\"");
  faults.check_name(name, "name");
  faults.at_least(options.refresh_every, milliseconds(0), "refresh_every");
  faults.at_least(options.rich_refresh_every, milliseconds(0), "rich_refresh_every");
  const milliseconds jitter = options.refresh_jitter.value_or(milliseconds(0));
  faults.check(jitter >= milliseconds(0) && jitter <= options.refresh_every, "refresh_jitter",
               shown(jitter),
               "between 0 and refresh_every, which is " + shown(options.refresh_every));
  faults.at_least(options.fresh_for.value_or(milliseconds(0)), milliseconds(0), "fresh_for");
  faults.at_least(options.stale_for, milliseconds(0), "stale_for");
  faults.at_least(options.soft_timeout, milliseconds(0), "soft_timeout");
  faults.at_least(options.hard_timeout, milliseconds(1), "hard_timeout");
  faults.at_least(options.retry_first, milliseconds(1), "retry_first");
  faults.at_least(options.not_found_for, milliseconds(0), "not_found_for");
  const milliseconds served =
      within_a_century(default_fresh_for(options)) + within_a_century(options.stale_for);
  faults.check(options.retention == milliseconds(0) || options.retention >= served, "retention",
               shown(options.retention),
               "0, or at least fresh_for + stale_for, which are " + shown(served));
  faults.check(options.refresh_every == milliseconds(0) || policy.refresh, "refresh", "none",
               "set where refresh_every is");
  faults.check(options.rich_refresh_every == milliseconds(0) || policy.rich_refresh, "rich_refresh",
               "none", "set where rich_refresh_every is");
  // What a store could not hold would park every write of the dataset.
  faults.check_name(options.cache_version, "cache_version");
  if (policy.fallback) {
    if (const auto fault = check_document(*policy.fallback->entry.document, rules)) {
      faults.add("fallback", fault->to_string());
    }
  }
  faults.throw_if_any();
}

void check_same_options(const std::string& name, const DatasetPolicy& there,
                        const DatasetPolicy& given) {
  if (differences(DatasetPolicy{}, given).empty()) return;
  const std::string lines = differences(there, given);
  if (lines.empty()) return;
  throw BadConfiguration("dataset \"" + name + "\" is open with other options:" + lines +
                         "\nGive the same ones, or none to ask for the handle.");
}

void check_key(const std::string& dataset, std::string_view key, bool keyed,
               const KeyRules& rules) {
  const std::string where = "key for dataset \"" + dataset + "\"";
  if (!keyed && !key.empty()) {
    throw InvalidKey(where +
                     ": the dataset is one document and takes no key; open it with "
                     ".keyed = true to keep many. Nothing was done.");
  }
  if (keyed && key.empty()) {
    throw InvalidKey(where + " is empty; a keyed dataset needs one. Nothing was done.");
  }
  if (key.size() > rules.max_bytes) {
    throw InvalidKey(where + " is " + std::to_string(key.size()) + " bytes long; allowed are " +
                     std::to_string(rules.max_bytes) + ". Nothing was done.");
  }
  if (key.size() + dataset.size() > rules.max_bytes_with_dataset) {
    throw InvalidKey(where + " is " + std::to_string(key.size()) +
                     " bytes long; the store holds keys of " +
                     std::to_string(rules.max_bytes_with_dataset) +
                     " bytes with the dataset's name. Nothing was done.");
  }
  if (!is_utf8(key)) throw InvalidKey(where + " is not valid UTF-8. Nothing was done.");
  if (const auto at = key.find('\0'); at != std::string_view::npos) {
    throw InvalidKey(where + " has a NUL byte (byte " + std::to_string(at) +
                     "), which stores cannot hold. Nothing was done.");
  }
}

void check_glob(const std::string& dataset, std::string_view glob, const KeyRules& rules) {
  const std::string where = "pattern for dataset \"" + dataset + "\"";
  if (glob.empty()) {
    throw InvalidKey(where +
                     " is empty and would match nothing; \"*\" matches all. Nothing was done.");
  }
  if (glob.size() > rules.max_bytes) {
    throw InvalidKey(where + " is " + std::to_string(glob.size()) + " bytes long; allowed are " +
                     std::to_string(rules.max_bytes) + ". Nothing was done.");
  }
  if (glob.find('\0') != std::string_view::npos) {
    throw InvalidKey(where + " has a NUL byte, which no key has. Nothing was done.");
  }
}

}  // namespace tiercache::detail
