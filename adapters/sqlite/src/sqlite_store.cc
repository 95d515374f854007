// SQLite as the store. One connection writes and some others read. Each call is one transaction on
// one connection; reads see a snapshot that writes do not disturb (WAL). A row is verified when it
// is read, and a corrupt one is set aside when something takes its place.
#include <algorithm>
#include <charconv>
#include <limits>
#include <type_traits>
#include <utility>

#include "connection_pool.h"
#include "rows.h"
#include "schema.h"
#include "tiercache/error.h"
#include "tiercache/file_system.h"
#include "tiercache/sqlite.h"
#include "tiercache/store_rules.h"

namespace tiercache::sqlite {

namespace {

// SQLite itself limits a row to 1e9 bytes.
constexpr std::size_t kLargestDocument = std::size_t{512} << 20;
// A page of a scan ends early once its documents are this large together.
constexpr std::size_t kScanPageBytes = std::size_t{32} << 20;
// The version of a corrupt row is not believed if it lies further ahead than any writer stamps.
constexpr std::chrono::minutes kMaxAhead{10};

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(Options options)
      : options_(std::move(options)), writer_(options_, 1), readers_(options_, options_.readers) {}

  std::string describe() const override { return "sqlite " + options_.path; }
  StoreLimits limits() const override {
    return {.max_document_bytes = options_.max_document_bytes};
  }

  LoadReply load(const std::string& project, std::span<const EntryId> ids,
                 SteadyTime deadline) override {
    return serve<LoadReply>(readers_, deadline, [&](Connection& connection, LoadReply& reply) {
      load_rows(connection, project, ids, reply);
    });
  }

  SaveReply save(const std::string& project, std::span<const StoreWrite> writes,
                 SteadyTime deadline) override {
    return serve<SaveReply>(writer_, deadline, [&](Connection& connection, SaveReply& reply) {
      save_rows(connection, project, writes, reply);
    });
  }

  ScanReply scan(const std::string& project, const std::string& dataset, const std::string& cursor,
                 std::size_t limit, SteadyTime deadline) override {
    return serve<ScanReply>(readers_, deadline, [&](Connection& connection, ScanReply& reply) {
      scan_rows(connection, project, dataset, cursor, limit, reply);
    });
  }

  EraseMatchingReply erase_matching(const std::string& project, const MatchingErase& erase,
                                    SteadyTime deadline) override {
    return serve<EraseMatchingReply>(writer_, deadline,
                                     [&](Connection& connection, EraseMatchingReply& reply) {
                                       erase_rows(connection, project, erase, reply);
                                     });
  }

  bool has_changes() const override { return true; }
  ChangesReply changes(const std::string& project, const std::string& cursor, std::size_t limit,
                       SteadyTime deadline) override {
    return serve<ChangesReply>(readers_, deadline,
                               [&](Connection& connection, ChangesReply& reply) {
                                 read_changes(connection, project, cursor, limit, reply);
                               });
  }

  bool has_purge() const override { return true; }
  PurgeReply purge(const std::string& project, const PurgeRequest& request,
                   SteadyTime deadline) override {
    return serve<PurgeReply>(writer_, deadline, [&](Connection& connection, PurgeReply& reply) {
      purge_rows(connection, project, request, reply);
    });
  }

 private:
  // Runs `work` on a connection, and turns whatever ends it into the status of the reply.
  template <class Reply, class Work>
  Reply serve(ConnectionPool& pool, SteadyTime deadline, Work work);

  void load_rows(Connection& connection, const std::string& project, std::span<const EntryId> ids,
                 LoadReply& reply);
  void save_rows(Connection& connection, const std::string& project,
                 std::span<const StoreWrite> writes, SaveReply& reply);
  SaveResult save_row(Connection& connection, std::int64_t project, RowWriter& writer,
                      const StoreWrite& write, const Version& horizon);
  SaveResult save_over_corrupt(RowWriter& writer, const StoredRow& row, const StoreWrite& write);
  std::string refusal(const StoreWrite& write) const;
  std::int64_t now_ms() const { return options_.clock->wall_now().time_since_epoch().count(); }
  void scan_rows(Connection& connection, const std::string& project, const std::string& dataset,
                 const std::string& cursor, std::size_t limit, ScanReply& reply);
  void erase_rows(Connection& connection, const std::string& project, const MatchingErase& erase,
                  EraseMatchingReply& reply);
  void read_changes(Connection& connection, const std::string& project, const std::string& cursor,
                    std::size_t limit, ChangesReply& reply);
  void purge_rows(Connection& connection, const std::string& project, const PurgeRequest& request,
                  PurgeReply& reply);

  const Options options_;
  ConnectionPool writer_;
  ConnectionPool readers_;
};

template <class Reply>
Reply failed(StoreStatus status, const std::string& message) {
  Reply reply;
  reply.status = status;
  reply.message = message;
  return reply;
}

// True for a lock, a deadline or a full disk, which say nothing against the connection. After any
// other error a new one is opened.
bool leaves_connection_good(const SqlError& error) {
  const int code = error.primary_code();
  return code == SQLITE_BUSY || code == SQLITE_INTERRUPT || code == SQLITE_FULL;
}

template <class Reply, class Work>
Reply run_on(ConnectionPool::Lease& lease, Work& work) {
  Reply reply;
  try {
    work(*lease, reply);
  } catch (const SqlError& error) {
    if (!leaves_connection_good(error)) lease.broke();
    throw;
  } catch (...) {
    lease.broke();
    throw;
  }
  return reply;
}

template <class Reply, class Work>
Reply SqliteStore::serve(ConnectionPool& pool, SteadyTime deadline, Work work) {
  try {
    ConnectionPool::Lease lease = pool.acquire(deadline);
    Reply reply = run_on<Reply>(lease, work);
    reply.store_time = options_.clock->wall_now();
    // Loads are kept as fast as possible; the other calls tell the incarnation often enough.
    if constexpr (!std::is_same_v<Reply, LoadReply>) reply.incarnation = incarnation(*lease);
    return reply;
  } catch (const CommitInDoubt& doubt) {
    return failed<Reply>(StoreStatus::unknown, doubt.what());
  } catch (const std::exception& error) {
    return failed<Reply>(StoreStatus::unavailable, error.what());
  }
}

void SqliteStore::load_rows(Connection& connection, const std::string& project,
                            std::span<const EntryId> ids, LoadReply& reply) {
  Transaction snapshot(connection, Transaction::Kind::read);
  reply.entries.resize(ids.size());
  reply.corrupt.resize(ids.size());
  reply.corrupt_text.resize(ids.size());
  const auto number = find_project(connection, project);
  if (!number) return;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    connection.check_deadline();
    try {
      const auto row = find_row(connection, *number, ids[i]);
      if (!row) continue;
      reply.entries[i] = row->entry;
      reply.corrupt[i] = row->is_corrupt();
      reply.corrupt_text[i] = row->corrupt_text;
    } catch (const SqlError& error) {
      // A page is damaged; the entries on other pages are as good as ever.
      if (error.primary_code() != SQLITE_CORRUPT) throw;
      reply.corrupt[i] = true;
    }
  }
}

void SqliteStore::save_rows(Connection& connection, const std::string& project,
                            std::span<const StoreWrite> writes, SaveReply& reply) {
  if (writes.empty()) return;
  Transaction transaction(connection, Transaction::Kind::write);
  const std::int64_t number = find_or_add_project(connection, project);
  RowWriter writer(connection, number);
  const Version horizon = find_purged(connection, number).horizon;
  for (const StoreWrite& write : writes) {
    connection.check_deadline();
    std::string why = refusal(write);
    reply.results.push_back(why.empty()
                                ? save_row(connection, number, writer, write, horizon)
                                : SaveResult{SaveOutcome::refused, nullptr, std::move(why)});
  }
  writer.finish();
  transaction.commit();
}

std::string SqliteStore::refusal(const StoreWrite& write) const {
  const auto& document = write.entry.document;
  if (document && document->size() > options_.max_document_bytes) {
    return "the document has " + std::to_string(document->size()) +
           " bytes, more than the store's max_document_bytes of " +
           std::to_string(options_.max_document_bytes);
  }
  if (write.entry.version.time > std::numeric_limits<std::int64_t>::max()) {
    return "the version is beyond what the store can hold";
  }
  return {};
}

SaveResult SqliteStore::save_row(Connection& connection, std::int64_t project, RowWriter& writer,
                                 const StoreWrite& write, const Version& horizon) {
  const auto row = find_row(connection, project, write.id);
  if (row && row->is_corrupt()) return save_over_corrupt(writer, *row, write);
  if (std::string why = refused_as_purged(row ? row->entry.get() : nullptr, write, horizon);
      !why.empty()) {
    return {SaveOutcome::refused, nullptr, std::move(why)};
  }
  AppliedWrite applied = apply_write(row ? row->entry.get() : nullptr, write);
  if (applied.row) writer.put(write.id, *applied.row);
  if (applied.outcome != SaveOutcome::superseded) return {applied.outcome, nullptr, {}};
  if (applied.row) return {applied.outcome, std::make_shared<const Entry>(*applied.row), {}};
  return {applied.outcome, row ? row->entry : nullptr, {}};
}

// Content that is not older than the row heals it. Older content must not come back in its place
// (I3, I4).
SaveResult SqliteStore::save_over_corrupt(RowWriter& writer, const StoredRow& row,
                                          const StoreWrite& write) {
  const bool believed =
      row.claimed_version.stamped_at() <= std::chrono::milliseconds(now_ms()) + kMaxAhead;
  const bool older = write.entry.version < row.claimed_version;
  if (write.kind == StoreWrite::Kind::clocks || (believed && older)) {
    return {SaveOutcome::superseded, nullptr, {}};
  }
  writer.keep_aside(row, now_ms());
  writer.put(write.id, write.entry);
  return {SaveOutcome::saved, nullptr, {}};
}

// Returns -1 if the text is not a number.
std::int64_t parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return -1;
  return number;
}

std::int64_t parse_scan_cursor(const std::string& cursor) {
  const std::int64_t before = parse_number(cursor);
  return before < 0 ? std::numeric_limits<std::int64_t>::max() : before;
}

void SqliteStore::scan_rows(Connection& connection, const std::string& project,
                            const std::string& dataset, const std::string& cursor,
                            std::size_t limit, ScanReply& reply) {
  Transaction snapshot(connection, Transaction::Kind::read);
  const auto number = find_project(connection, project);
  if (!number) return;
  limit = std::clamp<std::size_t>(limit, 1, 1'000'000);
  RowScan rows(connection, *number, dataset, parse_scan_cursor(cursor),
               std::numeric_limits<std::int64_t>::max());
  std::int64_t last = 0;
  std::size_t bytes = 0;
  while (auto row = rows.next()) {
    if (reply.entries.size() == limit || bytes > kScanPageBytes) {
      reply.next = std::to_string(last);
      return;
    }
    last = row->updated;
    if (row->is_corrupt()) continue;
    bytes += row->entry->document->size();
    reply.entries.push_back({std::move(row->id), std::move(row->entry)});
  }
}

void SqliteStore::erase_rows(Connection& connection, const std::string& project,
                             const MatchingErase& erase, EraseMatchingReply& reply) {
  if (erase.version.time > std::numeric_limits<std::int64_t>::max()) {
    throw SqlError(SQLITE_RANGE, "the version is beyond what the store can hold");
  }
  Transaction transaction(connection, Transaction::Kind::write);
  const auto number = find_project(connection, project);
  if (!number) return;
  RowWriter writer(connection, *number);
  std::optional<std::string> next;
  for (const MatchingRow& match : find_matching(connection, *number, erase, &next)) {
    connection.check_deadline();
    const auto row = find_row(connection, *number, match.id);
    if (!row) continue;
    if (row->is_corrupt()) writer.keep_aside(*row, now_ms());
    const Entry before = row->is_corrupt() ? Entry{} : *row->entry;
    if (before.kind == EntryKind::document) ++reply.erased;
    writer.put(match.id, tombstone_of(before, erase.version));
  }
  writer.finish();
  transaction.commit();
  reply.next = std::move(next);
}

// A cursor consists of the file's incarnation and the number of the last update that was returned.
void SqliteStore::read_changes(Connection& connection, const std::string& project,
                               const std::string& cursor, std::size_t limit, ChangesReply& reply) {
  Transaction snapshot(connection, Transaction::Kind::read);
  const std::string prefix = incarnation(connection) + '-';
  const auto number = find_project(connection, project);
  const std::int64_t last = number ? last_update(connection, *number) : 0;
  reply.next = prefix + std::to_string(last);
  if (cursor.empty()) return;
  const std::int64_t after =
      cursor.starts_with(prefix) ? parse_number(cursor.substr(prefix.size())) : -1;
  reply.gap =
      after < 0 || after > last || (number && after < find_purged(connection, *number).updated);
  if (reply.gap || after == last) return;
  limit = std::clamp<std::size_t>(limit, 1, 1'000'000);
  for (ChangedRow& row :
       find_changed(connection, *number, after, static_cast<std::int64_t>(limit))) {
    reply.changes.push_back(std::move(row.change));
    reply.next = prefix + std::to_string(row.updated);
  }
  reply.more = reply.changes.size() == limit;
  if (!reply.more) reply.next = prefix + std::to_string(last);
}

void SqliteStore::purge_rows(Connection& connection, const std::string& project,
                             const PurgeRequest& request, PurgeReply& reply) {
  Transaction transaction(connection, Transaction::Kind::write);
  const auto number = find_project(connection, project);
  if (!number) return;
  Purged purged = find_purged(connection, *number);
  reply.horizon = purged.horizon;
  auto left = static_cast<std::int64_t>(std::min<std::size_t>(request.limit, 1'000'000));
  RowWriter writer(connection, *number);
  for (const PurgeRequest::Expiry& one : request.expired) {
    for (const OldRow& old :
         find_expired(connection, *number, one.dataset, one.fetched_before, left)) {
      connection.check_deadline();
      const auto row = find_row(connection, *number, old.id);
      if (row->is_corrupt()) writer.keep_aside(*row, now_ms());
      const Entry before = row->is_corrupt() ? Entry{} : *row->entry;
      writer.put(old.id, tombstone_of(before, expired_version(old.version)));
      ++reply.documents;
      --left;
    }
  }
  for (const OldRow& old :
       find_old_tombstones(connection, *number, request.tombstones_below, left)) {
    connection.check_deadline();
    delete_row(connection, old.entry_id);
    purged.horizon = std::max(purged.horizon, old.version);
    purged.updated = std::max(purged.updated, old.updated);
    ++reply.tombstones;
    --left;
  }
  reply.more = left == 0 && request.limit > 0;
  reply.horizon = purged.horizon;
  if (reply.tombstones > 0) set_purged(connection, *number, purged);
  writer.finish();
  transaction.commit();
}

void check(const Options& options) {
  std::string faults;
  const auto fault = [&faults](const std::string& text) {
    faults += faults.empty() ? text : "\n" + text;
  };
  if (options.path.empty()) fault("sqlite.path: empty, a file's path is needed");
  if (options.path.find('\0') != std::string::npos) fault("sqlite.path: holds a NUL byte");
  if (options.path == ":memory:" || options.path.starts_with("file:")) {
    fault("sqlite.path: \"" + options.path + "\", a plain path is needed");
  }
  if (options.path.ends_with('/')) fault("sqlite.path: \"" + options.path + "\" is a directory");
  if (options.readers < 1 || options.readers > 64) {
    fault("sqlite.readers: " + std::to_string(options.readers) + ", allowed are 1 to 64");
  }
  if (options.max_document_bytes < 1 || options.max_document_bytes > kLargestDocument) {
    fault("sqlite.max_document_bytes: " + std::to_string(options.max_document_bytes) +
          ", allowed are 1 to " + std::to_string(kLargestDocument));
  }
  if (!options.clock) fault("sqlite.clock: null");
  if (!faults.empty()) throw BadConfiguration(faults);
}

}  // namespace

// The path is made absolute now, because connections are opened later, when the process may have
// another working directory.
std::shared_ptr<Store> open(Options options) {
  check(options);
  const IoStatus status = posix_file_system()->absolute(options.path, &options.path);
  if (!status.ok()) throw BadConfiguration("sqlite.path: " + status.what);
  return std::make_shared<SqliteStore>(std::move(options));
}

std::shared_ptr<Store> open(std::string_view path) {
  return open(Options{.path = std::string(path)});
}

}  // namespace tiercache::sqlite
