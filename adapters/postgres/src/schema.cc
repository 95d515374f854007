#include "schema.h"

#include <optional>

namespace tiercache::postgres {

namespace {

// Any number that others do not take.
constexpr const char* kTakeTurn = "SELECT pg_advisory_xact_lock(8317410127341)";

// Looked up in the catalog: to_regclass() may answer from before the turn was taken.
constexpr const char* kIsThere =
    "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'tiercache' AND c.relname = 'schema_version')";

constexpr const char* kVersion = "SELECT version, compatible_from FROM tiercache.schema_version";

[[noreturn]] void refuse(const Connection& connection, const std::string& why) {
  throw Failure(Failure::Kind::not_serving, true,
                "postgres " + connection.server().description() + ": " + why);
}

struct Versions {
  int version = 0;
  int compatible_from = 0;
};

std::optional<Versions> read_versions(Connection& connection, pqxx::transaction_base& transaction) {
  if (!transaction.exec(kIsThere)[0][0].as<bool>()) return std::nullopt;
  const pqxx::result row = transaction.exec(kVersion);
  if (row.empty()) {
    refuse(
        connection,
        "row level security hides schema tiercache from the role: it must be the schema's owner, "
        "act as the owner, or have BYPASSRLS");
  }
  return Versions{row[0][0].as<int>(), row[0][1].as<int>()};
}

std::optional<Versions> look(Connection& connection) {
  pqxx::nontransaction transaction(connection.raw());
  return read_versions(connection, transaction);
}

// In one transaction, one process at a time: the others find it done.
void apply_missing(Connection& connection) {
  pqxx::work transaction(connection.raw());
  transaction.exec(kTakeTurn);
  const auto found = read_versions(connection, transaction);
  for (int i = found ? found->version : 0; i < kSchemaVersion; ++i) {
    transaction.exec(kMigrations[i]);
  }
  transaction.commit();
}

void check(Connection& connection, const std::optional<Versions>& found) {
  if (!found) {
    refuse(connection,
           "schema tiercache is not there: apply schema/supabase/migrations or open with "
           "apply_migrations");
  }
  if (found->version < kSchemaVersion) {
    refuse(connection, "schema tiercache is of version " + std::to_string(found->version) +
                           ", this program needs " + std::to_string(kSchemaVersion) +
                           ": apply schema/supabase/migrations or open with apply_migrations");
  }
  if (found->compatible_from > kSchemaVersion) {
    refuse(connection, "schema tiercache serves programs that know version " +
                           std::to_string(found->compatible_from) + ", this one knows " +
                           std::to_string(kSchemaVersion) + ": update the program");
  }
}

}  // namespace

void use_schema(Connection& connection, bool migrate) {
  try {
    std::optional<Versions> found = look(connection);
    if (migrate && (!found || found->version < kSchemaVersion)) {
      apply_missing(connection);
      found = look(connection);
    }
    check(connection, found);
    connection.found_schema();
  } catch (...) {
    throw failed_statement(connection.server(), connection.raw().is_open());
  }
}

}  // namespace tiercache::postgres
