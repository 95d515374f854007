#include "failure.h"

#include <algorithm>
#include <array>
#include <new>
#include <string_view>

#include "pqxx_shim.h"

namespace tiercache::postgres {

namespace {

using Kind = Failure::Kind;

// What the SQLSTATEs that occur in practice mean for a call, and what to tell people. The first row
// whose beginning fits counts, so a shorter one stands for the rest of its class.
struct Meaning {
  std::string_view state;  // how the SQLSTATE begins
  Kind kind;
  bool ends_connection;
  const char* text;
  bool with_servers = false;  // whether the server's own text is added, because it names no data
};

constexpr std::array kMeanings = {
    Meaning{"22P05", Kind::data, false, "holds a character that jsonb cannot hold, as \\u0000"},
    Meaning{"22P02", Kind::data, false, "holds text that jsonb does not take"},
    Meaning{"22021", Kind::data, false, "holds bytes that are not UTF-8"},
    Meaning{"22003", Kind::data, false, "holds a number out of the store's range"},
    Meaning{"22008", Kind::data, false, "has a time out of the store's range"},
    Meaning{"22P99", Kind::data, false,
            "is older than what the store has purged, so the entry may have been erased since: put "
            "it again, or discard it"},
    Meaning{"22", Kind::data, false, "is not data that the store can hold"},
    Meaning{"23", Kind::data, false, "is against a constraint of the schema"},
    Meaning{"54001", Kind::data, false, "is nested deeper than the server reads"},
    Meaning{"54", Kind::data, false, "is larger than the server can hold, in its text or its key"},
    Meaning{"3F000", Kind::not_serving, true,
            "schema tiercache is not there: apply schema/supabase/migrations or open with "
            "apply_migrations"},
    Meaning{"42P01", Kind::not_serving, true,
            "schema tiercache is not there, or not whole: apply schema/supabase/migrations or open "
            "with apply_migrations",
            true},
    Meaning{"42883", Kind::not_serving, true,
            "schema tiercache is not whole: apply schema/supabase/migrations", true},
    Meaning{
        "42501", Kind::not_serving, true,
        "the role may not use schema tiercache: it must be its owner, act as the owner, or have "
        "the grants and BYPASSRLS",
        true},
    Meaning{"25006", Kind::not_serving, true,
            "the server is read-only, as a standby is, or default_transaction_read_only is on for "
            "the role or the database"},
    Meaning{"53100", Kind::not_serving, false, "the server's disk is full"},
    Meaning{"53200", Kind::not_serving, false, "the server is out of memory"},
    Meaning{"53300", Kind::not_serving, true, "the server has too many connections"},
    Meaning{"55P03", Kind::not_serving, false, "a row or a table stayed locked until the deadline"},
    Meaning{"57014", Kind::not_serving, false, "the statement was cancelled: statement_timeout?",
            true},
    // These may come after the commit, so a write may have been done.
    Meaning{"57P", Kind::in_doubt, true, "the server ended the connection: it stops or restarts"},
    Meaning{"40", Kind::not_serving, false, "another transaction was in the way"},
    Meaning{"0A000", Kind::not_serving, true,
            "the schema changed under a prepared statement, or the server lacks something", true},
    Meaning{"26000", Kind::not_serving, true,
            "a prepared statement is not there: is `prepared` set behind a pooler?"},
    Meaning{"42P05", Kind::not_serving, true,
            "a prepared statement was there before: is `prepared` set behind a pooler?"},
};

// Returns the first line of what the server said, since details and context quote data.
std::string first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  for (const std::string_view label : {"ERROR:  ", "FATAL:  "}) {
    if (text.starts_with(label)) text.remove_prefix(label.size());
  }
  return std::string(text);
}

// Whether the server's text for this state only names objects and states of the server. Other texts
// may quote data, above all those that a trigger or a function raises.
bool names_no_data(std::string_view state) {
  static constexpr std::array<std::string_view, 14> kClasses = {
      "08", "0A", "25", "26", "28", "3D", "3F", "42", "53", "55", "57", "58", "F0", "XX"};
  return std::find(kClasses.begin(), kClasses.end(), state.substr(0, 2)) != kClasses.end();
}

std::string unknown_text(const ServerAddress& server, const std::string& state, const char* what) {
  if (names_no_data(state)) return server.redacted(first_line(what));
  return "an error that may quote data, so its text is in the server's log alone; does a trigger "
         "or function of the database raise it?";
}

Failure of_state(const ServerAddress& server, const std::string& state, const char* what,
                 bool connection_is_open) {
  const std::string where = "postgres " + server.description() + ": ";
  for (const Meaning& meaning : kMeanings) {
    if (!state.starts_with(meaning.state)) continue;
    std::string text = meaning.text;
    if (meaning.with_servers) text += ": " + server.redacted(first_line(what));
    text += " (" + state + ")";
    if (meaning.kind == Kind::data) return {meaning.kind, !connection_is_open, text};
    return {meaning.kind, meaning.ends_connection || !connection_is_open, where + text};
  }
  return {connection_is_open ? Kind::not_serving : Kind::in_doubt, !connection_is_open,
          where + unknown_text(server, state, what) + " (" + state + ")"};
}

Failure broken(const ServerAddress& server, const char* what) {
  return {Kind::in_doubt, true,
          "postgres " + server.description() +
              ": the connection broke: " + server.redacted(first_line(what))};
}

}  // namespace

Failure failed_statement(const ServerAddress& server, bool connection_is_open) {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure;
  } catch (const pqxx::statement_completion_unknown& error) {
    return broken(server, error.what());
  } catch (const pqxx::transaction_rollback&) {
    return of_state(server, "40", "", connection_is_open);
  } catch (const pqxx::sql_error& error) {
    const std::string state = shim::sqlstate(error);
    if (state.empty()) return broken(server, error.what());
    return of_state(server, state, error.what(), connection_is_open);
  } catch (const std::bad_alloc&) {
    return {Kind::in_doubt, true, "postgres " + server.description() + ": out of memory"};
  } catch (const std::exception& error) {
    return broken(server, error.what());
  }
}

Failure failed_connect(const ServerAddress& server) {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure;
  } catch (const std::exception& error) {
    return {
        Kind::not_serving, true,
        "postgres " + server.description() + ": cannot connect: " + server.redacted(error.what())};
  }
}

}  // namespace tiercache::postgres
