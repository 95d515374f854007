// Any bytes as an index, with a checksum that holds: what is taken must be the one form of what it
// says.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "expect.h"
#include "files/index/index.h"

namespace tiercache {
namespace {

std::string sealed(std::string bytes) {
  const Checksum checksum = Checksum::of(bytes);
  for (const std::uint64_t half : {checksum.high, checksum.low}) {
    for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(half >> (8 * i)));
  }
  return bytes;
}

// There is one form of each index; what came as format 1 is written as the present one.
void check_form(const Index& index, FileTime settled, std::string_view bytes) {
  constexpr std::size_t kFormatAt = 8;
  const std::string written = index.encode(settled);
  if (bytes[kFormatAt] == written[kFormatAt]) {
    TIERCACHE_FUZZ_EXPECT(written == bytes);
    return;
  }
  Index again;
  TIERCACHE_FUZZ_EXPECT(again.decode(written) && again.encode(settled) == written);
}

void check_unsealed(std::string_view input) {
  Index index;
  FileTime settled = 0;
  if (index.decode(input, &settled)) check_form(index, settled, input);
}

void check_index(std::string_view input) {
  const std::string bytes = sealed(std::string(input));
  check_unsealed(input);
  Index index;
  FileTime settled = 0;
  if (!index.decode(bytes, &settled)) {
    TIERCACHE_FUZZ_EXPECT(index.size() == 0);
    return;
  }
  check_form(index, settled, bytes);
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
