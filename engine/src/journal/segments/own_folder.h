// The journal's own folder, where new segments go, and why nothing can be written there just now.
//
// There is none in two cases. Either the disk did not take a folder when the journal was opened,
// and the journal is `away`. Or somebody deleted one of the journal's folders while it was open,
// and the journal is being restored. Until there is a new folder every new record is refused, while
// what the journal already has is still served.
#pragma once

#include <memory>
#include <string>

#include "base/mutex.h"
#include "journal/segments/journal_folder.h"
#include "tiercache/file_system.h"

namespace tiercache {

// Owned by the journal. Thread-safe, but for the functions that are said to be for one thread at a
// time. Its own small lock guards the fields; no other lock is taken under it.
class OwnFolder {
 public:
  // The folder is `<directory>/<name>`, or has a number behind the name where that was used.
  OwnFolder(FileSystem& file_system, std::string directory, std::string name);

  // Null after `close`. While the journal is away it is a stand-in that counts as deleted.
  std::shared_ptr<JournalFolder> get() const;
  // Why there is no folder yet; success once there is one.
  IoStatus away() const;
  // True if a folder was made, even if somebody has deleted it since.
  bool is_there() const;
  // Why no record can be written now; success if records can be written.
  IoStatus refusal() const;
  // Lets go of the folder.
  void close();

  // Refuses all records until `end_restoring(true)`, since a folder was found deleted. False if
  // this is closed.
  bool begin_restoring();
  // `whole` says whether all that can be had is in the new folder; else the refusals go on.
  void end_restoring(bool whole);
  bool is_restoring() const;

  // The following are for one thread at a time: first the one that opens the journal, and then the
  // one that has the turn to write.

  // Makes the folder and takes its lock. If the disk takes nothing just now, the journal is away,
  // which is a success. An error means that the journal cannot be used.
  IoStatus open();
  // Makes the folder of a journal that is away.
  IoStatus come_back();
  // Makes another folder to take the place of one that was deleted.
  IoStatus replace();

 private:
  // Makes a folder under a name that is not used, locks it and syncs the directories above it.
  IoStatus make(std::shared_ptr<JournalFolder>* out);
  IoStatus take_lock(JournalFolder* made);
  // A folder that stands for one that the disk does not take.
  std::shared_ptr<JournalFolder> make_stand_in() const;

  FileSystem& file_system_;
  const std::string directory_;
  const std::string name_;
  int names_used_ = 0;  // used by one thread at a time, as said above

  mutable Mutex mutex_;
  std::shared_ptr<JournalFolder> folder_ TIERCACHE_GUARDED_BY(mutex_);
  IoStatus away_ TIERCACHE_GUARDED_BY(mutex_);
  bool restoring_ TIERCACHE_GUARDED_BY(mutex_) = false;
};

}  // namespace tiercache
