#include "disk/clerk.h"

#include <algorithm>

#include "oracle/document.h"

namespace tiercache::testing {

Clerk::Clerk(std::uint64_t seed) : dice_(seed) {
  for (int i = 0; i < 6; ++i) {
    names_.push_back("key:" + std::to_string(i));
    keys_.emplace(names_.back(), Key(names_.back()));
  }
}

void Clerk::work(const Dataset<JsonText>& data, int calls) {
  for (; calls > 0; --calls) {
    const std::string& name = names_[dice_.below(names_.size())];
    const std::uint64_t kind = dice_.below(10);
    if (kind < 5) {
      put(data, name);
    } else if (kind < 6) {
      erase(data, name);
    } else {
      read(data, name);
    }
  }
}

void Clerk::put_all(const Dataset<JsonText>& data) {
  for (const std::string& name : names_) put(data, name);
}

void Clerk::put(const Dataset<JsonText>& data, const std::string& name) {
  Key& key = keys_.at(name);
  const std::uint64_t number = ++last_number_;
  key.history.put_begins(number);
  key.puts.push_back(number);
  attempt(key, number, [&] { return data.put(name, make_document(name, number)); });
}

void Clerk::erase(const Dataset<JsonText>& data, const std::string& name) {
  Key& key = keys_.at(name);
  const std::uint64_t number = ++last_number_;
  key.history.erase_begins(number);
  attempt(key, number, [&] { return data.erase(name); });
}

void Clerk::attempt(Key& key, std::uint64_t number, const std::function<PutReceipt()>& write) {
  try {
    const PutReceipt receipt = write();
    if (!receipt.journaled && !receipt.stored) return fail("a receipt that names no tier");
    key.history.acknowledged(
        number, receipt.version,
        receipt.journaled ? KeyHistory::Durable::here : KeyHistory::Durable::elsewhere);
    key.newest = std::max(key.newest, receipt.version);
    ++acknowledged_;
    if (!receipt.journaled) ++stored_alone_;
  } catch (const NotDurable& error) {
    ++refused_;
    if (error.state() == NotDurable::State::not_applied) return key.history.refused(number);
    key.history.went_astray(number);
  }
}

void Clerk::read(const Dataset<JsonText>& data, const std::string& name) {
  const auto snapshot = data.get(name, {.reach = Reach::store});
  // What was acknowledged by this cache may be missing only while nothing can be read.
  if (!snapshot && snapshot.passage().files == TierAnswer::unavailable) return;
  if (lenient_ && (!snapshot || read_document(name, *snapshot))) return;
  judge("a read", name,
        {.document = snapshot ? std::optional(*snapshot) : std::nullopt,
         .version = snapshot.version()});
}

void Clerk::judge(const std::string& where, const std::string& name, const Answer& answer) {
  const auto verdict = keys_.at(name).history.judge(answer);
  if (verdict) fail(where + ": " + to_string(verdict->broken) + ": " + verdict->why);
}

void Clerk::judge_directory(const std::string& where, const Dataset<JsonText>& data, Reach reach) {
  for (const std::string& name : names_) {
    const auto snapshot = data.get(name, {.reach = reach});
    judge(where, name,
          {.document = snapshot ? std::optional(*snapshot) : std::nullopt,
           .version = snapshot.version()});
  }
}

void Clerk::judge_all(const std::string& where, const Look& look) {
  for (const auto& [name, key] : keys_) {
    const auto [version, document] = look(name);
    judge(where, name, {.document = document, .version = version});
    if (version < key.newest) {
      fail(where + ": " + name + " is of " + version.to_string() + ", but " +
           key.newest.to_string() + " was acknowledged");
    }
  }
}

void Clerk::directory_lost() {
  for (auto& [name, key] : keys_) {
    key.history = KeyHistory(name);
    key.newest = Version{};
    for (const std::uint64_t number : key.puts) key.history.put_begins(number);
  }
}

void Clerk::fail(const std::string& what) {
  if (!broken_) broken_ = what;
}

}  // namespace tiercache::testing
