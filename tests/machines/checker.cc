// A document of a counter names the write that it comes from, and of each write it is known what it
// was made from. So the row at rest leads back to the first count, link by link: that is the chain
// of all counts that the store took. What was confirmed must be in it, what was refused must not.
#include "machines/checker.h"

#include <algorithm>
#include <cstdio>

#include "machines/setup.h"

namespace tiercache::testing {
namespace {

constexpr std::uint64_t kShown = 12;  // of each kind of violation
constexpr std::uint64_t kWriteMask = (std::uint64_t{1} << kWriteBits) - 1;

std::uint64_t id_of(std::uint8_t key, std::uint64_t number) {
  return std::uint64_t{key} << kWriteBits | (number & kWriteMask);
}

const char* to_string(Told told) {
  static constexpr const char* kNames[] = {
      "nothing",       "journaled",          "stored",
      "superseded",    "not applied",        "in doubt",
      "served",        "served wrong bytes", "served wrong metadata",
      "a wrong answer"};
  return kNames[static_cast<std::size_t>(told)];
}

bool is_promised(Wrong wrong) {
  return wrong != Wrong::unseen && wrong != Wrong::tail;
}

bool of_tail(Wrong wrong) {
  return wrong == Wrong::lost || wrong == Wrong::lied || wrong == Wrong::returned;
}

std::string shown(const Standing& standing) {
  if (standing.version.is_zero() && !standing.document) return "nothing";
  return (standing.document ? "write " + std::to_string(standing.number) : "a tombstone") +
         " as version " + standing.version.to_string();
}

}  // namespace

const char* to_string(Wrong wrong) {
  static constexpr const char* kNames[] = {"acknowledged write lost",
                                           "receipt that lies",
                                           "unseen write replaced",
                                           "lost with the tail of a log",
                                           "erased entry back",
                                           "wrong bytes",
                                           "tiers differ",
                                           "invalidated yet fresh",
                                           "stuck"};
  return kNames[static_cast<std::size_t>(wrong)];
}

// --- What was told ---

void Checker::add(const std::vector<Call>& calls) {
  for (const Call& call : calls) learn(call);
}

void Checker::learn(const Call& call) {
  const std::string where = name_of(call.key) + " on machine " + std::to_string(call.machine) +
                            ", " + "write " + std::to_string(call.number) + " as version " +
                            call.version().to_string();
  if (call.told != Told::nothing || call.op == Op::refresh) ++told_[{call.op, call.told}];
  if (call.told == Told::broken) return broken(Wrong::stuck, where + ": see above");
  if (call.told == Told::wrong_bytes) {
    return broken(Wrong::bytes, where + ": served wrong bytes");
  }
  if (call.told == Told::wrong_metadata) {
    return broken(Wrong::bytes, where + ": served with the metadata of write " +
                                    std::to_string(call.base_number) + " (0: of none)");
  }
  if (call.op == Op::none) return;
  const bool told = call.told == Told::journaled || call.told == Told::stored;
  if (call.op == Op::invalidate) {
    if (told) keys_[call.key].stale.push_back(call.version());
    return;
  }
  Key& key = keys_[call.key];
  Attempt& attempt = attempts_[id_of(call.key, call.number)];
  if (call.told == Told::nothing) {
    attempt.begun = call;
    key.writes.push_back(call.number);
    return;
  }
  attempt.told = call.told;
  attempt.version = call.version();
  const bool plain = call.op == Op::put || call.op == Op::erase;
  if ((plain && told) || call.told == Told::stored) {
    if (attempt.version <= key.acknowledged) return;
    key.acknowledged = attempt.version;
    key.acknowledged_number = call.number;
  }
}

// --- What stands in the store ---

void Checker::check_rows(const std::vector<Standing>& rows) {
  for (std::uint8_t key = 0; key < rows.size(); ++key) {
    const Standing& row = rows[key];
    if (row.document && (!row.right || !attempts_.contains(id_of(key, row.number)))) {
      broken(Wrong::bytes, name_of(key) + " in the store: " + shown(row));
      continue;
    }
    is_counter(key) ? check_chain(key, row) : check_register(key, row);
  }
}

std::vector<const Checker::Attempt*> Checker::chain_of(std::uint8_t key, const Standing& row) {
  std::vector<const Attempt*> chain;
  std::uint64_t number = row.number;
  Version version = row.version;
  for (bool more = row.document; more;) {
    const auto found = attempts_.find(id_of(key, number));
    if (found == attempts_.end() || found->second.stands) {
      broken(Wrong::bytes, name_of(key) + ": nobody made the count " + std::to_string(number));
      break;
    }
    Attempt& attempt = found->second;
    attempt.stands = true;
    if (attempt.version.is_zero()) attempt.version = version;
    if (attempt.version != version) {
      broken(Wrong::bytes, told_of(attempt) + " stands as version " + version.to_string());
    }
    chain.push_back(&attempt);
    number = attempt.begun.base_number;
    version = attempt.begun.base();
    more = !version.is_zero();
  }
  return chain;
}

void Checker::check_chain(std::uint8_t key, const Standing& row) {
  const std::vector<const Attempt*> chain = chain_of(key, row);
  counted_ += chain.size();
  if (row.document && count_of(row.number) != chain.size()) {
    broken(Wrong::lost, name_of(key) + " stands at " + std::to_string(count_of(row.number)) +
                            " after " + std::to_string(chain.size()) + " counts");
  }
  for (const std::uint64_t number : keys_[key].writes) {
    check_count(key, attempts_.at(id_of(key, number)), row, chain);
  }
}

void Checker::check_count(std::uint8_t key, const Attempt& attempt, const Standing& row,
                          const std::vector<const Attempt*>& chain) {
  const bool exact = kind_of(key) == KeyKind::exact;
  if (attempt.stands) {
    if (attempt.told != Told::superseded && attempt.told != Told::not_applied) return;
    // Others may have been made from it before the store refused it.
    const bool unseen = attempt.told == Told::superseded && attempt.version != row.version;
    const auto after = std::find_if(chain.begin(), chain.end(), [&](const Attempt* link) {
      return link->begun.base() == attempt.version;
    });
    return broken(unseen && !exact ? Wrong::unseen : Wrong::lied,
                  told_of(attempt) + ", and stands in the chain of counts; made from it: " +
                      (after == chain.end() ? "nothing" : told_of(**after)));
  }
  if (attempt.told == Told::journaled && attempt.begun.base() == row.version) {
    return broken(Wrong::lost,
                  told_of(attempt) + ", nothing newer than its base stands, and not it");
  }
  if (attempt.told != Told::stored) return;
  // The oldest link above it took its place. The store lets one do so that was made from a write
  // which is above it too, and which it has not seen itself.
  const auto above = std::find_if(chain.rbegin(), chain.rend(), [&](const Attempt* link) {
    return link->version > attempt.version;
  });
  const std::string why = told_of(attempt) +
                          ", and is not in the chain of counts; above it there is " +
                          (above == chain.rend() ? "nothing" : told_of(**above));
  const bool unseen = above != chain.rend() && (*above)->told != Told::stored &&
                      (*above)->begun.base() < attempt.version;
  broken(unseen && !exact ? Wrong::unseen : Wrong::lost, why);
}

void Checker::check_register(std::uint8_t number, const Standing& row) {
  const Key& key = keys_[number];
  const std::string what = name_of(number) + " in the store is " + shown(row);
  if (row.version < key.acknowledged) {
    const Attempt& last = attempts_.at(id_of(number, key.acknowledged_number));
    const bool erased = last.begun.op == Op::erase;
    const bool perhaps_erased =
        std::any_of(key.writes.begin(), key.writes.end(), [&](std::uint64_t write) {
          const Attempt& attempt = attempts_.at(id_of(number, write));
          return attempt.begun.op == Op::erase &&
                 (attempt.told == Told::nothing || attempt.told == Told::in_doubt);
        });
    const bool gone = !row.document && (erased || perhaps_erased);
    if (!gone) broken(erased ? Wrong::returned : Wrong::lost, what + " after " + told_of(last));
  }
  if (!row.document) return;
  const Attempt& stands = attempts_.at(id_of(number, row.number));
  if (!stands.version.is_zero() && stands.version != row.version) {
    broken(Wrong::bytes, what + ", but " + told_of(stands));
  }
  if (stands.told == Told::superseded || stands.told == Told::not_applied) {
    broken(Wrong::lied, told_of(stands) + ", and stands in the store");
  }
  const bool stale = std::find(key.stale.begin(), key.stale.end(), row.version) != key.stale.end();
  if (kind_of(number) == KeyKind::stale && stale && row.fresh) broken(Wrong::fresh, what);
}

// --- What stands on a machine ---

void Checker::check_machine(const std::string& where, const std::vector<Standing>& rows,
                            const std::vector<Standing>& local) {
  for (std::uint8_t number = 0; number < rows.size(); ++number) {
    const Standing& row = rows[number];
    const Standing& here = local[number];
    const std::string what = where + ", " + name_of(number) + ": " + shown(here);
    if (!here.right) broken(Wrong::bytes, what);
    const bool same = here.document == row.document &&
                      (!row.document || (here.version == row.version && here.number == row.number));
    if (!same) broken(Wrong::differs, what + "; in the store: " + shown(row));
    const auto& stale = keys_[number].stale;
    const bool is_stale = std::find(stale.begin(), stale.end(), here.version) != stale.end();
    if (kind_of(number) == KeyKind::stale && here.document && here.fresh && is_stale) {
      broken(Wrong::fresh, what);
    }
  }
}

std::string Checker::told_of(const Attempt& attempt) const {
  const Call& call = attempt.begun;
  return name_of(call.key) + ": machine " + std::to_string(call.machine) + " was told «" +
         to_string(attempt.told) + "» of write " + std::to_string(call.number) + " as version " +
         attempt.version.to_string() + ", made from " + std::to_string(call.base_number) +
         " of version " + call.base().to_string();
}

void Checker::broken(Wrong wrong, const std::string& why) {
  if (tails_are_lost_ && of_tail(wrong)) wrong = Wrong::tail;
  const std::uint64_t seen = ++counts_[wrong];
  const char* kind = is_promised(wrong) ? "VIOLATION" : "NOT PROMISED";
  if (seen <= kShown) std::printf("%s %s: %s\n", kind, to_string(wrong), why.c_str());
  if (seen == kShown) std::printf("(no more of this kind are shown)\n");
}

std::uint64_t Checker::count(Wrong wrong) const {
  const auto found = counts_.find(wrong);
  return found == counts_.end() ? 0 : found->second;
}

std::uint64_t Checker::violations() const {
  std::uint64_t all = 0;
  for (const auto& [wrong, count] : counts_) all += is_promised(wrong) ? count : 0;
  return all;
}

std::uint64_t Checker::told(Op op, Told told) const {
  const auto found = told_.find({op, told});
  return found == told_.end() ? 0 : found->second;
}

}  // namespace tiercache::testing
