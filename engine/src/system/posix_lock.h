// Locks on files that end with the process, whatever children it has.
#pragma once

#include <memory>
#include <string>

#include "tiercache/file_system.h"

namespace tiercache {

// `FileSystem::try_lock` of the machine.
IoStatus try_posix_lock(const std::string& path, std::unique_ptr<FileLock>* out);

}  // namespace tiercache
