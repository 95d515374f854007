// Any bytes as an index, with a checksum that holds: what is taken must be the one form of what it
// says.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "expect.h"
#include "files/index.h"

namespace tiercache {
namespace {

std::string sealed(std::string bytes) {
  const Checksum checksum = Checksum::of(bytes);
  for (const std::uint64_t half : {checksum.high, checksum.low}) {
    for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(half >> (8 * i)));
  }
  return bytes;
}

void check_index(std::string_view input) {
  Index unsealed;
  if (unsealed.decode(input)) TIERCACHE_FUZZ_EXPECT(unsealed.encode() == input);

  const std::string bytes = sealed(std::string(input));
  Index index;
  if (!index.decode(bytes)) {
    TIERCACHE_FUZZ_EXPECT(index.size() == 0);
    return;
  }
  TIERCACHE_FUZZ_EXPECT(index.encode() == bytes);
  std::uint64_t items = 0;
  for (const std::string& dataset : index.datasets()) {
    std::uint64_t documents = 0;
    index.for_each(dataset, [&](const std::string& key, const IndexItem& item) {
      ++items;
      documents += item.kind == EntryKind::document ? 1 : 0;
      TIERCACHE_FUZZ_EXPECT(index.find({dataset, key}) == item);
    });
    TIERCACHE_FUZZ_EXPECT(index.count(dataset) == documents);
    TIERCACHE_FUZZ_EXPECT(index.page(dataset, std::nullopt, SIZE_MAX).size() == documents);
  }
  TIERCACHE_FUZZ_EXPECT(index.size() == items);
}

}  // namespace
}  // namespace tiercache

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tiercache::check_index({reinterpret_cast<const char*>(data), size});
  return 0;
}
