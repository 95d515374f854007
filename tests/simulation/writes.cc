// How this simulation writes, and what it holds the receipts to.
#include <algorithm>
#include <utility>

#include "simulation/simulation.h"

namespace tiercache::testing {

// A refresh that brings the same document, as those of c: do, brings its metadata too: none.
std::string Simulation::new_metadata(const std::string& k) {
  return k.starts_with("c:") || pick(2) == 0 ? "{}"
                                             : "{\"etag\":\"" + std::to_string(counter_) + "\"}";
}

void Simulation::acknowledged(const Process& process, const std::string& k, const Begun& begun,
                              const PutReceipt& receipt, const PutOptions& options) {
  trace(k, "put " + receipt.version.to_string() + " by " + std::to_string(process.number) +
               (receipt.journaled ? "" : " in the store only") +
               (receipt.superseded ? " superseded" : ""));
  if (receipt.superseded) return;
  const auto wrong = oracle_.acknowledged(
      process.number, k, begun,
      {.version = receipt.version, .journaled = receipt.journaled, .compared = options.if_version});
  if (wrong) fail("key " + k + ": " + *wrong);
}

void Simulation::not_durable(const std::string& k, const std::string& document,
                             const NotDurable& error) {
  trace(k, std::string("not put: ") + error.what());
  const std::string what = error.what();
  if (what.find("journal.max_bytes") != std::string::npos) ++totals_.full_journals;
  if (error.state() == NotDurable::State::not_applied) return oracle_.refused(k, document);
  oracle_.in_doubt(k);
}

std::optional<PutReceipt> Simulation::put(Process& process, const std::string& k,
                                          const PutOptions& options) {
  const std::string document = new_document(k);
  const std::string metadata = new_metadata(k);
  const std::optional<EntryInfo> before = process.data->info(k);
  const Begun begun = oracle_.attempted(k, document, metadata);
  PutOptions with_metadata = options;
  with_metadata.metadata = metadata;
  try {
    const PutReceipt receipt = process.data->put(k, document, with_metadata);
    acknowledged(process, k, begun, receipt, options);
    check_clocks(process, k, before, receipt);
    return receipt;
  } catch (const NotDurable& error) {
    not_durable(k, document, error);
  } catch (const VersionConflict& error) {
    trace(k, error.what());
    ++totals_.conflicts;
    oracle_.refused(k, document);
  } catch (const DeadlineExceeded&) {
    oracle_.in_doubt(k);
  }
  return std::nullopt;
}

// The clocks of an entry merge by maximum, whoever writes.
void Simulation::check_clocks(Process& process, const std::string& k,
                              const std::optional<EntryInfo>& before, const PutReceipt& receipt) {
  // What lies in the future nobody believes, and after a jump a process may be wrong about now.
  if (traits_.clock_jumps) return;
  if (!before || !receipt.journaled || receipt.superseded) return;
  const std::optional<EntryInfo> after = process.data->info(k);
  if (!after || after->version != receipt.version) return;
  const WallTime now = machine_.clock->wall_now();
  const auto kept = [&](const std::optional<WallTime>& was, const std::optional<WallTime>& is) {
    return !was || *was > now || (is && *is >= *was);
  };
  if (before->last_rich_fetch) ++totals_.clocks_carried;
  if (!kept(before->last_rich_fetch, after->last_rich_fetch)) {
    fail("key " + k + ": a put lost the clock of the last rich fetch");
  }
  if (!kept(before->last_fetch, after->last_fetch)) {
    fail("key " + k + ": a put set the clock of the last fetch back");
  }
}

void Simulation::put_async(Process& process) {
  const std::string k = key();
  const std::string document = new_document(k);
  const Begun begun = oracle_.attempted(k, document);
  process.data->put_async(k, document, {},
                          [this, &process, k, begun, life = process.life](
                              const PutReceipt& receipt, const std::exception_ptr& error) {
                            if (error) {
                              trace(k, "put async failed");
                              oracle_.in_doubt(k);
                            } else if (life == process.life) {
                              acknowledged(process, k, begun, receipt, {});
                            }
                          });
}

void Simulation::put_many(Process& process) {
  std::vector<std::pair<std::string, std::string>> values;
  std::vector<Begun> begun;
  const std::uint64_t first = pick(6);
  for (std::uint64_t i = 0; i < 3; ++i) {
    const std::string k = "b:" + std::to_string((first + i) % 6);
    values.emplace_back(k, new_document(k));
    begun.push_back(oracle_.attempted(k, values.back().second));
  }
  ++totals_.batches;
  try {
    const std::vector<PutReceipt> receipts = process.data->put_many(values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const PutReceipt& receipt = receipts[i];
      if (receipt.journaled || receipt.stored || receipt.superseded) {
        acknowledged(process, values[i].first, begun[i], receipt, {});
      } else if (receipt.in_doubt) {
        oracle_.in_doubt(values[i].first);
      } else {
        oracle_.refused(values[i].first, values[i].second);
      }
    }
  } catch (const NotDurable& error) {
    for (const auto& [k, document] : values) not_durable(k, document, error);
  }
}

void Simulation::put_in_store(Process& process) {
  const std::string k = key();
  const auto receipt = put(process, k, {.durability = Durability::store, .deadline = 2s});
  if (!receipt || receipt->superseded) return;
  const EntryPtr row = machine_.store->row("test", {"d", k});
  if (!receipt->stored || !row || row->version < receipt->version) {
    return fail("key " + k + ": " + receipt->version.to_string() + " is said to be in the store");
  }
  ++totals_.confirmed;
}

void Simulation::compare_and_set(Process& process) {
  const std::string k = "b:" + std::to_string(pick(6));
  Version known = last_seen_[k];
  if (pick(3) != 0) {
    const Version floor = floor_of(process, k);
    const auto snapshot = process.data->get(k, {.reach = Reach::local});
    judge_read(process, k, snapshot, floor);
    known = snapshot.version();
  }
  if (put(process, k, {.if_version = known})) ++totals_.compared;
}

void Simulation::erase(Process& process) {
  const std::string k = key();
  const Begun begun = oracle_.attempted_erase(k);
  try {
    const PutReceipt receipt = process.data->erase(k);
    trace(k, "erase " + receipt.version.to_string() + " by " + std::to_string(process.number) +
                 (receipt.journaled ? "" : " in the store only"));
    if (receipt.superseded) return;
    const auto wrong = oracle_.acknowledged(
        process.number, k, begun,
        {.version = receipt.version, .journaled = receipt.journaled, .erased = true});
    if (wrong) fail("key " + k + ": erase " + *wrong);
  } catch (const NotDurable&) {
    oracle_.in_doubt(k);
  }
}

std::optional<Version> Simulation::erase_matching(Process& process) {
  std::map<std::string, Begun> begun;
  for (int i = 0; i < 9; ++i) {
    const std::string k = "a:" + std::to_string(i);
    begun[k] = oracle_.attempted_erase(k);
  }
  try {
    const PutReceipt receipt = process.data->erase_matching("a:*");
    trace({}, "erase a:* " + receipt.version.to_string() + " by " + std::to_string(process.number));
    for (const auto& [k, began] : begun) {
      const auto wrong = oracle_.acknowledged(process.number, k, began,
                                              {.version = receipt.version,
                                               .journaled = receipt.journaled,
                                               .erased = true,
                                               .matching = true});
      if (wrong) fail("key " + k + ": matching erase " + *wrong);
    }
    return receipt.version;
  } catch (const NotDurable&) {
    return std::nullopt;
  }
}

// Whatever clock the entry was fetched by, it is stale from now on.
void Simulation::invalidate(Process& process, const std::string& k) {
  const std::optional<EntryInfo> before = process.data->info(k);
  try {
    const PutReceipt receipt = process.data->invalidate(k);
    trace(k, "invalidated by " + std::to_string(process.number));
    if (!before || receipt.superseded) return;
  } catch (const NotDurable&) {
    return;
  }
  const auto now = process.data->peek(k);
  if (!now.has_value() || now.version() != before->version) return;
  if (now.freshness() == Freshness::fresh && now.clocks().last_fetch == before->last_fetch) {
    const auto at = [](const std::optional<WallTime>& time) {
      return time ? std::to_string(time->time_since_epoch().count()) : "nothing";
    };
    fail("key " + k + ": fresh right after it was invalidated at " +
         at(now.clocks().invalidated_at) + ", fetched at " + at(now.clocks().last_fetch));
  }
}

}  // namespace tiercache::testing
