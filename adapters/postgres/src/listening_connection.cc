#include "listening_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <climits>

#include "tiercache/clock.h"

namespace tiercache::postgres {

namespace {

// Waits until the socket is ready. Returns false at the deadline. Errors make it ready too; libpq's
// next call reports them.
bool wait_for(int socket, short events, SteadyTime deadline) {
  pollfd polled{socket, events, 0};
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - system_clock()->steady_now());
    const auto timeout = std::clamp<std::int64_t>(left.count(), 0, INT_MAX);
    const int ready = ::poll(&polled, 1, static_cast<int>(timeout));
    if (ready > 0) return true;
    if (ready == 0 && system_clock()->steady_now() >= deadline) return false;
  }
}

}  // namespace

void ListeningConnection::Finish::operator()(pg_conn* connection) const {
  PQfinish(connection);
}

ListeningConnection::ListeningConnection(const ServerAddress& server, const std::string& channel,
                                         SteadyTime deadline)
    : server_(server), connection_(PQconnectStart(server.connection_string(false).c_str())) {
  connect(deadline);
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  run("LISTEN \"" + channel + '"', deadline);
}

ListeningConnection::~ListeningConnection() = default;

int ListeningConnection::socket() const {
  return PQsocket(connection_.get());
}

int ListeningConnection::process() const {
  return PQbackendPID(connection_.get());
}

void ListeningConnection::connect(SteadyTime deadline) {
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD) fail("cannot connect");
  while (next != PGRES_POLLING_OK) {
    const short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (!wait_for(socket(), events, deadline)) fail("no connection in time");
    next = PQconnectPoll(connection_.get());
    if (next == PGRES_POLLING_FAILED) fail("cannot connect");
  }
}

void ListeningConnection::run(const std::string& sql, SteadyTime deadline) {
  if (PQsendQuery(connection_.get(), sql.c_str()) != 1) fail("the connection broke");
  bool refused = false;
  for (;;) {
    while (PQisBusy(connection_.get()) != 0) {
      if (!wait_for(socket(), POLLIN, deadline)) fail("no answer in time");
      read();
    }
    PGresult* const result = PQgetResult(connection_.get());
    if (!result) break;
    refused = refused || PQresultStatus(result) != PGRES_COMMAND_OK;
    PQclear(result);
  }
  if (refused) fail("the server does not let it listen");
}

void ListeningConnection::read() {
  if (PQconsumeInput(connection_.get()) != 1) fail("the connection broke");
}

std::optional<std::string> ListeningConnection::next(SteadyTime deadline) {
  for (;;) {
    if (PGnotify* const notification = PQnotifies(connection_.get())) {
      std::string payload = notification->extra;
      PQfreemem(notification);
      return payload;
    }
    if (!wait_for(socket(), POLLIN, deadline)) return std::nullopt;
    read();
  }
}

void ListeningConnection::fail(const std::string& what) const {
  std::string text = "postgres " + server_.description() + ": listening for changes: " + what;
  if (connection_ && *PQerrorMessage(connection_.get()) != '\0') {
    text += ": " + server_.redacted(PQerrorMessage(connection_.get()));
  }
  throw Failure(Failure::Kind::not_serving, true, text);
}

}  // namespace tiercache::postgres
