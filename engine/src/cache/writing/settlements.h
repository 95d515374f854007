// Who waits to hear what became of a write in the store. They are told what the store said of this
// very write, or that it is not known (I13).
//
// A write is expected before it can be sent, so it cannot be settled behind the back of whoever
// waits. One that a later write of its key replaced in the outbox will never be sent by itself.
// Once that one is settled it is superseded, or stored where the later one was made from it and was
// saved.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/annotations.h"
#include "base/mutex.h"
#include "journal/journal.h"
#include "tiercache/entry.h"
#include "tiercache/store.h"

namespace tiercache::detail {

struct Settled {
  enum class How : std::uint8_t {
    stored,      // the store has it, or what was made from it
    superseded,  // a newer write won
    refused,     // parked; `why` says why
    closed,      // the cache closed first
  };
  How how = How::stored;
  bool in_doubt = false;  // with `superseded`: it may have stood in the store before
  std::string why = {};
};

// Thread-safe.
class Settlements {
 public:
  using Handler = std::function<void(const Settled&)>;

  // A call that waits. Its handler is called at most once, by whichever thread settles the write.
  class Waiter {
   public:
    explicit Waiter(Handler handler) : handler_(std::move(handler)) {}

   private:
    friend class Settlements;
    const Handler handler_;
    EntryId id_;  // these two are guarded by the owner's mutex
    bool in_doubt_ = false;
  };
  using WaiterPtr = std::shared_ptr<Waiter>;

  // What is waited for: content by its version, clocks by what they say, a matching erase by its
  // glob (then `id.key`) and version.
  struct Write {
    RecordKind kind = RecordKind::content;
    EntryId id;
    Version version;
    Clocks clocks = {};
  };

  // Before the write is journaled.
  void expect(Write write, WaiterPtr waiter);
  // Nobody waits any longer, or the write was not journaled after all.
  void forget(const WaiterPtr& waiter);
  // An attempt to send this ended in the middle.
  void in_doubt(const UnsettledWrite& write);
  void settled(const UnsettledWrite& write, const SaveResult& result);
  // Answers whoever still waits.
  void close();

 private:
  struct Expected {
    Write write;
    WaiterPtr waiter;
  };
  struct Answer {
    WaiterPtr waiter;
    Settled settled;
  };
  using Waiting = std::multimap<EntryId, Expected>;

  // What this settlement is to a write that waits; nullopt: nothing yet.
  static std::optional<Settled> verdict(const Write& waits, const UnsettledWrite& write,
                                        const SaveResult& result);
  void answer_matching(Waiting::iterator begin, Waiting::iterator end, const UnsettledWrite& write,
                       const SaveResult& result, std::vector<Answer>* answers)
      TIERCACHE_REQUIRES(mutex_);

  Mutex mutex_;
  Waiting waiting_ TIERCACHE_GUARDED_BY(mutex_);  // by key; a matching erase by its glob
};

}  // namespace tiercache::detail
