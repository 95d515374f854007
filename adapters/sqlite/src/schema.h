// The database's tables (docs/formats/sqlite-store.md).
#pragma once

#include <cstdint>
#include <string>

#include "connection.h"

namespace tiercache::sqlite {

// "tier", in the file's header: the file is ours.
inline constexpr std::int64_t kApplicationId = 0x74696572;
// The newest schema this code reads and writes.
inline constexpr std::int64_t kSchemaVersion = 1;

// Throws SqlError when the file is another application's or of a newer schema; changes nothing.
void refuse_foreign_file(Connection& connection);
// Makes the tables in an empty file.
void prepare_schema(Connection& connection);
// Drawn when the tables were made.
std::string incarnation(Connection& connection);
// Keeps the file under `bytes`.
void limit_pages(Connection& connection, std::uint64_t bytes);

}  // namespace tiercache::sqlite
