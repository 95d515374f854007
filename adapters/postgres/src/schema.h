// The schema's version: checked on every new connection, brought up to date where that is wanted.
#pragma once

#include "connection.h"

namespace tiercache::postgres {

// What this program knows. A newer schema that says it is compatible is served too.
inline constexpr int kSchemaVersion = 3;

// The migrations, oldest first: number n leads from version n to n + 1.
extern const char* const kMigrations[kSchemaVersion];

// Throws Failure when the schema is missing or of another version; `migrate`: applies what is
// missing first.
void use_schema(Connection& connection, bool migrate);

}  // namespace tiercache::postgres
