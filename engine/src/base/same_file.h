// Whether a name still leads to the file that was opened or locked by it. Somebody may have deleted
// the file or put another one in its place.
#pragma once

#include <cstdint>
#include <string>

#include "tiercache/file_system.h"

namespace tiercache {

// The identity of the file that the name leads to now; 0 if that cannot be told.
inline std::uint64_t identity_of(FileSystem& file_system, const std::string& path) {
  FileInfo info;
  return file_system.info(path, &info).ok() ? info.identity : 0;
}

// `identity` is the file's own, asked while it was held open. A disk that does not answer says
// nothing about the name, so the answer is then true.
inline bool still_leads_to(FileSystem& file_system, const std::string& path,
                           std::uint64_t identity) {
  FileInfo info;
  const IoStatus status = file_system.info(path, &info);
  if (!status.ok()) return !status.absent();
  return identity == 0 || info.identity == 0 || info.identity == identity;
}

}  // namespace tiercache
