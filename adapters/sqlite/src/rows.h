// Rows of cache_storage as entries, checked when read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connection.h"
#include "tiercache/entry.h"
#include "tiercache/store.h"

namespace tiercache::sqlite {

// A row as found. `entry` is null when the row fails its checksum.
struct StoredRow {
  std::int64_t entry_id = 0;
  EntryId id;
  std::int64_t updated = 0;
  Version claimed_version;  // the row's version, good or not
  EntryPtr entry;
  std::shared_ptr<const std::string>
      corrupt_text;  // the document of a corrupt one, where it has one

  bool corrupt() const { return entry == nullptr; }
};

// The project's number; nullopt while nothing was saved in it.
std::optional<std::int64_t> find_project(Connection& connection, const std::string& name);
std::int64_t find_or_add_project(Connection& connection, const std::string& name);

std::optional<StoredRow> find_row(Connection& connection, std::int64_t project, const EntryId& id);

// Documents of the dataset (of all when empty), updated before `before`, latest first, at most
// `limit`. Corrupt ones are among them.
class RowScan {
 public:
  RowScan(Connection& connection, std::int64_t project, const std::string& dataset,
          std::int64_t before, std::int64_t limit);
  std::optional<StoredRow> next();

 private:
  Query query_;
};

// Rows updated after `after`, tombstones too, oldest first, at most `limit`; not verified.
struct ChangedRow {
  std::int64_t updated = 0;
  StoreChange change;
};
std::vector<ChangedRow> find_changed(Connection& connection, std::int64_t project,
                                     std::int64_t after, std::int64_t limit);
// The number of the project's last update.
std::int64_t last_update(Connection& connection, std::int64_t project);

// Of the rows that the erase looks at, those below its version whose keys match, tombstones too.
// `next`: where to go on, where there may be more.
struct MatchingRow {
  std::int64_t entry_id = 0;
  EntryId id;
};
std::vector<MatchingRow> find_matching(Connection& connection, std::int64_t project,
                                       const MatchingErase& erase,
                                       std::optional<std::string>* next);

// What was purged of a project: the horizon, and the last update that was of a tombstone which
// went.
struct Purged {
  Version horizon;
  std::int64_t updated = 0;
};
Purged find_purged(Connection& connection, std::int64_t project);
void set_purged(Connection& connection, std::int64_t project, const Purged& purged);

struct OldRow {
  std::int64_t entry_id = 0;
  EntryId id;
  std::int64_t updated = 0;
  Version version;
};
// Tombstones of a version below, at most `limit`.
std::vector<OldRow> find_old_tombstones(Connection& connection, std::int64_t project, Version below,
                                        std::int64_t limit);
// Documents of the dataset that were last fetched before, at most `limit`.
std::vector<OldRow> find_expired(Connection& connection, std::int64_t project,
                                 const std::string& dataset, WallTime fetched_before,
                                 std::int64_t limit);
void delete_row(Connection& connection, std::int64_t entry_id);

// Hands out a project's update numbers in a write transaction, and stores rows under them.
class RowWriter {
 public:
  RowWriter(Connection& connection, std::int64_t project);
  // Inserts or replaces the row.
  void put(const EntryId& id, const Entry& entry);
  // Copies a row that fails its checksum, as it is, to the quarantine.
  void keep_aside(const StoredRow& row, std::int64_t now_ms);
  // Writes the numbers handed out back; before the commit.
  void finish();

 private:
  Connection& connection_;
  const std::int64_t project_;
  std::int64_t updates_ = 0;
};

}  // namespace tiercache::sqlite
