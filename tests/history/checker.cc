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
constexpr std::int64_t kPromisedNs = std::chrono::nanoseconds(kMemoryTtl + kSlack).count();
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

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

// Nobody was told that it is there.
bool is_unacknowledged(const Call& write) {
  return write.ended == kNever;
}

// Concluded to have been made, as `version`.
Call made(const Call& doubt, Version version) {
  Call write = doubt;
  write.kind = doubt.wanted;
  write.set_version(version);
  write.ended = kNever;
  return write;
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
    case Wrong::refused:
      return "refused for no reason";
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
    } else if (call.kind == Call::Kind::refused) {
      unapplied_.push_back(call);
    } else if (call.kind == Call::Kind::in_doubt) {
      unapplied_.push_back(call);
      key.doubts.push_back(call);
    } else if (call.kind == Call::Kind::failed) {
      broken(Wrong::lost, "a write failed: " + told(call));
    }
  }
}

void Checker::add(std::uint8_t process, const std::vector<std::int64_t>& beats) {
  stalls_[process] = Stalls::of_beats(beats);
  any_stalls_.add(stalls_[process]);
}

const Stalls& Checker::stalls_of(std::uint8_t process) const {
  static const Stalls none;
  const auto found = stalls_.find(process);
  return found == stalls_.end() ? none : found->second;
}

void Checker::check_calls() {
  for (const Call& call : unapplied_) check_unapplied(call);
  for (auto& [number, key] : keys_) {
    std::sort(key.writes.begin(), key.writes.end(), by_version);
    conclude_doubts(key);
    check_order(key);
    if (is_counter(number)) check_increments(key);
    check_reads(key);
  }
  check_held_up();
}

// Not before its deadline, and only where others, or the disk, stood still for nearly all of that
// time.
void Checker::check_unapplied(const Call& call) {
  constexpr std::int64_t kWaited = std::chrono::nanoseconds(kPutDeadline - kStall).count();
  constexpr std::int64_t kStood = std::chrono::nanoseconds(kPutDeadline - kSlack).count();
  if (call.ended - call.began >= kWaited && any_stalls_.between(call.began, call.ended) >= kStood) {
    return;
  }
  broken(Wrong::refused, told(call));
}

// A write in doubt was made if somebody was served it. Of an erase nobody is told the version: the
// highest that it may have is below all that was begun after it.
void Checker::conclude_doubts(Key& key) {
  std::vector<Call> concluded;
  for (const Call& read : key.reads) {
    if (key.doubts.empty()) break;
    if (read.kind != Call::Kind::read || written(key, read)) continue;
    const auto doubt = std::find_if(key.doubts.begin(), key.doubts.end(), [&](const Call& write) {
      return write.wanted != Call::Kind::erase && write.number == read.number &&
             write.began < read.ended;
    });
    if (doubt == key.doubts.end()) continue;
    key.writes.insert(std::lower_bound(key.writes.begin(), key.writes.end(), read, by_version),
                      made(*doubt, read.version()));
    key.doubts.erase(doubt);
  }
  std::erase_if(key.doubts, [&](const Call& doubt) {
    if (doubt.wanted != Call::Kind::erase) return false;
    Version below{std::numeric_limits<std::uint64_t>::max(), 1};
    for (const Call& write : key.writes) {
      if (write.began > doubt.ended) below = std::min(below, write.version());
    }
    // No other version is between these two.
    concluded.push_back(made(doubt, {below.time, below.writer - 1}));
    return true;
  });
  key.writes.insert(key.writes.end(), concluded.begin(), concluded.end());
  std::sort(key.writes.begin(), key.writes.end(), by_version);
}

// A write that begins after another one was acknowledged, by whichever process, comes after it.
void Checker::check_order(const Key& key) {
  const Newest acknowledged(key.writes);
  for (const Call& write : key.writes) {
    const Version before = acknowledged.before(write.began);
    if (write.kind == Call::Kind::erase && is_unacknowledged(write)) continue;
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
  const Due due = due_of(key);
  for (const Call& read : key.reads) {
    const std::int64_t long_ago = stalls_of(read.process).before(read.began, kPromisedNs);
    const Version floor = std::max(newest_of(written_by, read.process, read.began),
                                   newest_of(served_to, read.process, long_ago));
    judge_read(key, read, floor, due);
  }
}

Checker::Due Checker::due_of(const Key& key) const {
  const std::size_t count = key.writes.size();
  Due due;
  for (auto* moments : {&due.superseded, &due.own, &due.any}) moments->assign(count + 1, kNever);
  for (std::size_t i = count; i-- > 0;) {
    const Call& write = key.writes[i];
    const auto at = [&](std::vector<std::int64_t>& moments, std::int64_t moment) {
      moments[i] = std::min(moments[i + 1], moment);
    };
    const bool told = !is_unacknowledged(write);
    at(due.superseded, write.ended);
    at(due.own, told ? stalls_of(write.process).after(write.ended, kPromisedNs) : kNever);
    at(due.any, told ? any_stalls_.after(write.ended, kPromisedNs) : kNever);
  }
  return due;
}

void Checker::judge_read(const Key& key, const Call& read, Version floor, const Due& due) {
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
  const auto index = static_cast<std::size_t>(from - key.writes.begin());
  const std::int64_t since = due.superseded[index];
  if (since >= read.began) return;
  stalest_ns_ = std::max(stalest_ns_, read.began - since);
  if (read.began <= due.own[index]) return;
  const bool erased = from != key.writes.end() && from->kind == Call::Kind::erase;
  const Wrong wrong = erased ? Wrong::returned : Wrong::stale;
  const std::string why = told(read) + ", superseded since " + std::to_string(since);
  if (read.began > due.any[index]) return broken(wrong, why);
  held_up_[read.key].emplace_back(wrong, why);
}

// A process that is stopped while it replaces files holds the locks of these keys, so that nobody
// else can bring a newer write to its file. But these are few.
void Checker::check_held_up() {
  if (held_up_.size() <= kLockedKeys * any_stalls_.count()) return;
  for (const auto& [key, late] : held_up_) {
    for (const auto& [wrong, why] : late) broken(wrong, why);
  }
}

bool Checker::written(const Key& key, const Call& read) {
  const auto write = std::lower_bound(key.writes.begin(), key.writes.end(), read, by_version);
  return write != key.writes.end() && write->version() == read.version() &&
         write->number == read.number && write->kind != Call::Kind::erase &&
         write->began < read.ended;
}

namespace {

bool stands(const Call& write, const std::optional<Checker::Standing>& standing) {
  if (write.kind == Call::Kind::erase) return !standing;
  return standing && standing->version == write.version() && standing->number == write.number;
}

}  // namespace

// The last write that was acknowledged is what stands, or one in doubt that is above it.
bool Checker::may_stand(const Key& key, const std::optional<Standing>& standing) {
  Version last;
  for (auto write = key.writes.rbegin(); write != key.writes.rend(); ++write) {
    if (stands(*write, standing)) return true;
    last = write->version();
    if (!is_unacknowledged(*write)) break;
  }
  const bool all_in_doubt = std::all_of(key.writes.begin(), key.writes.end(), is_unacknowledged);
  if (!standing) return all_in_doubt;
  return standing->version > last &&
         std::any_of(key.doubts.begin(), key.doubts.end(), [&](const Call& doubt) {
           return doubt.wanted != Call::Kind::erase && doubt.number == standing->number;
         });
}

void Checker::check_end(const std::string& where, std::uint8_t number,
                        std::optional<Standing> standing) {
  Key& key = keys_[number];
  const std::string what = where + ": " + name_of(number) + ": ";
  const std::string there = standing ? standing->version.to_string() : "nothing";
  if (key.writes.empty() && key.doubts.empty()) {
    if (standing) broken(Wrong::bytes, what + "nobody wrote it");
    return;
  }
  if (!may_stand(key, standing)) {
    const auto last = std::find_if_not(key.writes.rbegin(), key.writes.rend(), is_unacknowledged);
    const bool erased = last != key.writes.rend() && last->kind == Call::Kind::erase;
    broken(erased ? Wrong::returned : Wrong::lost,
           what + there + " there" +
               (last == key.writes.rend() ? std::string() : ", not " + told(*last)));
  } else if (!key.doubts.empty() || is_unacknowledged(key.writes.back())) {
    const Version here = standing ? standing->version : Version{};
    for (const auto& [elsewhere, version] : key.ends) {
      if (version != here)
        broken(Wrong::lost, what + there + " there, something else " + elsewhere);
    }
    key.ends.emplace(where, here);
  }
  const std::uint64_t fewest = key.writes.size();
  const std::uint64_t most = fewest + key.doubts.size();
  const std::uint64_t counted = standing ? count_of(standing->number) : fewest;
  if (is_counter(number) && (counted < fewest || counted > most)) {
    broken(Wrong::lost, what + "counted to " + std::to_string(counted) + " by " +
                            std::to_string(fewest) + " increments");
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
