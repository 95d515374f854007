// Writing an index into its file while the cache works.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "files/index.h"
#include "files/workspace.h"
#include "tiercache/file_system.h"

namespace tiercache {

// Takes the place of the file there once all is written and synced. Not thread-safe; the index may
// change meanwhile.
class IndexSaving {
 public:
  // Files changed before `settled` are synced.
  IndexSaving(FileSystem& file_system, Workspace& workspace, const Index& index, FileTime settled,
              std::string path);
  ~IndexSaving();  // leaves nothing half-written, and a directory that is not ours alone
  IndexSaving(const IndexSaving&) = delete;
  IndexSaving& operator=(const IndexSaving&) = delete;

  // Writes the next part, some milliseconds' work. After an error there is no next one.
  IoStatus step(bool* more);

 private:
  IoStatus write_part(bool* more);

  FileSystem& file_system_;
  Workspace& workspace_;
  const std::string path_;
  IndexEncoder encoder_;
  std::string temp_;  // empty: not begun, or in its place
  std::unique_ptr<File> file_;
  std::uint64_t written_ = 0;
  std::string part_;
};

}  // namespace tiercache
