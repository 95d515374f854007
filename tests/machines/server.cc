#include "machines/server.h"

#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

#include "machines/setup.h"
#include "oracle/document.h"

namespace tiercache::testing {
namespace {

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, Clear>;

std::string from_script(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) {
    throw std::runtime_error(std::string(name) +
                             " is not set: tests/servers/postgres.sh does that");
  }
  return value;
}

Result ask(PGconn* connection, const std::string& sql) {
  Result result(PQexec(connection, sql.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    throw std::runtime_error(PQerrorMessage(connection));
  }
  return result;
}

std::uint64_t number_at(const Result& result, int row, int column) {
  if (PQgetisnull(result.get(), row, column) != 0) return 0;
  return std::strtoull(PQgetvalue(result.get(), row, column), nullptr, 10);
}

// As long as it takes a busy machine to bring a server up again.
constexpr std::chrono::seconds kServerPatience{60};
constexpr int kServerPauseMs = 10;

bool alive(pid_t process) {
  return ::kill(process, 0) == 0;
}

template <class Condition>
void await(const char* what, const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kServerPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) throw std::runtime_error(what);
    ::poll(nullptr, 0, kServerPauseMs);
  }
}

}  // namespace

void Server::Close::operator()(pg_conn* connection) const {
  PQfinish(connection);
}

Server::Server()
    : url_(from_script("TIERCACHE_TEST_POSTGRES")),
      pooled_(from_script("TIERCACHE_TEST_PGBOUNCER")),
      admin_(from_script("TIERCACHE_TEST_POSTGRES_ADMIN")),
      pid_file_(from_script("TIERCACHE_TEST_POSTGRES_PID")),
      control_(from_script("TIERCACHE_TEST_POSTGRES_CTL")),
      failover_(from_script("TIERCACHE_TEST_FAILOVER")) {
  // A server that crashes keeps what it confirmed, as one does in production.
  const Connection admin = connect();
  ask(admin.get(), "alter system set synchronous_commit = on");
  ask(admin.get(), "select pg_reload_conf()");
}

Server::~Server() {
  for (const pid_t process : stopped_) ::kill(process, SIGCONT);
}

std::string Server::url(bool pooled) const {
  if (pooled && pooled_.empty()) throw std::runtime_error("there is no pgbouncer here");
  return pooled ? pooled_ : url_;
}

Server::Connection Server::connect() const {
  Connection connection;
  await("the server does not come back", [&] {
    connection.reset(PQconnectdb(admin_.c_str()));
    return PQstatus(connection.get()) == CONNECTION_OK;
  });
  return connection;
}

pid_t Server::postmaster() const {
  std::ifstream file(pid_file_);
  pid_t process = 0;
  file >> process;
  if (process <= 1) throw std::runtime_error("the server's process is not known");
  return process;
}

void Server::begin(Fault fault) {
  fault_ = fault;
  under_way_ = fault != Fault::terminated;
  if (fault == Fault::crashed) {
    const pid_t process = postmaster();
    ::kill(process, SIGQUIT);
    return await("the server does not go", [&] { return !alive(process); });
  }
  session_ = connect();
  PGconn* const session = session_.get();
  if (fault == Fault::terminated) {
    ask(session,
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where backend_type = 'client backend' and pid <> pg_backend_pid()");
    session_.reset();
  } else if (fault == Fault::locked) {
    ask(session, "begin; lock table tiercache.cache_storage in exclusive mode");
  } else if (fault == Fault::held_open) {
    ask(session, "begin; select pg_current_xact_id()");
  } else {
    const Result pids = ask(session, "select pid from pg_stat_activity");
    stopped_ = {postmaster()};
    for (int i = 0; i < PQntuples(pids.get()); ++i) {
      stopped_.push_back(static_cast<pid_t>(number_at(pids, i, 0)));
    }
    for (const pid_t process : stopped_) ::kill(process, SIGSTOP);
  }
}

void Server::end() {
  if (!under_way_) return;
  under_way_ = false;
  if (fault_ == Fault::crashed) return run(control_ + " start");
  if (fault_ == Fault::failed) return run(failover_ + " rebuild");
  for (const pid_t process : stopped_) ::kill(process, SIGCONT);
  stopped_.clear();
  session_.reset();
}

void Server::fail_over() {
  if (failover_.empty()) throw std::runtime_error("there is no standby here");
  fault_ = Fault::failed;
  under_way_ = true;
  run(failover_ + " fail");
}

void Server::run(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error(command + " failed");
}

std::vector<Standing> Server::rows() {
  const Connection connection = connect();
  const Result result =
      ask(connection.get(),
          "select cache_key, data::text, data->>'number', metadata::text, version, writer, "
          "coalesce(invalidated_at < last_fetch, true) from tiercache.cache_storage");
  std::map<std::string, int> places;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    places[PQgetvalue(result.get(), row, 0)] = row;
  }
  std::vector<Standing> rows(kKeys);
  for (std::uint8_t key = 0; key < kKeys; ++key) {
    const auto place = places.find(name_of(key));
    if (place == places.end()) continue;
    const int row = place->second;
    Standing& standing = rows[key];
    standing.version = {number_at(result, row, 4),
                        static_cast<std::uint32_t>(number_at(result, row, 5))};
    standing.document = PQgetisnull(result.get(), row, 1) == 0;
    if (!standing.document) continue;
    standing.number = number_at(result, row, 2);
    standing.right =
        read_document(name_of(key), PQgetvalue(result.get(), row, 1)) == standing.number &&
        PQgetvalue(result.get(), row, 3) == metadata_of(standing.number);
    standing.fresh = *PQgetvalue(result.get(), row, 6) == 't';
  }
  return rows;
}

}  // namespace tiercache::testing
