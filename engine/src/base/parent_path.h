// The directory that a path names a file or a directory in.
#pragma once

#include <string>

namespace tiercache {

// Slashes at the end do not count. "." for a bare name; "/" is its own parent.
inline std::string parent_of(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  const std::size_t slash = end == std::string::npos ? end : path.rfind('/', end);
  if (slash == std::string::npos) return path.starts_with('/') ? "/" : ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace tiercache
