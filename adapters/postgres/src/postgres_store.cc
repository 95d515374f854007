// The store itself: each function of the port (tiercache/store.h) becomes a call to the server.
// What a call does there is in the file of its name, such as loading.h. How it gets there and back
// in time is the work of four layers, each of which knows only those below it:
//
//     server_calls.h      runs it on a thread of the adapter until the deadline; says how it ended
//     server.h            gives it a pooled connection whose schema fits
//     session.h           sends one statement after the other, and none once the caller has left
//     connection.h        libpqxx
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "change_feed.h"
#include "erasing.h"
#include "feed_purging.h"
#include "hints.h"
#include "loading.h"
#include "notifying.h"
#include "options.h"
#include "purging.h"
#include "saving.h"
#include "scanning.h"
#include "server_calls.h"
#include "tiercache/postgres.h"

namespace tiercache::postgres {

namespace {

class PostgresStore final : public Store, public std::enable_shared_from_this<PostgresStore> {
 public:
  explicit PostgresStore(Options options) : calls_(std::move(options)) {}

  std::string describe() const override { return calls_.description(); }
  StoreLimits limits() const override { return limits_of(calls_.options()); }

  LoadReply load(const std::string& project, std::span<const EntryId> ids,
                 SteadyTime deadline) override {
    return calls_.serve<LoadReply>(
        project, deadline, Effect::reads,
        [project, ids = std::vector(ids.begin(), ids.end())](Session& session, LoadReply& reply) {
          load_rows(session, project, ids, reply);
        });
  }

  SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                 SteadyTime deadline) override {
    SaveReply reply = calls_.serve<SaveReply>(
        project, deadline, Effect::writes,
        [project, most = calls_.options().max_document_bytes,
         all = std::vector(writes.begin(), writes.end())](Session& session, SaveReply& out) {
          save_batch(session, most, project, all, out);
        });
    if (may_have_changed(reply, writes)) notifying_.tell_listeners(project);
    return reply;
  }

  ScanReply scan(const std::string& project, const std::string& dataset, const std::string& cursor,
                 std::size_t limit, SteadyTime deadline) override {
    return calls_.serve<ScanReply>(project, deadline, Effect::reads,
                                   [=](Session& session, ScanReply& reply) {
                                     scan_rows(session, project, dataset, cursor, limit, reply);
                                   });
  }

  EraseMatchingReply erase_matching(const std::string& project, const MatchingErase& erase,
                                    SteadyTime deadline) override {
    auto reply = calls_.serve<EraseMatchingReply>(project, deadline, Effect::writes,
                                                  [=](Session& session, EraseMatchingReply& out) {
                                                    erase_rows(session, project, erase, out);
                                                  });
    if (reply.status != StoreStatus::unavailable) notifying_.tell_listeners(project);
    return reply;
  }

  bool has_changes() const override { return true; }
  ChangesReply changes(const std::string& project, const std::string& cursor, std::size_t limit,
                       SteadyTime deadline) override {
    ChangesReply reply = calls_.serve<ChangesReply>(
        project, deadline, Effect::reads, [=](Session& session, ChangesReply& out) {
          read_changes(session, project, cursor, limit, out);
        });
    if (reply.status == StoreStatus::ok) feed_purging_.feed_was_read();
    return reply;
  }

  bool has_purge() const override { return true; }
  PurgeReply purge(const std::string& project, const PurgeRequest& request,
                   SteadyTime deadline) override {
    return calls_.serve<PurgeReply>(
        project, deadline, Effect::writes,
        [=](Session& session, PurgeReply& reply) { purge_rows(session, project, request, reply); });
  }

  std::shared_ptr<ChangeWatch> watch_changes(const std::string& project,
                                             std::function<void()> hint) override;

 private:
  ServerCalls calls_;
  FeedPurging feed_purging_{calls_};
  Notifying notifying_{calls_};
};

std::shared_ptr<ChangeWatch> PostgresStore::watch_changes(const std::string& project,
                                                          std::function<void()> hint) {
  const Options& options = calls_.options();
  if (options.hint_check_every.count() == 0) return nullptr;
  Notify notify = [weak = weak_from_this()](const std::string& channel, const std::string& payload,
                                            SteadyTime deadline) -> std::optional<std::string> {
    const auto store = weak.lock();
    if (!store) return "the store is closed";
    return store->notifying_.send(channel, payload, deadline);
  };
  return std::make_shared<Listener>(calls_.address(), project, options.connect_timeout,
                                    options.hint_check_every, std::move(notify), std::move(hint));
}

}  // namespace

std::shared_ptr<Store> open(Options options) {
  check_options(options);
  return std::make_shared<PostgresStore>(std::move(options));
}

std::shared_ptr<Store> open(std::string_view url) {
  return open(Options{.url = std::string(url)});
}

}  // namespace tiercache::postgres
