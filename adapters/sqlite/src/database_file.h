// The database's files on disk, which must be private and on a disk whose locks can be trusted.
#pragma once

#include <string>

#include "tiercache/sqlite.h"

namespace tiercache::sqlite {

// Makes the file if it is missing (mode 0600, its name synced). If a file of this user is there
// already, takes away what it allows to others. Throws SqlError if it cannot be used.
void prepare_file(const Options& options);

// Takes away what the log and its index allow to others. SQLite makes them with the mode of the
// database, but those left from an earlier run may have another one.
void secure_log_files(const std::string& path);

}  // namespace tiercache::sqlite
