// One SQLite connection with its prepared statements, and queries that end at a deadline.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tiercache/sqlite.h"
#include "tiercache/time.h"

namespace tiercache::sqlite {

// An error of SQLite, or of opening its file, with the extended result code. It ends a call of the
// store and never leaves the adapter. The text holds no data.
class SqlError : public std::runtime_error {
 public:
  SqlError(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  int primary_code() const { return code_ & 0xff; }

 private:
  int code_;
};

// Used by one thread at a time. At the deadline, running statements and waits for other
// connections' locks end.
class Connection {
 public:
  // Opens the file, and makes it and its schema if they are missing. Throws SqlError.
  Connection(const Options& options, SteadyTime deadline);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void set_deadline(SteadyTime deadline) { deadline_ = deadline; }
  // Throws SqlError if the deadline has passed.
  void check_deadline() const;
  // True if the file was replaced or removed under the connection, so that what it writes would be
  // lost.
  bool lost_its_file();
  void execute(const char* sql);
  void roll_back();
  // Prepares each statement once per connection. `sql` must be a literal, as its address is the
  // key.
  sqlite3_stmt* prepared(const char* sql);
  bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  [[noreturn]] void fail(int code) const;

 private:
  void configure(const Options& options);
  void switch_to_wal();
  void close();
  static int on_busy(void* self, int attempt);
  static int on_progress(void* self);

  const std::shared_ptr<Clock> clock_;
  const std::string path_;
  sqlite3* handle_ = nullptr;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
  SteadyTime deadline_;
};

// One run of a prepared statement. Parameters count from 1, columns from 0. A text that is bound
// must live as long as the query; a text that was read lives until the next step.
class Query {
 public:
  Query(Connection& connection, const char* sql)
      : connection_(connection), statement_(connection.prepared(sql)) {}
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& bind(int parameter, std::int64_t value);
  Query& bind(int parameter, std::string_view text);
  Query& bind(int parameter, const std::optional<std::int64_t>& value);
  Query& bind_null(int parameter);

  // True if there is a row to read. Throws SqlError.
  bool step();
  // Runs a statement that returns no rows.
  void run();

  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;
  std::string_view text(int column) const;

 private:
  void check(int code) const;

  Connection& connection_;
  sqlite3_stmt* const statement_;
};

// A transaction, which is rolled back unless it is committed.
class Transaction {
 public:
  enum class Kind : std::uint8_t { read, write };
  Transaction(Connection& connection, Kind kind);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Throws CommitInDoubt if it failed but may have been done nevertheless.
  void commit();

 private:
  Connection& connection_;
};

class CommitInDoubt : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace tiercache::sqlite
