#include "cache/local/corrupt_rows.h"

#include <cstddef>

#include "json/reader.h"

namespace tiercache::detail {

void CorruptRows::keep_aside(const EntryId& id, const std::shared_ptr<const std::string>& text) {
  constexpr std::size_t kRemembered = 1'000;
  const std::string of = Checksum::of(id.dataset + '\0' + id.key).to_string();
  const std::string name = "row-" + of + "-" + Checksum::of(*text).to_string();
  {
    Lock lock(mutex_);
    if (kept_.size() >= kRemembered) kept_.clear();
    if (!kept_.insert(name).second) return;
  }
  runtime_.tasks.post(Lane::disk, [this, name, id, text] {
    std::string bytes = "tiercache-row 1 ";
    append_json_string(id.dataset, &bytes);
    append_json_string(id.key, &(bytes += ' '));
    bytes += '\n' + *text;
    if (local_.files().stands() && local_.quarantine().write(name, bytes).ok()) return;
    runtime_.log.warn(LogTopic::store, "a corrupt row of the store could not be kept aside");
    Lock lock(mutex_);
    kept_.erase(name);
  });
}

}  // namespace tiercache::detail
