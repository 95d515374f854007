// What a scrub found, in words.
#include <cstdint>
#include <string>

#include "base/spoken.h"
#include "tiercache/scrub.h"

namespace tiercache {

std::string ScrubReport::to_string() const {
  std::string text = counted(keys, "key") + ", " + counted(differences(), "difference");
  const auto add = [&](const char* name, std::uint64_t count) {
    if (count > 0) text += ", " + std::string(name) + " " + std::to_string(count);
  };
  add("file corrupt", file_corrupt);
  add("file lost", file_lost);
  add("index wrong", index_wrong);
  add("memory differs", memory_differs);
  add("store ahead", store_ahead);
  add("store behind", store_behind);
  add("store missing", store_missing);
  add("store corrupt", store_corrupt);
  add("store differs", store_differs);
  add("left to the journal", unsettled);
  add("repaired", repaired);
  add("not repaired", failed);
  if (!complete) text += ", ended early";
  if (!why.empty()) text += " (" + why + ")";
  return text;
}

}  // namespace tiercache
