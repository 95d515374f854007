// Keeps a document in memory and files. Usage: tiercache <empty directory>
#include <tiercache/tiercache.h>

int main(int count, char** values) {
  if (count != 2) return 2;
  tiercache::Cache cache({.project = "consumer", .directory = values[1]});
  cache.dataset("numbers").put("", "[1,2,3]");
  return *cache.dataset("numbers").get("") == "[1,2,3]" ? 0 : 1;
}
