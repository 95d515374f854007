#include "crash/outage.h"

#include <sqlite3.h>

#include <filesystem>
#include <utility>

namespace tiercache::testing {

namespace fs = std::filesystem;

Outage::Outage(std::string store)
    : store_(std::move(store)), directory_(fs::path(store_).parent_path().string()) {}

Outage::~Outage() {
  end();
}

void Outage::lock() {
  if (under_way() || !fs::exists(store_)) return;
  sqlite3* database = nullptr;
  const int opened = sqlite3_open_v2(store_.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr);
  if (opened == SQLITE_OK) sqlite3_busy_timeout(database, 2'000);
  if (opened == SQLITE_OK &&
      sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK) {
    locked_ = database;
    return;
  }
  sqlite3_close(database);
}

void Outage::move_away() {
  if (under_way()) return;
  fs::rename(directory_, directory_ + ".away");
  moved_ = true;
}

void Outage::end() {
  if (locked_ != nullptr) sqlite3_close(std::exchange(locked_, nullptr));
  if (std::exchange(moved_, false)) fs::rename(directory_ + ".away", directory_);
}

}  // namespace tiercache::testing
