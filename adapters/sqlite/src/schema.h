// The database's tables (docs/formats/sqlite-store.md).
#pragma once

#include <cstdint>
#include <string>

#include "connection.h"

namespace tiercache::sqlite {

// "tier" in the file's header says that the file is ours.
inline constexpr std::int64_t kApplicationId = 0x74696572;
// The newest schema that this code reads, and the one it writes.
inline constexpr std::int64_t kSchemaVersion = 1;

// Throws SqlError if the file is another application's or has a newer schema. Changes nothing.
void refuse_foreign_file(Connection& connection);
// Makes the tables in an empty file.
void prepare_schema(Connection& connection);
// A random text that was drawn when the tables were made, and so tells one file from another.
std::string incarnation(Connection& connection);
// Keeps the file from growing beyond about `bytes`: it is bounded in whole pages, by up to one page
// more.
void limit_pages(Connection& connection, std::uint64_t bytes);

}  // namespace tiercache::sqlite
