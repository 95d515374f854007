// The calls of one thread of a machine.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "machines/machine.h"
#include "machines/record.h"
#include "machines/setup.h"
#include "oracle/dice.h"
#include "tiercache/tiercache.h"

namespace tiercache::testing {

// What the threads of one life share. Thread-safe.
class Desk {
 public:
  explicit Desk(const Life& life);

  std::uint64_t next_write() { return writes_.fetch_add(1) + 1; }
  void write_down(Call call);

  // An exact counter is for one call at a time.
  bool take(std::uint8_t key) { return !taken_[key].exchange(true); }
  void give_back(std::uint8_t key) { taken_[key] = false; }
  // This machine may have a write of the counter that the store has not settled.
  std::array<std::atomic<bool>, kExact> doubtful;
  std::atomic<std::uint64_t> unanswered{0};  // of asynchronous calls

 private:
  const std::uint8_t machine_;
  CallLog log_;
  std::atomic<std::uint64_t> writes_;
  std::array<std::atomic<bool>, kExact> taken_{};
};

// The dataset with a source that answers in each way there is, and writes down what it gave.
DatasetOptions<JsonText> dataset_options(std::shared_ptr<Desk> desk);

// What is told of a document that was served, and its number.
Call judged(std::uint8_t key, const Snapshot<JsonText>& served);

class Caller {
 public:
  Caller(const Life& life, std::uint64_t thread, std::shared_ptr<Desk> desk, Cache& cache);
  void call();

 private:
  void on_counter();
  void on_document();
  void read();
  void count();
  bool settled();
  void count_from(const Call& base);
  void put();
  void put_many();
  void erase();
  void erase_matching();
  void invalidate();
  void refresh();
  PutOptions options();
  Call begin(Op op, std::uint64_t count = 0);
  void end(const Call& begun, const std::function<PutReceipt()>& write);
  std::string name() const { return name_of(key_); }

  const std::shared_ptr<Desk> desk_;
  Cache& cache_;
  Dataset<JsonText> data_;
  Dice dice_;
  std::uint8_t key_ = 0;
};

}  // namespace tiercache::testing
