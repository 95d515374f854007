// The journal's own folder, where new segments go, and why nothing can be written there just now.
//
// It is missing in two cases: the disk would not take a folder when the journal was opened (it is
// `away`), or somebody deleted one of the journal's folders while it was open (then it is being
// restored). Until there is a new one every record is refused, and what is there is served.
#pragma once

#include <memory>
#include <string>

#include "base/mutex.h"
#include "journal/journal_folder.h"
#include "tiercache/file_system.h"

namespace tiercache {

// Thread-safe, but for what is said to be of one thread at a time.
class OwnFolder {
 public:
  // `<directory>/<name>`, or with a number behind it where that name was used.
  OwnFolder(FileSystem& file_system, std::string directory, std::string name);

  // Null once closed.
  std::shared_ptr<JournalFolder> get() const;
  // Why there is no folder yet; success once there is one.
  IoStatus away() const;
  // There is a folder, deleted or not.
  bool is_there() const;
  // Why no record can be written now; success: it can.
  IoStatus refusal() const;
  void close();

  // A folder was found deleted: until `restored` all records are refused. False once closed.
  bool begin_restoring();
  void end_restoring(bool whole);
  bool is_restoring() const;

  // The following by one thread at a time: who opens the journal, then who has the turn to write.

  // Makes the folder and takes its lock. Where the disk refuses for now the journal is away; an
  // error says that it cannot be used.
  IoStatus open();
  // Makes the folder of a journal that is away.
  IoStatus come_back();
  // Makes another one, in the place of one that was deleted.
  IoStatus replace();

 private:
  IoStatus make(std::shared_ptr<JournalFolder>* out);
  IoStatus take_lock(JournalFolder* made);
  // Stands for one that the disk does not take.
  std::shared_ptr<JournalFolder> missing() const;

  FileSystem& file_system_;
  const std::string directory_;
  const std::string name_;
  int names_used_ = 0;  // by one thread at a time

  mutable Mutex mutex_;
  std::shared_ptr<JournalFolder> folder_ TIERCACHE_GUARDED_BY(mutex_);
  IoStatus away_ TIERCACHE_GUARDED_BY(mutex_);
  bool restoring_ TIERCACHE_GUARDED_BY(mutex_) = false;
};

}  // namespace tiercache
