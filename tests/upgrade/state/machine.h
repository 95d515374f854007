// A directory with a SQLite store beside it that one version of the library writes and another one
// opens. Public headers alone: all of this compiles against either of them.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "tiercache/sqlite.h"
#include "tiercache/tiercache.h"
#include "upgrade/state/gate.h"

namespace tiercache::upgrade {

// 2025-06-01 12:00:00 UTC, when all of it begins.
inline constexpr WallTime kBeginning{std::chrono::milliseconds(1'748'779'200'000)};

inline const std::string kProject = "upgrade";
inline const std::string kLongKey = "long:" + std::string(300, 'k') + "é";
inline const std::string kOddKey = "../odd key/%\"\\ü";
inline const std::string kRefusedKey = "refused";

// Where the directory (`cache`) and the store's file (`store/store.db`) lie.
struct Place {
  std::filesystem::path root;

  std::string directory() const { return (root / "cache").string(); }
  std::string store() const { return (root / "store" / "store.db").string(); }
};

// One open cache at a place, `age` after the beginning.
class Machine {
 public:
  enum class StoreIs { here, away };
  struct Setup {
    std::chrono::seconds age{0};
    StoreIs store = StoreIs::here;
    std::string refused = {};  // the key that the store takes no write of
  };

  // Throws what `Cache` throws.
  Machine(const Place& place, const Setup& setup);

  // Untyped documents by key. The source has `"fetched"` for every key that is not there, and says
  // «not modified» of any other.
  Dataset<JsonText> documents() { return documents_; }
  // One document, with a source for its rich refresh too.
  Dataset<JsonText> single() { return single_; }
  Cache& cache() { return *cache_; }
  Gate& gate() { return *gate_; }
  Store& store() { return *store_; }
  void set_age(std::chrono::seconds age) { calendar_->set(kBeginning + age); }

 private:
  std::shared_ptr<Calendar> calendar_;
  std::shared_ptr<Store> store_;
  std::shared_ptr<Gate> gate_;
  std::unique_ptr<Cache> cache_;
  Dataset<JsonText> documents_{nullptr};
  Dataset<JsonText> single_{nullptr};
};

}  // namespace tiercache::upgrade
