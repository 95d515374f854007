// Asks a server that is not there, which libpqxx and libpq have to find out.
#include <tiercache/postgres.h>

#include <chrono>

int main() {
  const auto store = tiercache::postgres::open("postgresql://127.0.0.1:1/nobody");
  const auto deadline = tiercache::system_clock()->steady_now() + std::chrono::seconds(20);
  const tiercache::ScanReply reply = store->scan("consumer", "", "", 1, deadline);
  const bool refused = reply.status == tiercache::StoreStatus::unavailable;
  return refused && !reply.message.empty() ? 0 : 1;
}
