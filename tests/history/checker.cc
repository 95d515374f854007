#include "history/checker.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <set>
#include <utility>

#include "history/setup.h"

namespace tiercache::testing {
namespace {

constexpr std::uint64_t kShown = 20;  // of each kind of violation
constexpr std::int64_t kPromisedNs =
    std::chrono::duration_cast<std::chrono::nanoseconds>(kMemoryTtl + kSlack).count();

// What is known at an instant: the newest version that a call had told by then.
class Newest {
 public:
  explicit Newest(std::vector<Call> calls) : calls_(std::move(calls)) {
    std::sort(calls_.begin(), calls_.end(),
              [](const Call& a, const Call& b) { return a.ended < b.ended; });
    Version newest;
    for (Call& call : calls_) {
      newest = std::max(newest, call.version());
      call.set_version(newest);
    }
  }
  Version before(std::int64_t moment) const {
    const auto after =
        std::lower_bound(calls_.begin(), calls_.end(), moment,
                         [](const Call& call, std::int64_t when) { return call.ended < when; });
    return after == calls_.begin() ? Version{} : std::prev(after)->version();
  }

 private:
  std::vector<Call> calls_;
};

std::map<std::uint8_t, Newest> by_process(const std::vector<Call>& calls) {
  std::map<std::uint8_t, std::vector<Call>> parts;
  for (const Call& call : calls) parts[call.process].push_back(call);
  std::map<std::uint8_t, Newest> newest;
  for (auto& [process, part] : parts) newest.emplace(process, std::move(part));
  return newest;
}

Version newest_of(const std::map<std::uint8_t, Newest>& known, std::uint8_t process,
                  std::int64_t moment) {
  const auto found = known.find(process);
  return found == known.end() ? Version{} : found->second.before(moment);
}

bool is_write(Call::Kind kind) {
  return kind == Call::Kind::put || kind == Call::Kind::erase || kind == Call::Kind::increment;
}

bool by_version(const Call& a, const Call& b) {
  return a.version() < b.version();
}

std::string told(const Call& call) {
  return name_of(call.key) + " in process " + std::to_string(call.process) + ", version " +
         call.version().to_string() + ", from " + std::to_string(call.began) + " to " +
         std::to_string(call.ended);
}

}  // namespace

const char* to_string(Wrong wrong) {
  switch (wrong) {
    case Wrong::lost:
      return "lost update";
    case Wrong::regress:
      return "regression";
    case Wrong::stale:
      return "served too late";
    case Wrong::returned:
      return "erased entry back";
    case Wrong::bytes:
      return "wrong bytes";
  }
  return "";
}

void Checker::add(const std::vector<Call>& calls) {
  for (const Call& call : calls) {
    ++calls_[call.kind];
    Key& key = keys_[call.key];
    if (is_write(call.kind)) {
      key.writes.push_back(call);
    } else if (call.kind == Call::Kind::read || call.kind == Call::Kind::read_nothing) {
      key.reads.push_back(call);
    } else if (call.kind == Call::Kind::wrong) {
      broken(Wrong::bytes, told(call));
    } else if (call.kind == Call::Kind::failed) {
      broken(Wrong::lost, "a write failed: " + told(call));
    }
  }
}

void Checker::check_calls() {
  for (auto& [number, key] : keys_) {
    std::sort(key.writes.begin(), key.writes.end(), by_version);
    check_order(key);
    if (is_counter(number)) check_increments(key);
    check_reads(key);
  }
}

// A write that begins after another one was acknowledged, by whichever process, comes after it.
void Checker::check_order(const Key& key) {
  const Newest acknowledged(key.writes);
  for (const Call& write : key.writes) {
    const Version before = acknowledged.before(write.began);
    if (write.version() <= before) {
      broken(Wrong::lost, told(write) + ", below " + before.to_string() + " acknowledged before");
    }
  }
}

void Checker::check_increments(const Key& key) {
  std::set<std::uint64_t> counts;
  for (const Call& write : key.writes) {
    if (!counts.insert(count_of(write.number)).second) {
      broken(Wrong::lost,
             "counted " + std::to_string(count_of(write.number)) + " twice: " + told(write));
    }
  }
}

void Checker::check_reads(const Key& key) {
  const auto written_by = by_process(key.writes);
  const auto served_to = by_process(key.reads);
  // For each write, when it or a newer one was acknowledged first.
  std::vector<std::int64_t> superseded(key.writes.size() + 1,
                                       std::numeric_limits<std::int64_t>::max());
  for (std::size_t i = key.writes.size(); i-- > 0;) {
    superseded[i] = std::min(superseded[i + 1], key.writes[i].ended);
  }
  for (const Call& read : key.reads) {
    const Version floor = std::max(newest_of(written_by, read.process, read.began),
                                   newest_of(served_to, read.process, read.began - kPromisedNs));
    judge_read(key, read, floor, superseded);
  }
}

void Checker::judge_read(const Key& key, const Call& read, Version floor,
                         const std::vector<std::int64_t>& superseded) {
  // Nothing served is the newest erase that was begun by then, or that nothing was written yet.
  auto from = std::upper_bound(key.writes.begin(), key.writes.end(), read, by_version);
  if (read.kind == Call::Kind::read_nothing) {
    const auto erase =
        std::find_if(std::make_reverse_iterator(key.writes.end()),
                     std::make_reverse_iterator(key.writes.begin()), [&](const Call& write) {
                       return write.kind == Call::Kind::erase && write.began < read.ended;
                     });
    from = erase.base();
  } else if (!written(key, read)) {
    return broken(Wrong::bytes, told(read));
  }
  const Version served = from == key.writes.begin() ? Version{} : std::prev(from)->version();
  if (served < floor) {
    broken(Wrong::regress, told(read) + ", which knew " + floor.to_string());
  }
  const std::int64_t since = superseded[static_cast<std::size_t>(from - key.writes.begin())];
  if (since >= read.began) return;
  stalest_ns_ = std::max(stalest_ns_, read.began - since);
  if (read.began - since <= kPromisedNs) return;
  const bool erased = from != key.writes.end() && from->kind == Call::Kind::erase;
  broken(erased ? Wrong::returned : Wrong::stale,
         told(read) + ", superseded since " + std::to_string(since));
}

bool Checker::written(const Key& key, const Call& read) {
  const auto write = std::lower_bound(key.writes.begin(), key.writes.end(), read, by_version);
  return write != key.writes.end() && write->version() == read.version() &&
         write->number == read.number && write->kind != Call::Kind::erase &&
         write->began < read.ended;
}

void Checker::check_end(const std::string& where, std::uint8_t number,
                        std::optional<Standing> standing) {
  const Key& key = keys_[number];
  const std::string what = where + ": " + name_of(number) + ": ";
  if (key.writes.empty()) {
    if (standing) broken(Wrong::bytes, what + "nobody wrote it");
    return;
  }
  const Call& last = key.writes.back();
  if (last.kind == Call::Kind::erase) {
    if (standing) broken(Wrong::returned, what + standing->version.to_string() + " is back");
  } else if (!standing || standing->version != last.version() || standing->number != last.number) {
    broken(Wrong::lost, what + (standing ? standing->version.to_string() : "nothing") +
                            " there, not " + told(last));
  }
  if (is_counter(number) && standing && count_of(standing->number) != key.writes.size()) {
    broken(Wrong::lost, what + "counted to " + std::to_string(count_of(standing->number)) + " by " +
                            std::to_string(key.writes.size()) + " increments");
  }
}

void Checker::broken(Wrong wrong, const std::string& why) {
  const std::uint64_t seen = ++counts_[wrong];
  if (seen <= kShown) std::printf("VIOLATION %s: %s\n", to_string(wrong), why.c_str());
  if (seen == kShown) std::printf("(no more of this kind are shown)\n");
}

std::uint64_t Checker::count(Wrong wrong) const {
  const auto found = counts_.find(wrong);
  return found == counts_.end() ? 0 : found->second;
}

std::uint64_t Checker::violations() const {
  std::uint64_t all = 0;
  for (const auto& [wrong, count] : counts_) all += count;
  return all;
}

std::uint64_t Checker::calls(Call::Kind kind) const {
  const auto found = calls_.find(kind);
  return found == calls_.end() ? 0 : found->second;
}

}  // namespace tiercache::testing
