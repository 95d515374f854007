// The health of each part that can fail by itself, kept apart so that the success of one does not
// hide the failure of another.
#pragma once

#include "base/log.h"
#include "cache/runtime/health_mark.h"
#include "tiercache/clock.h"

namespace tiercache::detail {

// Thread-safe, as each mark is. `log` and `clock` must outlive it.
struct HealthMarks {
  HealthMarks(Log& log, const Clock& clock);

  HealthMark directory;  // deleted, and not made anew
  HealthMark file_reads, file_writes, file_syncs;
  HealthMark journal;
  HealthMark adoption;  // of the journals of caches that stopped
  HealthMark store;     // told by the breaker
  HealthMark saves;     // one write fails alone, while the store answers others
  HealthMark feed;      // held up by something in the store
  HealthMark hints;     // the store's hints of changes do not come
};

}  // namespace tiercache::detail
