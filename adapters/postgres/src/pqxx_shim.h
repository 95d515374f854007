// Hides what differs between the versions of libpqxx, from 6.4 to 7.x.
#pragma once

#include <pqxx/pqxx>
#include <string>
#include <string_view>
#include <vector>

namespace tiercache::postgres::shim {

#if PQXX_VERSION_MAJOR > 7 || (PQXX_VERSION_MAJOR == 7 && PQXX_VERSION_MINOR >= 10)
#define TIERCACHE_PQXX_TAKES_PARAMS_IN_EXEC 1
#else
#define TIERCACHE_PQXX_TAKES_PARAMS_IN_EXEC 0
#endif

// Parameters of a statement, in the text form of their types. None is NULL.
using Parameters = std::vector<std::string>;

// Keeps libpqxx from printing the server's notices, and 6.4 from connecting again by itself, with
// neither the schema checked nor a deadline.
class Silence {
 public:
#if TIERCACHE_PQXX_TAKES_PARAMS_IN_EXEC
  explicit Silence(pqxx::connection& connection) {
    connection.set_notice_handler([](pqxx::zview) noexcept {});
  }
#else
  explicit Silence(pqxx::connection& connection) : handler_(connection) {
#if PQXX_VERSION_MAJOR < 7
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
#endif
  }

 private:
  pqxx::quiet_errorhandler handler_;
#endif
};

#if TIERCACHE_PQXX_TAKES_PARAMS_IN_EXEC
inline pqxx::params packed(const Parameters& parameters) {
  pqxx::params out;
  for (const std::string& parameter : parameters) out.append(parameter);
  return out;
}
inline pqxx::result run(pqxx::transaction_base& transaction, const char* sql,
                        const Parameters& parameters) {
  return transaction.exec(sql, packed(parameters));
}
inline pqxx::result run_prepared(pqxx::transaction_base& transaction, const std::string& name,
                                 const Parameters& parameters) {
  return transaction.exec(pqxx::prepped{name}, packed(parameters));
}
#else
inline pqxx::result run(pqxx::transaction_base& transaction, const char* sql,
                        const Parameters& parameters) {
  return transaction.exec_params(sql, pqxx::prepare::make_dynamic_params(parameters));
}
inline pqxx::result run_prepared(pqxx::transaction_base& transaction, const std::string& name,
                                 const Parameters& parameters) {
  return transaction.exec_prepared(name, pqxx::prepare::make_dynamic_params(parameters));
}
#endif

// Returns the SQLSTATE of an error. 6.4 keeps none if the exception's type says the same.
inline std::string sqlstate(const pqxx::sql_error& error) {
  if (!error.sqlstate().empty()) return error.sqlstate();
  return dynamic_cast<const pqxx::insufficient_privilege*>(&error) ? "42501" : "";
}

inline std::string_view text(const pqxx::result& result, int row, int column) {
  const auto field =
      result[static_cast<pqxx::result::size_type>(row)][static_cast<pqxx::row::size_type>(column)];
  return {field.c_str(), field.size()};
}

inline bool is_null(const pqxx::result& result, int row, int column) {
  return result[static_cast<pqxx::result::size_type>(row)]
               [static_cast<pqxx::row::size_type>(column)]
                   .is_null();
}

}  // namespace tiercache::postgres::shim
