// Whose directory it is.
#pragma once

#include "cache/runtime/runtime.h"

namespace tiercache::detail {

// Makes the cache's directory where it is missing, and marks it as this project's. Throws
// BadDirectory where it cannot be made or is another's.
void own_directory(const Runtime& runtime);
// The same of one that was ours, and is so also where its marker was deleted.
void own_directory_again(const Runtime& runtime);
// Its marker is there.
bool owns_directory(const Runtime& runtime);

}  // namespace tiercache::detail
