// The schema's version. It is checked on every new connection, and brought up to date if that is
// wanted.
#pragma once

#include "connection.h"

namespace tiercache::postgres {

// The version that this program knows. A newer schema that says it is compatible will do too.
inline constexpr int kSchemaVersion = 3;

// The migrations, oldest first. Number n leads from version n to n + 1, and 0 means no schema.
extern const char* const kMigrations[kSchemaVersion];

// Checks the schema. Throws Failure if it is missing or does not fit. With `migrate` the migrations
// that are missing are applied first.
void use_schema(Connection& connection, bool migrate);

}  // namespace tiercache::postgres
