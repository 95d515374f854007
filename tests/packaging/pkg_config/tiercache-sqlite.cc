// Asks a database that is made by the question. Usage: tiercache-sqlite <empty directory>
#include <tiercache/sqlite.h>

#include <chrono>
#include <string>

int main(int count, char** values) {
  if (count != 2) return 2;
  const auto store = tiercache::sqlite::open(std::string(values[1]) + "/store.db");
  const auto deadline = tiercache::system_clock()->steady_now() + std::chrono::seconds(20);
  return store->scan("consumer", "", "", 1, deadline).status == tiercache::StoreStatus::ok ? 0 : 1;
}
