#include "schema.h"

#include <string>

namespace tiercache::postgres {

namespace {

// The lock's number may be any that others do not use.
constexpr const char* kTakeTurn = "SELECT pg_advisory_xact_lock(8317410127341)";

// This looks in the catalog, because to_regclass() may return what was there before this one's
// turn.
constexpr const char* kFacts =
    "SELECT d.datname, current_user, pg_encoding_to_char(d.encoding), "
    "coalesce(pg_get_userbyid(n.nspowner), ''), c.oid IS NOT NULL "
    "FROM pg_database d LEFT JOIN pg_namespace n ON n.nspname = 'tiercache' "
    "LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'schema_version' "
    "WHERE d.datname = current_database()";

constexpr const char* kVersion = "SELECT version, compatible_from FROM tiercache.schema_version";

[[noreturn]] void refuse(const Connection& connection, const std::string& why) {
  throw Failure(Failure::Kind::not_serving, true,
                "postgres " + connection.server().description() + ": " + why);
}

struct Found {
  std::string database;
  std::string role;
  std::string owner;  // of a schema with our name; empty if there is none
  // Those of the schema; both are 0 if there is none.
  int version = 0;
  int compatible_from = 0;
};

Found look(Connection& connection, pqxx::transaction_base& transaction) {
  const pqxx::result facts = transaction.exec(kFacts);
  Found found;
  found.database = facts[0][0].c_str();
  found.role = facts[0][1].c_str();
  found.owner = facts[0][3].c_str();
  if (const std::string encoding = facts[0][2].c_str(); encoding != "UTF8") {
    refuse(connection,
           "database " + found.database + " has encoding " + encoding +
               ", UTF8 is needed: create another one, as by CREATE DATABASE cache TEMPLATE "
               "template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'");
  }
  if (!facts[0][4].as<bool>()) {
    if (found.owner.empty()) return found;
    refuse(connection,
           "database " + found.database + " has a schema tiercache of role " + found.owner +
               " that is another's, without the table schema_version: rename or drop it");
  }
  const pqxx::result row = transaction.exec(kVersion);
  if (row.empty()) {
    refuse(connection, "row level security hides schema tiercache from role " + found.role +
                           ": it must be the schema's owner, act as the owner, or have BYPASSRLS");
  }
  found.version = row[0][0].as<int>();
  found.compatible_from = row[0][1].as<int>();
  return found;
}

Found look(Connection& connection) {
  pqxx::nontransaction transaction(connection.raw());
  return look(connection, transaction);
}

[[noreturn]] void refuse_migration(const Connection& connection, const Found& found) {
  if (found.owner.empty()) {
    refuse(connection, "role " + found.role + " may not create schema tiercache in database " +
                           found.database + " (grant create on database " + found.database +
                           " to " + found.role +
                           ", or apply schema/supabase/migrations as its owner)");
  }
  refuse(connection, "role " + found.role + " may not bring schema tiercache from version " +
                         std::to_string(found.version) + " to " + std::to_string(kSchemaVersion) +
                         ": it belongs to role " + found.owner +
                         " (apply schema/supabase/migrations as that role)");
}

// Applies the missing migrations in one transaction. Only one process at a time does so, and the
// others then find it done.
void apply_missing(Connection& connection) {
  pqxx::work transaction(connection.raw());
  // What others did before this one's turn must be seen, whatever the role's default is.
  transaction.exec("SET TRANSACTION ISOLATION LEVEL READ COMMITTED");
  transaction.exec(kTakeTurn);
  const Found found = look(connection, transaction);
  try {
    for (int i = found.version; i < kSchemaVersion; ++i) transaction.exec(kMigrations[i]);
  } catch (const pqxx::sql_error& error) {
    if (shim::sqlstate(error) == "42501") refuse_migration(connection, found);
    throw;
  }
  transaction.commit();
}

void check(Connection& connection, const Found& found) {
  if (found.version == 0) {
    refuse(connection, "schema tiercache is not there in database " + found.database +
                           ": apply schema/supabase/migrations or open with apply_migrations");
  }
  if (found.version < kSchemaVersion) {
    refuse(connection, "schema tiercache is of version " + std::to_string(found.version) +
                           ", this program needs " + std::to_string(kSchemaVersion) +
                           ": apply schema/supabase/migrations or open with apply_migrations");
  }
  if (found.compatible_from > kSchemaVersion) {
    refuse(connection, "schema tiercache serves programs that know version " +
                           std::to_string(found.compatible_from) + ", this one knows " +
                           std::to_string(kSchemaVersion) + ": update the program");
  }
}

}  // namespace

void use_schema(Connection& connection, bool migrate) {
  try {
    Found found = look(connection);
    if (migrate && found.version < kSchemaVersion) {
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
