// A folder as a source: a document is a file of it.
#pragma once

#include <string>

#include "refresh_service/config.h"
#include "tiercache/options.h"
#include "tiercache/refresh.h"

namespace refresh_service {

// Answers `NotFound` for a file that is not there, and `NotModified` for one that has not changed
// since it was last read. Throws when the folder or the file cannot be read.
tiercache::RefreshAnswer<std::string> read_folder(const FolderSource& source,
                                                  const tiercache::RefreshContext& context);

}  // namespace refresh_service
