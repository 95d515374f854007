// Writes through all tiers and reads back after a restart. Usage: consumer <empty directory>
#include <tiercache/sqlite.h>
#include <tiercache/tiercache.h>

#include <cstdio>
#include <string>
#ifdef WITH_postgres
#include <tiercache/postgres.h>
#endif
#ifdef WITH_http
#include <tiercache/http.h>
#endif

int main(int count, char** values) {
  if (count != 2) return 2;
  const std::string directory = values[1];
  const auto open = [&] {
    return tiercache::Cache({.project = "consumer",
                             .directory = directory + "/cache",
                             .store = tiercache::sqlite::open(directory + "/store.db")});
  };
#ifdef WITH_postgres
  (void)tiercache::postgres::open("postgresql://localhost/nothing_is_asked_of_it");
#endif
  {
    tiercache::Cache cache = open();
    cache.dataset("numbers").put("", "[1,2,3]");
    if (!cache.flush()) return 1;
  }
  tiercache::Cache cache = open();
  const auto snapshot = cache.dataset("numbers").get("");
  std::printf("%s\n", snapshot->c_str());
  return *snapshot == "[1,2,3]" ? 0 : 1;
}
