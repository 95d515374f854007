// Creates, claims and checks the cache's directory. All of it asks the disk.
#pragma once

#include "cache/runtime/runtime.h"

namespace tiercache::detail {

// Makes the cache's directory if it is missing, and marks it as this project's. Throws BadDirectory
// if it cannot be made or is another's.
void own_directory(const Runtime& runtime);
// Reclaims a directory that was ours and was deleted meanwhile, even if its marker is missing.
void own_directory_again(const Runtime& runtime);
// True if the directory's marker is there.
bool owns_directory(const Runtime& runtime);

}  // namespace tiercache::detail
