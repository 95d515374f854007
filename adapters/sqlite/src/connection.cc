#include "connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "database_file.h"
#include "schema.h"

namespace tiercache::sqlite {

namespace {

// How many steps of SQLite's virtual machine pass between two looks at the clock, which takes some
// 10 µs.
constexpr int kStepsBetweenLooks = 1'000;
// A log that has grown larger is cut to this size when it starts anew.
constexpr const char* kLogSizeLimit = "PRAGMA journal_size_limit = 67108864";

std::chrono::milliseconds busy_pause(int attempt) {
  return std::chrono::milliseconds(std::clamp(attempt, 1, 10));
}

}  // namespace

Connection::Connection(const Options& options, SteadyTime deadline)
    : clock_(options.clock), path_(options.path), deadline_(deadline) {
  try {
    prepare_file(options);
    const int code = sqlite3_open_v2(
        path_.c_str(), &handle_,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    if (code != SQLITE_OK) fail(code);
    configure(options);
    prepare_schema(*this);
    secure_log_files(path_);
  } catch (...) {
    close();
    throw;
  }
}

Connection::~Connection() {
  close();
}

void Connection::close() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

void Connection::configure(const Options& options) {
  sqlite3_busy_handler(handle_, &Connection::on_busy, this);
  sqlite3_progress_handler(handle_, kStepsBetweenLooks, &Connection::on_progress, this);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  execute("PRAGMA trusted_schema = OFF");
  execute("PRAGMA cell_size_check = ON");
  refuse_foreign_file(*this);
  switch_to_wal();
  execute(options.synchronous == Synchronous::full ? "PRAGMA synchronous = FULL"
                                                   : "PRAGMA synchronous = NORMAL");
  execute(kLogSizeLimit);
  if (options.max_bytes > 0) limit_pages(*this, options.max_bytes);
}

// SQLite does not wait here by itself if two connections open a new file at once, so this tries
// again until the deadline.
void Connection::switch_to_wal() {
  for (int attempt = 1;; ++attempt) {
    try {
      Query wal(*this, "PRAGMA journal_mode = WAL");
      if (wal.step() && wal.text(0) == "wal") return;
      throw SqlError(SQLITE_CANTOPEN, path_ + ": the file system does not support SQLite's WAL");
    } catch (const SqlError& error) {
      if (error.primary_code() != SQLITE_BUSY || on_busy(this, attempt) == 0) throw;
    }
  }
}

void Connection::check_deadline() const {
  if (clock_->steady_now() >= deadline_) {
    throw SqlError(SQLITE_INTERRUPT, path_ + ": the deadline passed");
  }
}

int Connection::on_busy(void* self, int attempt) {
  const auto* connection = static_cast<const Connection*>(self);
  const SteadyTime now = connection->clock_->steady_now();
  if (now >= connection->deadline_) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(connection->deadline_ - now);
  sqlite3_sleep(static_cast<int>(std::min(left, busy_pause(attempt)).count()));
  return 1;
}

int Connection::on_progress(void* self) {
  const auto* connection = static_cast<const Connection*>(self);
  return connection->clock_->steady_now() >= connection->deadline_ ? 1 : 0;
}

bool Connection::lost_its_file() {
  int moved = 0;
  const int code = sqlite3_file_control(handle_, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code != SQLITE_OK || moved != 0;
}

void Connection::execute(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

// A rollback needs no lock and must not be cut short. If it fails, the connection is still in a
// transaction, and whoever would use it next throws it away.
void Connection::roll_back() {
  const SteadyTime deadline = std::exchange(deadline_, kNever);
  sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  deadline_ = deadline;
}

sqlite3_stmt* Connection::prepared(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (!statement) {
    const int code =
        sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) fail(code);
  }
  return statement;
}

void Connection::fail(int code) const {
  std::string what = path_ + ": ";
  switch (code & 0xff) {
    case SQLITE_BUSY:
      what += "locked by another process until the deadline";
      break;
    case SQLITE_INTERRUPT:
      what += "the deadline passed";
      break;
    case SQLITE_NOTADB:
      what += "not an SQLite database; name another file or move this one away";
      break;
    case SQLITE_CORRUPT:
      what += "the database is damaged (" + std::string(sqlite3_errstr(code)) +
              "); move it away or repair it with sqlite3's .recover";
      break;
    case SQLITE_FULL:
      what += "the disk, or the store's max_bytes, is full";
      break;
    default:
      what += sqlite3_errstr(code);
      what += " (SQLite code " + std::to_string(code) + ")";
  }
  throw SqlError(code, what);
}

Query::~Query() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Query::check(int code) const {
  if (code != SQLITE_OK) connection_.fail(code);
}

Query& Query::bind(int parameter, std::int64_t value) {
  check(sqlite3_bind_int64(statement_, parameter, value));
  return *this;
}

Query& Query::bind(int parameter, std::string_view text) {
  const char* bytes = text.data() ? text.data() : "";
  check(sqlite3_bind_text64(statement_, parameter, bytes, text.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Query& Query::bind(int parameter, const std::optional<std::int64_t>& value) {
  return value ? bind(parameter, *value) : bind_null(parameter);
}

Query& Query::bind_null(int parameter) {
  check(sqlite3_bind_null(statement_, parameter));
  return *this;
}

bool Query::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) connection_.fail(code);
  return false;
}

void Query::run() {
  while (step()) {
  }
}

bool Query::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::optional<std::int64_t> Query::optional_integer(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

std::string_view Query::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return {bytes ? bytes : "", static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Transaction::Transaction(Connection& connection, Kind kind) : connection_(connection) {
  Query(connection_, kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN").run();
}

Transaction::~Transaction() {
  // After some errors SQLite has already rolled back by itself.
  if (connection_.in_transaction()) connection_.roll_back();
}

void Transaction::commit() {
  try {
    Query(connection_, "COMMIT").run();
  } catch (const SqlError& error) {
    // A commit that was busy or interrupted has written nothing; any other one may have reached the
    // disk.
    if (error.primary_code() == SQLITE_BUSY || error.primary_code() == SQLITE_INTERRUPT) throw;
    throw CommitInDoubt(error.what());
  }
}

}  // namespace tiercache::sqlite
