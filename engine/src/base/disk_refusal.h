// Disks that refuse: which errors mean only that nothing new is taken just now, and what a person
// can do about an error.
#pragma once

#include <cerrno>
#include <string>

namespace tiercache {

// True if the disk is full, out of inodes, over a quota or mounted read-only: files can be read as
// before, and the disk may accept new ones some day. That the process or the machine has no file
// descriptor left counts as well.
inline bool refuses_for_now(int error) {
  return error == ENOSPC || error == EDQUOT || error == EROFS || error == EMFILE || error == ENFILE;
}

// What to do about the error, as the end of "To go on, …". `otherwise` is for errors that say
// nothing of their own, above all missing rights.
inline std::string advice_for(int error, std::string otherwise) {
  switch (error) {
    case EMFILE:
      return "let this process open more files (ulimit -n)";
    case ENFILE:
      return "let this machine open more files (fs.file-max)";
    case ENOSPC:
      return "make room on its disk, and see to it that it has inodes left";
    case EDQUOT:
      return "make room within this user's quota";
    case EROFS:
      return "mount its file system for writing";
    case EIO:
      return "check its disk, which failed";
    default:
      return otherwise;
  }
}

}  // namespace tiercache
