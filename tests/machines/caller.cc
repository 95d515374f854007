#include "machines/caller.h"

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

#include "oracle/document.h"

namespace tiercache::testing {
namespace {

using std::chrono::milliseconds;

// The number of a write tells its machine, its life and its place in that: 6, 13 and 21 bits.
constexpr int kPlaceBits = 21;
constexpr int kLifeBits = 13;
static_assert(kPlaceBits + kLifeBits + 6 == kWriteBits);

Told told_of(const PutReceipt& receipt) {
  if (receipt.version.is_zero()) return Told::in_doubt;  // one of many that failed
  if (receipt.superseded) return Told::superseded;
  if (receipt.stored) return Told::stored;
  return receipt.journaled ? Told::journaled : Told::broken;
}

// Of a call that ends now, by what it returns or throws.
void settle(Call& call, const std::function<PutReceipt()>& write) {
  try {
    const PutReceipt receipt = write();
    call.told = told_of(receipt);
    call.set_version(receipt.version);
  } catch (const VersionConflict&) {
    call.told = Told::not_applied;
  } catch (const NotDurable& error) {
    const bool nowhere = error.state() == NotDurable::State::not_applied;
    call.told = nowhere ? Told::not_applied : Told::in_doubt;
  } catch (const DeadlineExceeded&) {
    call.told = Told::in_doubt;
  } catch (const Closed&) {
    call.told = Told::in_doubt;
  } catch (const std::exception& error) {
    std::printf("%s: a write failed: %s\n", name_of(call.key).c_str(), error.what());
    call.told = Told::broken;
  }
}

RefreshAnswer<std::string> answer(RefreshContext& context, std::uint8_t key, Desk& desk) {
  const std::uint64_t write = desk.next_write();
  if (write % 5 == 0) throw std::runtime_error("the source is away");
  if (is_counter(key) || (context.previous() && write % 2 == 0)) {
    if (context.previous()) return NotModified{};
    throw std::runtime_error("the source knows no counts");
  }
  Call call{.op = Op::refresh, .key = key, .number = write};
  if (context.previous()) call.set_base(context.previous()->version);
  desk.write_down(call);
  return Refreshed<std::string>{.value = make_document(context.key(), write),
                                .metadata = metadata_of(write)};
}

std::uint8_t key_of(const std::string& name) {
  return static_cast<std::uint8_t>(std::stoi(name.substr(name.find(':') + 1)));
}

}  // namespace

Desk::Desk(const Life& life)
    : machine_(static_cast<std::uint8_t>(life.machine)),
      log_(record_of(life.root, life.machine)),
      writes_(life.machine << (kPlaceBits + kLifeBits) | life.number << kPlaceBits) {
  if (life.number >> kLifeBits != 0) throw std::runtime_error("a machine has too many lives");
  for (auto& key : doubtful) key = true;  // an earlier life may have left something
}

void Desk::write_down(Call call) {
  call.machine = machine_;
  log_.add(call);
}

DatasetOptions<JsonText> dataset_options(std::shared_ptr<Desk> desk) {
  DatasetOptions<JsonText> options{
      .keyed = true, .fresh_for = ttl::kDay, .stale_for = 365 * ttl::kDay};
  options.retry_first = milliseconds(50);
  options.refresh = [desk = std::move(desk)](RefreshContext& context) {
    return answer(context, key_of(context.key()), *desk);
  };
  return options;
}

Call judged(std::uint8_t key, const Snapshot<JsonText>& served) {
  Call call{.told = Told::served, .key = key};
  if (!served) return call;
  call.set_version(served.version());
  const auto number = read_document(name_of(key), *served);
  call.number = number.value_or(0);
  if (!number) {
    call.told = Told::wrong_bytes;
  } else if (served.metadata() != metadata_of(*number)) {
    call.told = Told::wrong_metadata;
    call.base_number = write_of_metadata(served.metadata());
  }
  return call;
}

Caller::Caller(const Life& life, std::uint64_t thread, std::shared_ptr<Desk> desk, Cache& cache)
    : desk_(std::move(desk)),
      cache_(cache),
      data_(cache.dataset(kDataset, dataset_options(desk_))),
      dice_(((life.seed * 64 + life.machine) << kLifeBits | life.number) * kThreads + thread) {}

void Caller::call() {
  key_ = static_cast<std::uint8_t>(dice_.below(kKeys));
  is_counter(key_) ? on_counter() : on_document();
}

void Caller::on_counter() {
  const std::uint64_t kind = dice_.below(100);
  if (kind < 70) return count();
  if (kind < 85) return read();
  if (kind < 92) return invalidate();
  refresh();
}

void Caller::on_document() {
  const bool is_erasable = kind_of(key_) == KeyKind::erasable;
  const std::uint64_t kind = dice_.below(100);
  if (kind < 30) return read();
  if (kind < 60) return put();
  if (kind < 66) return put_many();
  if (kind < 72) return count_from(judged(key_, data_.get(name(), {.reach = Reach::local})));
  if (is_erasable && kind < 84) return erase();
  if (is_erasable && kind < 85) return erase_matching();
  if (kind_of(key_) == KeyKind::reg && kind < 90) return refresh();
  invalidate();
}

void Caller::read() {
  static constexpr Reach kReaches[] = {Reach::memory, Reach::local, Reach::store, Reach::source};
  Reach reach = kReaches[dice_.below(4)];
  // Only what is refreshed asks its source; an erased entry may come back by it.
  if (reach == Reach::source && kind_of(key_) != KeyKind::reg) reach = Reach::store;
  desk_->write_down(
      judged(key_, data_.get(name(), {.deadline = milliseconds(500), .reach = reach})));
}

// --- Counting ---

void Caller::count() {
  const bool exact = kind_of(key_) == KeyKind::exact;
  if (exact && !desk_->take(key_)) return read();
  if (exact && !settled()) {
    desk_->give_back(key_);
    return read();
  }
  const Call base =
      judged(key_, data_.get(name(), {.deadline = milliseconds(500), .reach = Reach::store}));
  if (base.told != Told::served) {
    desk_->write_down(base);
    if (exact) desk_->give_back(key_);
    return;
  }
  count_from(base);
}

bool Caller::settled() {
  if (desk_->doubtful[key_] && cache_.flush(milliseconds(500))) desk_->doubtful[key_] = false;
  return !desk_->doubtful[key_];
}

// The next count, unless another one came first. Gives an exact counter back.
void Caller::count_from(const Call& base) {
  Call call = begin(Op::count, is_counter(key_) ? count_of(base.number) + 1 : 0);
  call.set_base(base.version());
  call.base_number = base.number;
  desk_->write_down(call);
  const bool exact = kind_of(key_) == KeyKind::exact;
  PutOptions how = options();
  if (exact) how.durability = Durability::store;
  const std::string metadata = metadata_of(call.number);
  how.metadata = metadata;
  how.if_version = base.version();
  const std::string document = make_document(name(), call.number);
  const auto ended = [desk = desk_, call, exact](const std::function<PutReceipt()>& write) {
    Call told = call;
    settle(told, write);
    desk->write_down(told);
    if (!exact) return;
    if (told.told == Told::in_doubt) desk->doubtful[call.key] = true;
    desk->give_back(call.key);
  };
  const std::uint64_t way = dice_.below(3);
  if (way == 0) return ended([&] { return data_.put(name(), document, how); });
  if (way == 1) {
    return ended([&] {
      const std::pair<std::string, std::string> one{name(), document};
      return data_.put_many({&one, 1}, how).front();
    });
  }
  ++desk_->unanswered;
  data_.put_async(name(), document, how,
                  [desk = desk_, ended](PutReceipt receipt, std::exception_ptr error) {
                    ended([&] {
                      if (error) std::rethrow_exception(error);
                      return receipt;
                    });
                    --desk->unanswered;
                  });
}

// --- Other writes ---

PutOptions Caller::options() {
  static constexpr milliseconds kDeadlines[] = {milliseconds(30), milliseconds(1'000),
                                                milliseconds(5'000), milliseconds(5'000)};
  return {.durability = dice_.percent(50) ? Durability::store : Durability::journal,
          .deadline = kDeadlines[dice_.below(4)]};
}

Call Caller::begin(Op op, std::uint64_t count) {
  return {.op = op, .key = key_, .number = (count << kWriteBits) + desk_->next_write()};
}

void Caller::end(const Call& begun, const std::function<PutReceipt()>& write) {
  Call call = begun;
  settle(call, write);
  desk_->write_down(call);
}

void Caller::put() {
  const Call call = begin(Op::put);
  desk_->write_down(call);
  PutOptions how = options();
  const std::string metadata = metadata_of(call.number);
  how.metadata = metadata;
  end(call, [&] { return data_.put(name(), make_document(name(), call.number), how); });
  if (dice_.percent(20)) invalidate();  // often before the store has confirmed it
}

// All have the metadata of one, so they are one write of several keys.
void Caller::put_many() {
  Call call = begin(Op::put);
  const std::string metadata = metadata_of(call.number);
  std::vector<std::uint8_t> keys;
  std::vector<std::pair<std::string, std::string>> values;
  for (std::uint64_t left = 2 + dice_.below(4); left > 0; --left) {
    const auto key =
        static_cast<std::uint8_t>(kExact + kFree + dice_.below(kKeys - kExact - kFree));
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    keys.push_back(key);
    values.emplace_back(name_of(key), make_document(name_of(key), call.number));
    call.key = key;
    desk_->write_down(call);
  }
  PutOptions how = options();
  how.metadata = metadata;
  std::vector<PutReceipt> receipts;
  std::exception_ptr error;
  try {
    receipts = data_.put_many(values, how);
  } catch (...) {
    error = std::current_exception();
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    call.key = keys[i];
    // What one item threw says nothing of the others.
    end(call, [&] { return error ? PutReceipt{} : receipts.at(i); });
  }
}

void Caller::erase() {
  const Call call = begin(Op::erase);
  desk_->write_down(call);
  end(call, [&] { return data_.erase(name(), options()); });
}

// One call, which is an erase of each key that it is for.
void Caller::erase_matching() {
  Call call = begin(Op::erase);
  for (std::uint8_t key = kKeys - kErasables; key < kKeys; ++key) {
    call.key = key;
    desk_->write_down(call);
  }
  settle(call, [&] { return data_.erase_matching(kErasablesGlob, options()); });
  for (std::uint8_t key = kKeys - kErasables; key < kKeys; ++key) {
    call.key = key;
    desk_->write_down(call);
  }
}

void Caller::invalidate() {
  end(begin(Op::invalidate), [&] { return data_.invalidate(name(), options()); });
}

void Caller::refresh() {
  desk_->write_down(judged(key_, data_.refresh(name(), milliseconds(500))));
}

}  // namespace tiercache::testing
