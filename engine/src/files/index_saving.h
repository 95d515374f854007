// Writes the index into its file while the cache works.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "files/directory/workspace.h"
#include "files/index/index.h"
#include "tiercache/file_system.h"

namespace tiercache {

// The new file takes the place of the last one once all of it is written and synced. Not
// thread-safe, but the index may change meanwhile.
class IndexSaving {
 public:
  // All files that changed before `trusted_to` have been synced.
  IndexSaving(FileSystem& file_system, Workspace& workspace, const Index& index,
              FileTime trusted_to, std::string path);
  // Removes what is half-written, unless the directory is not ours any more.
  ~IndexSaving();
  IndexSaving(const IndexSaving&) = delete;
  IndexSaving& operator=(const IndexSaving&) = delete;

  // Writes the next part, which takes some milliseconds. `*more` says whether another one is left.
  // Must not be called again after an error.
  IoStatus step(bool* more);

 private:
  IoStatus write_part(bool* more);

  FileSystem& file_system_;
  Workspace& workspace_;
  const std::string path_;
  IndexEncoder encoder_;
  std::string temp_;  // empty before the first part, and once the file is in its place
  std::unique_ptr<File> file_;
  std::uint64_t written_ = 0;
  std::string part_;
};

}  // namespace tiercache
