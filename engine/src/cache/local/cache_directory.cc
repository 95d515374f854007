#include "cache/local/cache_directory.h"

#include "files/directory/directory.h"

namespace tiercache::detail {

namespace {

DirectoryOptions directory_of(const Runtime& runtime, bool was_ours) {
  const CacheOptions& options = runtime.options;
  return {.path = options.directory.string(),
          .project = options.project,
          .allow_remote = options.files.allow_remote,
          .was_ours = was_ours};
}

}  // namespace

void own_directory(const Runtime& runtime) {
  open_directory(*runtime.file_system, directory_of(runtime, false));
}

void own_directory_again(const Runtime& runtime) {
  open_directory(*runtime.file_system, directory_of(runtime, true));
}

bool owns_directory(const Runtime& runtime) {
  return has_marker(*runtime.file_system, runtime.options.directory.string());
}

}  // namespace tiercache::detail
