// What a disk says that only takes nothing new: full, out of inodes, over a quota, mounted for
// reading.
#pragma once

#include <cerrno>

namespace tiercache {

// Files can be read as before, and one day the disk may take some again. That the process or the
// machine has no descriptor left counts too.
inline bool refuses_for_now(int error) {
  return error == ENOSPC || error == EDQUOT || error == EROFS || error == EMFILE || error == ENFILE;
}

}  // namespace tiercache
