#include "cache/local/shared_counters.h"

#include "base/generations.h"
#include "base/same_file.h"
#include "base/write_order.h"

namespace tiercache::detail {

SharedCounters::SharedCounters(Runtime& runtime)
    : runtime_(runtime), path_(runtime.path("generations")) {}

std::shared_ptr<std::uint32_t> SharedCounters::map() {
  FileSystem& file_system = *runtime_.file_system;
  std::shared_ptr<std::uint32_t> shared;
  bool remote = false;
  IoStatus status = file_system.is_remote(runtime_.options.directory.string(), &remote);
  if (status.ok() && !remote) {
    status = file_system.map_counters(path_, Generations::kCounters + WriteOrder::kCells, &shared);
  }
  identity_ = shared ? identity_of(file_system, path_) : 0;
  if (!status.ok()) {
    runtime_.log.warn(LogTopic::files,
                      "other processes' writes are seen within memory.ttl only: {}", status.what);
  }
  return shared;
}

bool SharedCounters::stand() const {
  const std::uint64_t identity = identity_;
  return identity == 0 || still_leads_to(*runtime_.file_system, path_, identity);
}

}  // namespace tiercache::detail
