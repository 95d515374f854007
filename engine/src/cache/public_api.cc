// The `Cache` itself and what the public value types say of themselves.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/hex.h"
#include "cache/core.h"
#include "tiercache/cache.h"
#include "tiercache/error.h"
#include "tiercache/key.h"

namespace tiercache {

using std::chrono::milliseconds;

// --- Cache ---

Cache::Cache(CacheOptions options) : core_(detail::Core::open(std::move(options))) {}

Cache::~Cache() {
  if (core_->runtime().is_own_process()) core_->close(milliseconds(0));
}

std::shared_ptr<detail::DatasetCore> Cache::open_dataset(const std::string& name,
                                                         detail::DatasetPolicy policy) {
  return std::make_shared<detail::DatasetCore>(core_, core_->open_dataset(name, std::move(policy)));
}

bool Cache::flush(milliseconds deadline) {
  return core_->flush(core_->runtime().after(deadline));
}

ScrubReport Cache::scrub(const ScrubOptions& options) {
  return core_->scrub(options);
}

bool Cache::warm_up(milliseconds deadline) {
  return core_->warm_up(core_->runtime().after(deadline));
}

bool Cache::accept_store() {
  return core_->accept_store();
}

Stats Cache::stats() const {
  core_->runtime().check_process();
  return core_->stats();
}

Health Cache::health() const {
  core_->runtime().check_process();
  return core_->health();
}

CloseReceipt Cache::close(milliseconds deadline) {
  core_->runtime().check_process();
  return core_->close(deadline);
}

// --- Snapshots ---

namespace detail {

Passage passage_of(const ReadResult& result) {
  if (result.passage) return *result.passage;
  Passage passage;
  if (result.resident) passage.memory = TierAnswer::hit;
  return passage;
}

void throw_no_data(const ReadResult& result) {
  const Passage passage = passage_of(result);
  if (!passage.call_why.empty()) {
    throw NoData("the snapshot has no value, since it was not read: " + passage.call_why);
  }
  throw NoData(
      "the snapshot has no value. What each tier said: " + passage.summary() +
          ". Check has_value() first, or give the dataset a refresh callback or a fallback.",
      passage.to_string());
}

}  // namespace detail

// --- Words ---

std::string_view to_string(Tier tier) {
  constexpr std::array<std::string_view, 5> kWords = {"none", "memory", "files", "store", "source"};
  return kWords[static_cast<std::size_t>(tier)];
}

std::string_view to_string(Freshness freshness) {
  constexpr std::array<std::string_view, 3> kWords = {"fresh", "stale", "expired"};
  return kWords[static_cast<std::size_t>(freshness)];
}

std::string_view to_string(TierAnswer answer) {
  constexpr std::array<std::string_view, 15> kWords = {
      "not asked", "hit",       "miss",        "stale",    "expired",
      "gone",      "not found", "undecodable", "corrupt",  "unavailable",
      "timed out", "failed",    "throttled",   "disabled", "refreshing"};
  return kWords[static_cast<std::size_t>(answer)];
}

namespace {

// Calls `each(tier's name, answer, why)` from the top.
template <class Each>
void for_each_tier(const Passage& passage, Each each) {
  each("memory", passage.memory, passage.memory_why);
  each("files", passage.files, passage.files_why);
  each("store", passage.store, passage.store_why);
  each("source", passage.source, passage.source_why);
}

// Puts a separator behind the last item, if there is one.
std::string& with_separator(std::string& text) {
  return text.empty() ? text : text += "; ";
}

}  // namespace

std::string Passage::why() const {
  std::string text = call_why;
  for_each_tier(*this, [&](const char* tier, TierAnswer, const std::string& why) {
    if (!why.empty()) with_separator(text).append(tier).append(": ").append(why);
  });
  return text;
}

std::string Passage::to_string() const {
  std::string text = call_why;
  for_each_tier(*this, [&](const char* tier, TierAnswer answer, const std::string& why) {
    if (answer == TierAnswer::not_asked && why.empty()) return;
    with_separator(text).append(tier).append(": ").append(tiercache::to_string(answer));
    if (!why.empty()) text.append(" (").append(why).append(1, ')');
  });
  return text;
}

std::string Passage::summary() const {
  std::string text = call_why;
  for_each_tier(*this, [&](const char* tier, TierAnswer answer, const std::string&) {
    if (answer == TierAnswer::not_asked) return;
    with_separator(text).append(tier).append(": ").append(tiercache::to_string(answer));
  });
  return text;
}

std::string CloseReceipt::to_string() const {
  return "confirmed " + std::to_string(confirmed) + ", left in the outbox " +
         std::to_string(left_in_outbox) + ", parked " + std::to_string(parked) +
         ", abandoned callbacks " + std::to_string(abandoned_callbacks) + ", dropped " +
         std::to_string(dropped) + (files_complete ? "" : ", some files are still to be written");
}

bool Health::all_working() const {
  const auto good = [](const TierHealth& tier) { return !tier.enabled || tier.working; };
  return good(memory) && good(files) && good(journal) && good(store) && good(store_feed) &&
         parked == 0 && !store_replaced_since &&
         std::all_of(sources.begin(), sources.end(),
                     [&](const auto& source) { return good(source.second); });
}

std::chrono::microseconds Histogram::quantile(double q) const {
  if (count == 0) return std::chrono::microseconds(0);
  const auto wanted =
      static_cast<std::uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    seen += buckets[i];
    if (seen > 0 && seen >= wanted) return std::chrono::microseconds(std::uint64_t{1} << i);
  }
  return std::chrono::microseconds(std::uint64_t{1} << (buckets.size() - 1));
}

// --- Keys ---

namespace {

constexpr std::string_view kEscaped = ":%*?\\";

// The byte that an escape at `at` stands for; nullopt if there is no whole escape.
std::optional<char> unescaped_at(std::string_view key, std::size_t at) {
  if (key[at] != '%' || at + 2 >= key.size()) return std::nullopt;
  const int high = hex_digit(key[at + 1], HexCase::upper);
  const int low = hex_digit(key[at + 2], HexCase::upper);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

}  // namespace

std::string escape_key_part(std::string_view part) {
  std::string escaped;
  for (const char c : part) {
    if (kEscaped.find(c) == std::string_view::npos) {
      escaped += c;
      continue;
    }
    escaped += '%';
    append_hex8(static_cast<std::uint8_t>(c), &escaped, HexCase::upper);
  }
  return escaped;
}

std::string make_key(std::initializer_list<std::string_view> parts) {
  std::string key;
  bool first = true;
  for (const std::string_view part : parts) {
    if (!first) key += ':';
    first = false;
    key += escape_key_part(part);
  }
  return key;
}

std::vector<std::string> split_key(std::string_view key) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (key[i] == ':') {
      parts.emplace_back();
    } else if (const std::optional<char> byte = unescaped_at(key, i)) {
      parts.back() += *byte;
      i += 2;
    } else {
      parts.back() += key[i];
    }
  }
  return parts;
}

}  // namespace tiercache
