#include <algorithm>
#include <atomic>
#include <charconv>
#include <functional>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include "arrays.h"
#include "call.h"
#include "change_feed.h"
#include "connection_pool.h"
#include "hints.h"
#include "options.h"
#include "purging.h"
#include "rows.h"
#include "saving.h"
#include "schema.h"
#include "session.h"
#include "text.h"
#include "tiercache/error.h"
#include "tiercache/postgres.h"

namespace tiercache::postgres {

namespace {

// A page of a scan ends early when its documents are this large together.
#define TIERCACHE_POSTGRES_PAGE_BYTES "33554432"

// An index entry is at most 2,704 bytes, where nothing in it compresses; the project's number and
// the lengths are in it too.
constexpr std::size_t kMostKeyBytes = 2'600;

// How often the change feed is purged, by each store that reads it, and how long that may take.
constexpr std::chrono::hours kPurgeEvery{1};
constexpr std::chrono::seconds kPurgeTimeout{30};

constexpr Statement kLoad = {
    "tiercache_load",
    "SELECT a.place, NULL, " TIERCACHE_POSTGRES_NOW ", " TIERCACHE_POSTGRES_ENTRY
    " FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS a (type, key, place) "
    "LEFT JOIN tiercache.cache_storage c ON c.cache_type = a.type COLLATE \"C\" "
    "AND c.cache_key = a.key COLLATE \"C\" AND c.project_id = "
    "(SELECT p.id FROM tiercache.projects p WHERE p.project_name = $1::text)"};

#define TIERCACHE_POSTGRES_SCAN(condition)                                                        \
  "WITH page AS (SELECT q.id, q.updated_at, row_number() OVER w AS place, "                       \
  "sum(q.data_size) OVER w - q.data_size AS before FROM ("                                        \
  "SELECT c.id, c.updated_at, c.data_size FROM tiercache.cache_storage c "                        \
  "WHERE c.project_id = (SELECT p.id FROM tiercache.projects p WHERE p.project_name = $1::text) " \
  "AND NOT c.deleted AND " condition                                                              \
  " AND (c.updated_at, c.id) < (coalesce(timestamptz 'epoch' + nullif($3::text, '')::bigint "     \
  "* interval '1 microsecond', 'infinity'), $4::bigint) "                                         \
  "ORDER BY c.updated_at DESC, c.id DESC LIMIT $5::bigint + 1) q "                                \
  "WINDOW w AS (ORDER BY q.updated_at DESC, q.id DESC)), "                                        \
  "taken AS (SELECT * FROM page WHERE place <= $5::bigint "                                       \
  "AND before < " TIERCACHE_POSTGRES_PAGE_BYTES                                                   \
  ") "                                                                                            \
  "SELECT (extract(epoch FROM t.updated_at) * 1000000)::bigint, c.id, " TIERCACHE_POSTGRES_NOW    \
  ", " TIERCACHE_POSTGRES_ENTRY                                                                   \
  ", (SELECT count(*) FROM page) > (SELECT count(*) FROM taken) "                                 \
  "FROM taken t JOIN tiercache.cache_storage c ON c.id = t.id "                                   \
  "ORDER BY t.updated_at DESC, t.id DESC"

constexpr Statement kScan = {"tiercache_scan",
                             TIERCACHE_POSTGRES_SCAN("c.cache_type = $2::text COLLATE \"C\"")};
constexpr Statement kScanAll = {"tiercache_scan_all",
                                TIERCACHE_POSTGRES_SCAN("$2::text IS NOT NULL")};

// $6 and $7 are texts, and absent where they are empty: a bound below which no key is, and a key
// with a mark before it.
constexpr int kNextAfter = 1;
constexpr Statement kErase = {
    "tiercache_erase",
    "SELECT e.erased, e.next_after, e.now_ms FROM tiercache.erase_matching_piece($1::text, "
    "$2::integer, $3::text, $4::bytea, $5::text, nullif($6::text, ''), "
    "substr(nullif($7::text, ''), 2), $8::bigint, $9::bigint, $10::bigint) e"};

void load_rows(Session& session, const std::string& project, const std::vector<EntryId>& ids,
               LoadReply& reply) {
  reply.entries.resize(ids.size());
  reply.corrupt.resize(ids.size());
  reply.corrupt_text.resize(ids.size());
  std::vector<std::size_t> places;
  Array types, keys;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    // No row can have such a name.
    if (has_nul(ids[i].dataset) || has_nul(ids[i].key)) continue;
    places.push_back(i);
    types.add(ids[i].dataset);
    keys.add(ids[i].key);
  }
  if (places.empty()) return;
  const pqxx::result rows =
      session.run(kLoad, {project, std::move(types).take(), std::move(keys).take()});
  for (int row = 0; row < static_cast<int>(rows.size()); ++row) {
    if (shim::is_null(rows, row, kVersion)) continue;
    const std::size_t i = places.at(static_cast<std::size_t>(integer(rows, row, kPlace)) - 1);
    reply.entries[i] = read_entry(rows, row);
    reply.corrupt[i] = !reply.entries[i];
    if (!reply.entries[i]) reply.corrupt_text[i] = read_text(rows, row);
  }
  reply.store_time = read_now(rows);
}

// Written as microseconds/number; anything else is the start.
std::pair<std::string, std::string> parse_scan_cursor(const std::string& cursor) {
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  const std::pair<std::string, std::string> start{
      "", std::to_string(std::numeric_limits<std::int64_t>::max())};
  std::int64_t updated = 0;
  std::int64_t number = 0;
  const char* const end = cursor.data() + cursor.size();
  const auto first = std::from_chars(cursor.data(), end, updated);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '/') return start;
  const auto second = std::from_chars(first.ptr + 1, end, number);
  if (second.ec != std::errc() || second.ptr != end) return start;
  if (updated > kExact || updated < -kExact) return start;
  return {std::to_string(updated), std::to_string(number)};
}

void scan_rows(Session& session, const std::string& project, const std::string& dataset,
               const std::string& cursor, std::size_t limit, ScanReply& reply) {
  limit = std::clamp<std::size_t>(limit, 1, 1'000'000);
  const auto [updated, number] = parse_scan_cursor(cursor);
  const pqxx::result rows = session.run(dataset.empty() ? kScanAll : kScan,
                                        {project, dataset, updated, number, std::to_string(limit)});
  for (int row = 0; row < static_cast<int>(rows.size()); ++row) {
    if (EntryPtr entry = read_entry(rows, row)) {
      reply.entries.push_back({read_id(rows, row), std::move(entry)});
    }
  }
  reply.store_time = read_now(rows);
  if (rows.empty()) {
    reply.store_time = std::nullopt;
    return;
  }
  const int last = static_cast<int>(rows.size()) - 1;
  if (shim::text(rows, last, kMore) != "t") return;
  reply.next = std::string(shim::text(rows, last, kPlace)) + '/' +
               std::string(shim::text(rows, last, kOutcome));
}

void erase_rows(Session& session, const std::string& project, const MatchingErase& erase,
                EraseMatchingReply& reply) {
  if (erase.version.time > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    throw Failure(Failure::Kind::not_serving, false,
                  "the version is beyond what the store can hold");
  }
  const KeyRange range = keys_matched(erase.glob);
  const std::size_t limit = std::clamp<std::size_t>(erase.limit, 1, 1'000'000);
  const pqxx::result rows = session.run(
      kErase, {project, session.lock_timeout(), erase.dataset, like_pattern(erase.glob), range.from,
               range.below, erase.after ? '>' + *erase.after : "", std::to_string(limit),
               std::to_string(erase.version.time), std::to_string(erase.version.writer)});
  reply.erased = static_cast<std::uint64_t>(integer(rows, 0, 0));
  if (!shim::is_null(rows, 0, kNextAfter)) reply.next = shim::text(rows, 0, kNextAfter);
  reply.store_time = read_now(rows);
}

// Whether a call changes rows: then one that broke off may have done so.
enum class Effect { reads, writes };

// What the workers' threads use; they may outlive the store by the time that a resolver hangs.
class Server {
 public:
  explicit Server(Options options) : options_(std::move(options)), pool_(options_) {}

  const Options& options() const { return options_; }
  const ServerAddress& address() const { return pool_.server(); }
  std::string description() const { return "postgres " + pool_.server().description(); }

  // On a worker's thread. A read that meets a connection which died while idle has another try.
  template <class Work>
  void perform(Call& call, SteadyTime deadline, Effect effect, Work& work) {
    for (bool again = true;;) {
      ConnectionPool::Lease lease = pool_.acquire();
      try {
        use(lease, call, deadline, work);
        return;
      } catch (const Failure& failure) {
        if (!failure.ends_connection()) throw;
        pool_.forget_idle();
        again = again && lease.reused() && effect == Effect::reads &&
                failure.kind() == Failure::Kind::in_doubt;
        if (!again) throw;
        again = false;
      }
    }
  }

 private:
  template <class Work>
  void use(ConnectionPool::Lease& lease, Call& call, SteadyTime deadline, Work& work) {
    call.begin(lease->socket());
    try {
      if (!lease->has_schema()) use_schema(*lease, options_.apply_migrations);
      Session session(*lease, call, *options_.clock, deadline);
      work(session);
    } catch (const Failure& failure) {
      if (!call.end() || failure.ends_connection()) lease.broke();
      throw;
    } catch (...) {
      call.end();
      lease.broke();
      throw;
    }
    if (!call.end()) lease.broke();
  }

  const Options options_;
  ConnectionPool pool_;
};

template <class Reply>
Reply failed(StoreStatus status, const std::string& message) {
  Reply reply;
  reply.status = status;
  reply.message = message;
  return reply;
}

template <class Reply, class Work>
Reply answer(Server& server, Call& call, SteadyTime deadline, Effect effect, Work& work) {
  const StoreStatus doubtful =
      effect == Effect::writes ? StoreStatus::unknown : StoreStatus::unavailable;
  try {
    Reply reply;
    auto filling = [&](Session& session) {
      reply = Reply{};
      work(session, reply);
    };
    server.perform(call, deadline, effect, filling);
    return reply;
  } catch (const Failure& failure) {
    const bool in_doubt = failure.kind() == Failure::Kind::in_doubt;
    return failed<Reply>(in_doubt ? doubtful : StoreStatus::unavailable, failure.what());
  } catch (const std::exception& error) {
    return failed<Reply>(doubtful,
                         server.description() + ": " + server.address().redacted(error.what()));
  }
}

// The same instant by the machine's clock, by which threads wait.
SteadyTime by_machine(SteadyTime deadline, SteadyTime now) {
  constexpr std::chrono::nanoseconds kLongest = std::chrono::hours(24 * 365);
  if (deadline == kNever) return kNever;
  return system_clock()->steady_now() + std::min(deadline - now, kLongest);
}

constexpr Statement kNotify = {"tiercache_notify", "SELECT pg_notify($1::text, $2::text)"};
constexpr std::chrono::seconds kNotifyTimeout{5};

// Whether the feed may have something to tell. An invalidation moves the row whoever's content
// stands; a save whose outcome is unknown is repeated by the outbox, and then found done, so it is
// told now.
bool may_have_changed(const SaveReply& reply, std::span<const StoreWrite> writes) {
  if (reply.status != StoreStatus::ok) return reply.status == StoreStatus::unknown;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (reply.results[i].outcome == SaveOutcome::refused) continue;
    if (writes[i].entry.clocks.invalidated_at) return true;
    const bool is_content = writes[i].kind == StoreWrite::Kind::content;
    if (is_content && reply.results[i].outcome == SaveOutcome::saved) return true;
  }
  return false;
}

class PostgresStore final : public Store, public std::enable_shared_from_this<PostgresStore> {
 public:
  explicit PostgresStore(Options options)
      : server_(std::make_shared<Server>(std::move(options))),
        workers_(server_->options().connections) {}

  std::string describe() const override { return server_->description(); }
  StoreLimits limits() const override {
    return {.max_document_bytes = server_->options().max_document_bytes,
            .max_key_bytes = kMostKeyBytes,
            .refuses_nul_escape = true,
            .refuses_unbounded_numbers = true,
            .writes_numbers_out = true};
  }

  LoadReply load(const std::string& project, std::span<const EntryId> ids,
                 SteadyTime deadline) override {
    return serve<LoadReply>(
        project, deadline, Effect::reads,
        [project, ids = std::vector(ids.begin(), ids.end())](Session& session, LoadReply& reply) {
          load_rows(session, project, ids, reply);
        });
  }

  SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                 SteadyTime deadline) override {
    SaveReply reply = serve<SaveReply>(
        project, deadline, Effect::writes,
        [project, server = server_, all = std::vector(writes.begin(), writes.end())](
            Session& session, SaveReply& out) {
          save_batch(session, server->options(), project, all, out);
        });
    if (may_have_changed(reply, writes)) tell_listeners(project);
    return reply;
  }

  ScanReply scan(const std::string& project, const std::string& dataset, const std::string& cursor,
                 std::size_t limit, SteadyTime deadline) override {
    return serve<ScanReply>(project, deadline, Effect::reads,
                            [=](Session& session, ScanReply& reply) {
                              scan_rows(session, project, dataset, cursor, limit, reply);
                            });
  }

  EraseMatchingReply erase_matching(const std::string& project, const MatchingErase& erase,
                                    SteadyTime deadline) override {
    auto reply = serve<EraseMatchingReply>(project, deadline, Effect::writes,
                                           [=](Session& session, EraseMatchingReply& out) {
                                             erase_rows(session, project, erase, out);
                                           });
    if (reply.status != StoreStatus::unavailable) tell_listeners(project);
    return reply;
  }

  bool has_changes() const override { return true; }
  ChangesReply changes(const std::string& project, const std::string& cursor, std::size_t limit,
                       SteadyTime deadline) override {
    ChangesReply reply = serve<ChangesReply>(project, deadline, Effect::reads,
                                             [=](Session& session, ChangesReply& out) {
                                               read_changes(session, project, cursor, limit, out);
                                             });
    if (reply.status == StoreStatus::ok) purge_when_due();
    return reply;
  }

  bool has_purge() const override { return true; }
  PurgeReply purge(const std::string& project, const PurgeRequest& request,
                   SteadyTime deadline) override {
    return serve<PurgeReply>(
        project, deadline, Effect::writes,
        [=](Session& session, PurgeReply& reply) { purge_rows(session, project, request, reply); });
  }

  std::shared_ptr<ChangeWatch> watch_changes(const std::string& project,
                                             std::function<void()> hint) override;

 private:
  // Runs the work on a thread of the adapter and turns whatever ends it into the reply's status.
  // The work owns what it needs: the caller may be gone.
  template <class Reply, class Work>
  Reply serve(const std::string& project, SteadyTime deadline, Effect effect, Work work);

  void purge_when_due();
  // Nobody waits for it: a commit that notifies holds a lock which all such commits of all
  // databases share, while it is synced. One that does nothing else is not.
  void tell_listeners(const std::string& project);
  std::optional<std::string> notify(const std::string& channel, const std::string& payload,
                                    SteadyTime deadline);

  const std::shared_ptr<Server> server_;
  std::atomic<SteadyTime::rep> next_purge_{0};
  const std::shared_ptr<NotifyPace> pace_ = std::make_shared<NotifyPace>();
  Workers workers_;
};

template <class Reply, class Work>
Reply PostgresStore::serve(const std::string& project, SteadyTime deadline, Effect effect,
                           Work work) {
  const SteadyTime now = server_->options().clock->steady_now();
  if (now >= deadline) {
    return failed<Reply>(StoreStatus::unavailable,
                         describe() + ": the deadline passed before the server was asked");
  }
  if (has_nul(project)) {
    return failed<Reply>(StoreStatus::unavailable, "the project's name holds a NUL byte");
  }
  struct Job {
    Call call;
    Reply reply;
  };
  const auto job = std::make_shared<Job>();
  const std::shared_ptr<Call> call(job, &job->call);
  const Call::Left left = workers_.run(
      call,
      [server = server_, job, deadline, effect, work = std::move(work)]() mutable {
        Reply reply = answer<Reply>(*server, job->call, deadline, effect, work);
        job->reply = std::move(reply);
        job->call.finish();
      },
      by_machine(deadline, now));
  if (left == Call::Left::finished) return std::move(job->reply);
  const bool in_doubt = left == Call::Left::in_doubt && effect == Effect::writes;
  return failed<Reply>(in_doubt ? StoreStatus::unknown : StoreStatus::unavailable,
                       describe() + ": no answer by the deadline");
}

// One caller an hour starts it; nobody waits for it.
void PostgresStore::purge_when_due() {
  const std::chrono::hours keep = server_->options().keep_changes;
  const SteadyTime now = server_->options().clock->steady_now();
  SteadyTime::rep due = next_purge_.load();
  if (keep.count() == 0 || now.time_since_epoch().count() < due) return;
  const SteadyTime next = now + kPurgeEvery;
  if (!next_purge_.compare_exchange_strong(due, next.time_since_epoch().count())) return;
  const auto call = std::make_shared<Call>();
  workers_.run_later(
      system_clock()->steady_now(), call,
      [server = server_, call, keep, deadline = now + kPurgeTimeout] {
        auto work = [keep](Session& session, StoreReply&) { purge_changes(session, keep); };
        answer<StoreReply>(*server, *call, deadline, Effect::writes, work);
        call->finish();
      },
      by_machine(now + kPurgeTimeout, now));
}

void PostgresStore::tell_listeners(const std::string& project) {
  if (server_->options().hint_check_every.count() == 0) return;
  const std::string channel = channel_of(project);
  const auto when = pace_->changed(channel, system_clock()->steady_now());
  if (!when) return;
  const auto call = std::make_shared<Call>();
  const SteadyTime deadline = server_->options().clock->steady_now() + kNotifyTimeout;
  workers_.run_later(
      *when, call,
      [server = server_, pace = pace_, call, channel, deadline] {
        pace->sending(channel, system_clock()->steady_now());
        auto work = [&](Session& session, StoreReply&) { session.run(kNotify, {channel, ""}); };
        answer<StoreReply>(*server, *call, deadline, Effect::reads, work);
        call->finish();
      },
      *when + kNotifyTimeout);
}

std::optional<std::string> PostgresStore::notify(const std::string& channel,
                                                 const std::string& payload, SteadyTime deadline) {
  const auto reply =
      serve<StoreReply>("", deadline, Effect::reads, [=](Session& session, StoreReply&) {
        session.run(kNotify, {channel, payload});
      });
  if (reply.status == StoreStatus::ok) return std::nullopt;
  return reply.message;
}

std::shared_ptr<ChangeWatch> PostgresStore::watch_changes(const std::string& project,
                                                          std::function<void()> hint) {
  const Options& options = server_->options();
  if (options.hint_check_every.count() == 0) return nullptr;
  // By the machine's clock, as the listener waits.
  Notify notify = [weak = weak_from_this()](const std::string& channel, const std::string& payload,
                                            SteadyTime deadline) -> std::optional<std::string> {
    const auto store = weak.lock();
    if (!store) return "the store is closed";
    const auto left = deadline - system_clock()->steady_now();
    return store->notify(channel, payload, store->server_->options().clock->steady_now() + left);
  };
  return std::make_shared<Listener>(server_->address(), project, options.connect_timeout,
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
