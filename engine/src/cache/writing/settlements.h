// The calls that wait to hear what became of a write in the store. Each is told what the store said
// of this very write, or that it is not known (I13).
//
// A write is expected before it can be sent, so its answer cannot be missed. A write that a later
// write of its key replaced in the outbox is never sent. When the later one is settled, the earlier
// one is `stored` if the later one was made from it and was saved, else `superseded`.
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

  // What is waited for. Content is known by its version, clocks by what they say, and a matching
  // erase by its glob (in `id.key`) and version.
  struct Write {
    RecordKind kind = RecordKind::content;
    EntryId id;
    Version version;
    Clocks clocks = {};
  };

  // To be called before the write is journaled.
  void expect(Write write, WaiterPtr waiter);
  // To be called when nobody waits any longer, or when the write was not journaled after all. Null
  // is ignored.
  void forget(const WaiterPtr& waiter);
  // Nobody knows how an attempt to send this write ended, so the store may have it.
  void in_doubt(const UnsettledWrite& write);
  // The store has answered. Calls the handlers of all whose write that decides.
  void settled(const UnsettledWrite& write, const SaveResult& result);
  // Tells all who still wait that the cache has closed.
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

  // What this settlement means for a write that waits; nullopt if it decides nothing.
  static std::optional<Settled> verdict(const Write& waits, const UnsettledWrite& write,
                                        const SaveResult& result);
  void answer_matching(Waiting::iterator begin, Waiting::iterator end, const UnsettledWrite& write,
                       const SaveResult& result, std::vector<Answer>* answers)
      TIERCACHE_REQUIRES(mutex_);

  Mutex mutex_;
  Waiting waiting_ TIERCACHE_GUARDED_BY(mutex_);  // by key; a matching erase by its glob
};

}  // namespace tiercache::detail
