// What is measured: tiercache's memory tier, and what one would use instead of it. All of them get
// the same keys, return a reference that the caller may keep, read the coarse clock once per hit,
// and compare it with the entry's lifetime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>

#ifdef TIERCACHE_BENCH_ROCKSDB
#include <rocksdb/cache.h>
#endif

#include "base/key_ref.h"
#include "memory/memory_tier.h"
#include "tiercache/entry.h"
#include "workload.h"

namespace tiercache::bench {

// A subject has a kName, is made for a number of entries, and has two functions:
//   bool get(key)             returns true for a hit within its lifetime
//   void put(key, document)   makes what the subject holds out of the document, and inserts it

// What the tier holds of a document: with its version, clocks and metadata.
inline detail::ResidentPtr make_resident(Document document) {
  auto made = std::make_shared<detail::Resident>();
  made->entry.version = {.time = 1, .writer = 1};
  made->entry.document = std::move(document);
  return made;
}

class TiercacheMemory {
 public:
  static constexpr const char* kName = "tiercache MemoryTier";

  explicit TiercacheMemory(std::size_t entries)
      : tier_(entries * charge_of_one(),
              MemoryTier::shards_for(entries * charge_of_one(),
                                     std::thread::hardware_concurrency())) {}

  bool get(std::string_view key) {
    const MemoryTier::Found found = tier_.find(KeyRef(1, key));
    if (found.resident == nullptr) return false;
    const Ticks now = coarse_now();
    return now < found.lifetimes.trusted_until && now < found.lifetimes.fresh_until;
  }
  void put(std::string_view key, const Document& document) {
    constexpr Lifetimes kForever{kForeverTicks, kForeverTicks, kForeverTicks, 0};
    tier_.put(KeyRef(1, key), make_resident(document), kForever, MemoryTier::Pin::no);
  }

 private:
  static std::size_t charge_of_one() {
    const auto document = std::make_shared<const std::string>(Population::kDocumentBytes, 'x');
    return MemoryTier::charge(std::string(Population::kKeyBytes, 'k'), *make_resident(document));
  }

  MemoryTier tier_;
};

// What a service usually begins with: one map, one list and one mutex.
class NaiveLru {
 public:
  static constexpr const char* kName = "naive: unordered_map + list + mutex";

  explicit NaiveLru(std::size_t entries) : capacity_(entries) {}

  bool get(std::string_view key) {
    Document kept;
    Ticks until;
    {
      const std::lock_guard lock(mutex_);
      const auto at = map_.find(key);
      if (at == map_.end()) return false;
      order_.splice(order_.begin(), order_, at->second);
      kept = at->second->document;
      until = at->second->until;
    }
    return coarse_now() < until;
  }
  void put(std::string_view key, const Document& document) {
    const std::lock_guard lock(mutex_);
    if (const auto at = map_.find(key); at != map_.end()) {
      at->second->document = document;
      order_.splice(order_.begin(), order_, at->second);
      return;
    }
    if (map_.size() >= capacity_) {
      map_.erase(map_.find(order_.back().key));
      order_.pop_back();
    }
    order_.push_front({std::string(key), document, kForeverTicks});
    map_.emplace(order_.front().key, order_.begin());
  }

 private:
  struct Item {
    std::string key;
    Document document;
    Ticks until;
  };
  std::mutex mutex_;
  std::size_t capacity_;
  std::list<Item> order_;
  std::unordered_map<std::string_view, std::list<Item>::iterator> map_;  // keys are in the list
};

#ifdef TIERCACHE_BENCH_ROCKSDB

// RocksDB's caches hold a pointer, and call a function when it is dropped. They hand out a handle,
// which keeps the entry in the cache until it is released, or what the value holds, which is a
// shared_ptr here.
enum class HandsOut : std::uint8_t { shared_ptr, handle };

template <HandsOut kHandsOut>
class RocksDb {
 public:
  bool get(rocksdb::Slice key) {
    rocksdb::Cache::Handle* handle = cache_->Lookup(key);
    if (handle == nullptr) return false;
    const auto& item = *static_cast<const Item*>(cache_->Value(handle));
    const Ticks until = item.until;
    Document kept;
    if constexpr (kHandsOut == HandsOut::shared_ptr) kept = item.document;
    cache_->Release(handle);
    return coarse_now() < until;
  }
  void put(rocksdb::Slice key, const Document& document) {
    const auto drop = [](const rocksdb::Slice&, void* item) { delete static_cast<Item*>(item); };
    auto item = std::make_unique<Item>(Item{document, kForeverTicks});
    if (cache_->Insert(key, item.get(), 1, drop).ok()) item.release();
  }

 protected:
  explicit RocksDb(std::shared_ptr<rocksdb::Cache> cache) : cache_(std::move(cache)) {}

 private:
  struct Item {
    Document document;
    Ticks until;
  };
  std::shared_ptr<rocksdb::Cache> cache_;
};

class RocksDbLru : public RocksDb<HandsOut::shared_ptr> {
 public:
  static constexpr const char* kName = "RocksDB LRUCache, 16 shards";
  explicit RocksDbLru(std::size_t entries)
      : RocksDb(rocksdb::NewLRUCache(entries, 4, false, 0.0, nullptr, false,
                                     rocksdb::kDontChargeCacheMetadata)) {}
  bool get(std::string_view key) { return RocksDb::get({key.data(), key.size()}); }
  void put(std::string_view key, const Document& document) {
    RocksDb::put({key.data(), key.size()}, document);
  }
};

// It takes keys of 16 bytes only. So it gets 128-bit hashes of our keys, which are not compared
// themselves.
template <HandsOut kHandsOut>
class HyperClock : public RocksDb<kHandsOut> {
 public:
  static constexpr const char* kName = kHandsOut == HandsOut::handle
                                           ? "RocksDB HyperClockCache, handle only"
                                           : "RocksDB HyperClockCache";
  explicit HyperClock(std::size_t entries)
      : RocksDb<kHandsOut>(rocksdb::HyperClockCacheOptions(entries, 1, 4, false, nullptr,
                                                           rocksdb::kDontChargeCacheMetadata)
                               .MakeSharedCache()) {}
  bool get(std::string_view key) {
    const Checksum digest = Checksum::of(key);
    return RocksDb<kHandsOut>::get(slice(digest));
  }
  void put(std::string_view key, const Document& document) {
    const Checksum digest = Checksum::of(key);
    RocksDb<kHandsOut>::put(slice(digest), document);
  }

 private:
  static rocksdb::Slice slice(const Checksum& digest) {
    static_assert(sizeof digest == 16);
    return {reinterpret_cast<const char*>(&digest), sizeof digest};
  }
};

#endif

// Calls `visitor.operator()<Subject>()` for each subject. The naive one, with which the others are
// compared, comes first.
template <class Visitor>
void for_each_subject(Visitor&& visitor) {
  visitor.template operator()<NaiveLru>();
  visitor.template operator()<TiercacheMemory>();
#ifdef TIERCACHE_BENCH_ROCKSDB
  visitor.template operator()<HyperClock<HandsOut::shared_ptr>>();
  visitor.template operator()<HyperClock<HandsOut::handle>>();
  visitor.template operator()<RocksDbLru>();
#endif
}

}  // namespace tiercache::bench
