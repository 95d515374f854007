// Writes and reads through one open cache, remembers what it was told, and judges what is there.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "oracle/dice.h"
#include "oracle/key_history.h"
#include "tiercache/tiercache.h"

namespace tiercache::testing {

inline constexpr const char* kDataset = "documents";

// Not thread-safe.
class Clerk {
 public:
  explicit Clerk(std::uint64_t seed);

  // Some puts, erases and reads; the same ones from the same seed.
  void work(const Dataset<JsonText>& data, int calls);
  // Puts every key.
  void put_all(const Dataset<JsonText>& data);

  // The directory's answers, or with `Reach::store` also the store's: everything acknowledged as
  // journaled is there, or something newer.
  void judge_directory(const std::string& where, const Dataset<JsonText>& data,
                       Reach reach = Reach::local);
  // A tier that was told everything: nothing older than what was acknowledged, wherever to. `look`:
  // the version and the document (nullopt: none, or a tombstone).
  using Look =
      std::function<std::pair<Version, std::optional<std::string>>(const std::string& key)>;
  void judge_all(const std::string& where, const Look& look);

  // The directory is gone, and what was acknowledged so far may be there or not. What comes now
  // counts.
  void directory_lost();

  // The journal of an earlier life cannot be read for now: reads may show what the files have.
  void be_lenient(bool lenient) { lenient_ = lenient; }

  void fail(const std::string& what);
  const std::optional<std::string>& broken() const { return broken_; }

  std::uint64_t acknowledged() const { return acknowledged_; }
  std::uint64_t stored_alone() const { return stored_alone_; }
  std::uint64_t refused() const { return refused_; }

 private:
  struct Key {
    explicit Key(const std::string& name) : history(name) {}

    KeyHistory history;
    std::vector<std::uint64_t> puts;
    Version newest;  // acknowledged, in whatever tier
  };
  void put(const Dataset<JsonText>& data, const std::string& key);
  void erase(const Dataset<JsonText>& data, const std::string& key);
  void attempt(Key& key, std::uint64_t number, const std::function<PutReceipt()>& write);
  void read(const Dataset<JsonText>& data, const std::string& key);
  void judge(const std::string& where, const std::string& name, const Answer& answer);

  Dice dice_;
  std::map<std::string, Key> keys_;
  std::vector<std::string> names_;
  std::uint64_t last_number_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t stored_alone_ = 0;
  std::uint64_t refused_ = 0;
  bool lenient_ = false;
  std::optional<std::string> broken_;
};

}  // namespace tiercache::testing
