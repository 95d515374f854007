// Whole caches over a damaged SQLite store.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "corruption/damage.h"
#include "corruption/local.h"
#include "lib/scratch.h"

namespace tiercache::testing {

// One column of all rows, changed by a statement.
struct RowDamage {
  std::string column;
  std::string statement;

  std::string describe() const { return "the store's rows: " + statement; }
};

// A store file with documents in it, damaged anew for each check.
class DamagedStore {
 public:
  DamagedStore();

  std::vector<RowDamage> every_row_damage() const;
  std::vector<Damage> every_file_damage() const;
  std::string describe(const Damage& damage) const;
  // What a cache without a directory serves from it; nullopt, or the promise that broke.
  std::optional<std::string> check(const RowDamage& damage, Outcomes& outcomes) const;
  std::optional<std::string> check(const Damage& damage, Outcomes& outcomes) const;

 private:
  void write(const std::string& bytes) const;
  std::string store() const { return (scratch_.path() / "store.db").string(); }
  std::optional<std::string> judge(bool rows_alone, Outcomes& outcomes) const;

  ScratchDirectory scratch_{"corruption"};
  std::string bytes_;
};

}  // namespace tiercache::testing
