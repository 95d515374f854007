// Takes the SQLite store away from running processes, and back.
#pragma once

#include <memory>
#include <string>

struct sqlite3;

namespace tiercache::testing {

// The store's file lies in a directory of its own. Not thread-safe.
class Outage {
 public:
  explicit Outage(std::string store);
  ~Outage();
  Outage(const Outage&) = delete;
  Outage& operator=(const Outage&) = delete;

  // Another program holds the database's write lock: writes find it busy until their deadline.
  void lock();
  // The store's directory is not there: processes that start find no database.
  void move_away();
  void end();
  bool under_way() const { return locked_ != nullptr || moved_; }

 private:
  std::string store_;
  std::string directory_;
  sqlite3* locked_ = nullptr;
  bool moved_ = false;
};

}  // namespace tiercache::testing
