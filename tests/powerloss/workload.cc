#include "powerloss/workload.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "oracle/document.h"
#include "tiercache/glob.h"

namespace tiercache::testing {
namespace {

constexpr std::uint32_t kOtherMachine = 7;

bool is_sync(const std::string& operation) {
  return operation == "sync_data" || operation == "sync_file" || operation == "sync_all" ||
         operation == "sync_directory";
}

DatasetOptions<JsonText> plain_options() {
  return {.keyed = true, .fresh_for = 24h, .stale_for = 24h * 365, .hydrate = Hydrate::all()};
}

}  // namespace

std::string document_key(const EntryId& id) {
  return id.dataset + "/" + id.key;
}

Workload::Workload(std::uint64_t seed)
    : world_(seed), dice_(seed), fault_dice_(seed ^ 0x5eed), segment_bytes_(4'096) {
  constexpr std::array<Disk, 6> kDisks = {Disk::sound, Disk::sound, Disk::sound,
                                          Disk::lies,  Disk::lies,  Disk::fails};
  disk_ = kDisks[dice_.below(kDisks.size())];
  segment_bytes_ <<= dice_.below(4);
  journal_bytes_ = dice_.percent(20) ? 128 << 10 : 64 << 20;
  memory_bytes_ = dice_.percent(40) ? 24 << 10 : 16 << 20;
  memory_ttl_ = dice_.percent(40) ? 0ms : 5min;
  sync_every_ = dice_.percent(50) ? 200ms : 5s;
  if (seed % 3 == 0) world_.store->keep_values_only();
  for (const char* key : {"a1", "a2", "a3", "b1", "b2", "b3"}) ids_.push_back({"plain", key});
  for (const char* key : {"a1", "b1", "b2"}) ids_.push_back({"live", key});
  for (const EntryId& id : ids_) histories_.emplace(id, KeyHistory(document_key(id)));
  world_.disk.set_fault([this](const std::string& operation, const std::string&) {
    if (!broken_now_ || !fault_dice_.percent(40)) return 0;
    if (disk_ == Disk::lies && !is_sync(operation)) return 0;
    return operation == "try_lock" ? EAGAIN : EIO;
  });
  open();
}

Workload::~Workload() {
  repair_disk();
  world_.disk.on_operation({});
  if (cache_) world_.kill(cache_);
}

void Workload::tell(const std::string& text) {
  if (told_) told_(text);
}

// --- Opening ---

CacheOptions Workload::adjusted(CacheOptions options) const {
  options.journal = {.max_bytes = journal_bytes_, .segment_bytes = segment_bytes_};
  options.memory = {.max_bytes = memory_bytes_, .ttl = memory_ttl_};
  options.files.sync_every = sync_every_;
  return options;
}

void Workload::open() {
  try {
    open_once();
  } catch (const BadDirectory&) {
    repair_disk();
    open_once();
  }
}

void Workload::open_once() {
  cache_ = world_.open([this](CacheOptions& options) { options = adjusted(std::move(options)); });
  first_of_this_life_ = last_number_ + 1;
  plain_ = cache_->dataset("plain", plain_options());
  DatasetOptions<JsonText> live = plain_options();
  live.refresh_every = 1min;
  live.fresh_for = 2min;
  live.hard_timeout = 10s;
  live.refresh = [this](RefreshContext& context) { return answer(context); };
  live_ = cache_->dataset("live", std::move(live));
}

void Workload::break_disk() {
  broken_now_ = disk_ != Disk::sound;
}
void Workload::repair_disk() {
  broken_now_ = false;
}

// --- Steps ---

void Workload::step() {
  struct Choice {
    std::uint64_t weight;
    void (Workload::*act)();
  };
  static constexpr std::array<Choice, 13> kChoices = {{{30, &Workload::put},
                                                       {7, &Workload::put_many},
                                                       {10, &Workload::erase},
                                                       {4, &Workload::erase_matching},
                                                       {5, &Workload::invalidate},
                                                       {8, &Workload::refresh},
                                                       {10, &Workload::read},
                                                       {12, &Workload::pass_time},
                                                       {5, &Workload::move_store},
                                                       {3, &Workload::write_elsewhere},
                                                       {4, &Workload::flush},
                                                       {4, &Workload::reopen},
                                                       {4, &Workload::move_disk}}};
  std::uint64_t weights = 0;
  for (const Choice& choice : kChoices) weights += choice.weight;
  std::uint64_t chosen = dice_.below(weights);
  for (const Choice& choice : kChoices) {
    if (chosen < choice.weight) return (this->*choice.act)();
    chosen -= choice.weight;
  }
}

EntryId Workload::any() {
  return ids_[dice_.below(ids_.size())];
}

bool Workload::attempt(const std::vector<EntryId>& ids, std::uint64_t number,
                       const std::function<void()>& write) {
  try {
    write();
    return true;
  } catch (const NotDurable& error) {
    if (disk_ == Disk::sound && journal_bytes_ > (1 << 20)) {
      violations_.push_back(
          {{Broken::lost, std::string("refused on a sound disk: ") + error.what()},
           "the running cache"});
    }
    const bool nowhere = error.state() == NotDurable::State::not_applied && ids.size() == 1;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (nowhere) {
        history(ids[i]).refused(number);
      } else {
        history(ids[i]).went_astray(number);
        history(ids[i]).went_astray(number + i);
      }
    }
    tell(std::string("  not durable: ") + error.what());
    return false;
  }
}

void Workload::put() {
  const EntryId id = any();
  const std::uint64_t number = ++last_number_;
  tell("put " + document_key(id) + " " + std::to_string(number));
  history(id).put_begins(number);
  attempt({id}, number, [&] {
    const PutReceipt receipt = data(id).put(id.key, make_document(document_key(id), number));
    history(id).acknowledged(
        number, receipt.version,
        receipt.journaled ? KeyHistory::Durable::here : KeyHistory::Durable::elsewhere);
  });
}

void Workload::put_many() {
  std::vector<EntryId> ids;
  std::vector<std::pair<std::string, std::string>> values;
  const std::uint64_t first = last_number_ + 1;
  for (std::uint64_t left = 2 + dice_.below(4); left > 0; --left) {
    EntryId id = any();
    if (id.dataset != "plain") continue;
    history(id).put_begins(++last_number_);
    values.emplace_back(id.key, make_document(document_key(id), last_number_));
    ids.push_back(std::move(id));
  }
  tell("put_many of " + std::to_string(ids.size()) + " from " + std::to_string(first));
  attempt(ids, first, [&] {
    const auto receipts = plain_->put_many(values);
    for (std::size_t i = 0; i < receipts.size(); ++i) {
      if (receipts[i].version.is_zero()) {
        history(ids[i]).went_astray(first + i);
        continue;
      }
      history(ids[i]).acknowledged(
          first + i, receipts[i].version,
          receipts[i].journaled ? KeyHistory::Durable::here : KeyHistory::Durable::elsewhere);
    }
  });
}

void Workload::erase() {
  const EntryId id = any();
  const std::uint64_t number = ++last_number_;
  tell("erase " + document_key(id) + " " + std::to_string(number));
  history(id).erase_begins(number);
  attempt({id}, number, [&] {
    const PutReceipt receipt = data(id).erase(id.key);
    history(id).acknowledged(
        number, receipt.version,
        receipt.journaled ? KeyHistory::Durable::here : KeyHistory::Durable::elsewhere);
  });
}

void Workload::erase_matching() {
  static constexpr std::array<const char*, 5> kGlobs = {"a*", "b*", "*", "?1", "b2"};
  const std::string glob = kGlobs[dice_.below(kGlobs.size())];
  const std::string dataset = dice_.percent(70) ? "plain" : "live";
  const std::uint64_t number = ++last_number_;
  tell("erase_matching " + dataset + " " + glob + " " + std::to_string(number));
  std::vector<EntryId> matched;
  for (const EntryId& id : ids_) {
    if (id.dataset != dataset || !glob_matches(glob, id.key)) continue;
    history(id).erase_begins(number, KeyHistory::Scope::matching);
    matched.push_back(id);
  }
  attempt(matched, number, [&] {
    const PutReceipt receipt = data(matched.front()).erase_matching(glob);
    for (const EntryId& id : matched) history(id).acknowledged(number, receipt.version);
  });
}

void Workload::invalidate() {
  const EntryId id = any();
  tell("invalidate " + document_key(id));
  attempt({}, 0, [&] {
    const PutReceipt receipt = data(id).invalidate(id.key);
    tell("  version " + receipt.version.to_string());
    if (receipt.journaled) history(id).invalidated(receipt.version);
  });
}

RefreshAnswer<std::string> Workload::answer(RefreshContext& context) {
  const EntryId id{context.dataset(), context.key()};
  const std::uint64_t kind = dice_.below(10);
  tell("  source asked for " + document_key(id) + ", kind " + std::to_string(kind));
  if (kind == 0) throw std::runtime_error("the source is away");
  if (kind == 1) return NotFound{};
  if (kind <= 3 && context.previous()) {
    history(id).confirmed();
    return NotModified{};
  }
  const std::uint64_t number = ++last_number_;
  std::optional<Version> base;
  if (context.previous()) base = context.previous()->version;
  history(id).refresh_begins(number, base);
  refreshed_.insert(number);
  if (disk_ != Disk::sound) history(id).went_astray(number);
  return make_document(document_key(id), number);
}

void Workload::refresh() {
  const EntryId id = {"live", ids_[6 + dice_.below(3)].key};
  tell("refresh " + document_key(id));
  judge(id, live_->refresh(id.key, 5s));
}

void Workload::read() {
  const EntryId id = any();
  tell("get " + document_key(id));
  judge(id, data(id).get(id.key));
}

// What the source brought is visible only once it is journaled: from then on it must stay.
void Workload::judge(const EntryId& id, const Snapshot<JsonText>& snapshot) {
  Answer answer{.document = {},
                .version = snapshot.version(),
                .fresh = snapshot.freshness() == Freshness::fresh};
  if (snapshot.has_value()) answer.document = *snapshot;
  if (auto verdict = history(id).judge(answer)) {
    // With nothing served a promise is broken only where local tiers can be read.
    if (answer.document || disk_ == Disk::sound) {
      violations_.push_back(
          {*std::move(verdict), "the running cache: " + snapshot.passage().to_string()});
    }
  }
  if (!answer.document || disk_ != Disk::sound) return;
  const auto number = read_document(document_key(id), *answer.document);
  if (number && *number >= first_of_this_life_ && refreshed_.contains(*number) &&
      history(id).is_open(*number)) {
    history(id).acknowledged(*number, snapshot.version());
  }
}

void Workload::pass_time() {
  static constexpr std::array<std::chrono::milliseconds, 6> kSpans = {1ms,   15ms, 40ms,
                                                                      300ms, 6s,   90s};
  const auto span = kSpans[dice_.below(kSpans.size())];
  tell("time passes: " + std::to_string(span.count()) + " ms");
  world_.executor->run_for(span);
}

void Workload::move_store() {
  const std::uint64_t kind = dice_.below(5);
  tell("store " + std::string(kind < 2 ? "up" : kind < 4 ? "down" : "shaky"));
  if (kind < 2) return world_.store_up();
  if (kind < 4) return world_.store_down();
  world_.store->set_fault([this](const std::string&) {
    static constexpr std::array<StoreFault, 4> kFaults = {StoreFault::none, StoreFault::unavailable,
                                                          StoreFault::unknown_done,
                                                          StoreFault::unknown_undone};
    return kFaults[fault_dice_.below(kFaults.size())];
  });
}

// Another machine writes to the store.
void Workload::write_elsewhere() {
  const EntryId id = any();
  const std::uint64_t number = ++last_number_;
  const EntryPtr row = world_.store->row(kProject, id);
  const auto now = static_cast<std::uint64_t>(world_.clock->wall_now().time_since_epoch().count());
  Entry entry;
  entry.version.time =
      std::max((now - dice_.below(2'000)) << Version::kCounterBits,
               row ? row->version.time + 1 + dice_.below(1 << Version::kCounterBits) : 0);
  entry.version.writer = kOtherMachine;
  entry.clocks.last_fetch = world_.clock->wall_now();
  tell("another machine writes " + document_key(id) + " " + std::to_string(number) + " as " +
       entry.version.to_string());
  if (dice_.percent(30)) {
    entry.kind = EntryKind::tombstone;
    history(id).erase_begins(number);
  } else {
    entry.document = std::make_shared<const std::string>(make_document(document_key(id), number));
    entry.checksum = Checksum::of(*entry.document);
    history(id).put_begins(number);
  }
  history(id).acknowledged(number, entry.version, KeyHistory::Durable::elsewhere);
  history(id).confirmed();  // clocks merge, whoever's content wins: it was fetched just now
  world_.store->put_row(kProject, id, std::move(entry));
}

void Workload::flush() {
  tell("flush");
  cache_->flush(1s);
}

void Workload::reopen() {
  const std::uint64_t kind = dice_.below(8);
  const std::uint64_t loss = dice_.next();
  tell("reopen, kind " + std::to_string(kind));
  plain_.reset();
  live_.reset();
  if (kind < 2) {
    if (cache_->close(1s).dropped != 0) {
      violations_.push_back({{Broken::lost, "close dropped writes"}, "the running cache"});
    }
    cache_.reset();
  } else if (kind < 3) {
    cache_.reset();
  } else if (kind < 5) {
    world_.kill(cache_);
  } else {
    world_.lose_power(cache_, loss % 3 == 0 ? loss % 2 : loss);
  }
  if (dice_.percent(80)) repair_disk();
  if (dice_.percent(30)) {  // the clock is wrong after the start
    const auto by = std::chrono::seconds(dice_.below(600));
    world_.clock->set_wall(world_.clock->wall_now() + (dice_.percent(50) ? by : -by));
  }
  open();
}

void Workload::move_disk() {
  if (dice_.percent(40))
    break_disk();
  else
    repair_disk();
  tell(std::string("disk ") + (broken_now_ ? "breaks" : "works"));
}

}  // namespace tiercache::testing
