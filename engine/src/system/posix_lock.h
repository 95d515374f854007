// Locks on files that end with the process that took them, even if children of it live on.
#pragma once

#include <memory>
#include <string>

#include "tiercache/file_system.h"

namespace tiercache {

// Implements `FileSystem::try_lock` for the machine's file system.
IoStatus try_posix_lock(const std::string& path, std::unique_ptr<FileLock>* out);

}  // namespace tiercache
