// The database's files on disk: made private, on a disk that can be trusted.
#pragma once

#include <string>

#include "tiercache/sqlite.h"

namespace tiercache::sqlite {

// Makes the file (0600, its name synced) when missing and takes others' permissions from one that
// is ours. Throws SqlError when it cannot be used.
void prepare_file(const Options& options);

// The same for the log and its index, which SQLite makes with the mode of the database; left from
// an earlier run they may have another.
void secure_log_files(const std::string& path);

}  // namespace tiercache::sqlite
