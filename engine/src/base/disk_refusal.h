// Which errors mean only that a disk takes nothing new: it is full, out of inodes, over a quota, or
// mounted read-only.
#pragma once

#include <cerrno>

namespace tiercache {

// True if files can be read as before and the disk may accept new ones some day. That the process
// or the machine has no file descriptor left counts as well.
inline bool refuses_for_now(int error) {
  return error == ENOSPC || error == EDQUOT || error == EROFS || error == EMFILE || error == ENFILE;
}

}  // namespace tiercache
