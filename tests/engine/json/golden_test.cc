// The files under golden/ are what released versions wrote: they are read for ever. One that no
// longer comes out byte for byte means that the format changed and needs a new number, or that a
// member was added which old readers pass over. golden/numbers_alone/ is from before times were
// told for people too.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "engine/json/envelope_fixture.h"
#include "json/envelope.h"

namespace tiercache {
namespace {

struct Golden {
  std::string file;
  std::string project;
  EntryId id;
  Entry entry;
};

Entry with_all_clocks() {
  Entry entry = document_entry("{\"total\":1200,\"currency\":\"EUR\"}");
  entry.clocks = {wall_ms(1'700'000'000'123), wall_ms(1'699'900'000'000),
                  wall_ms(1'700'000'100'000)};
  entry.fresh_for = std::chrono::milliseconds(90'000);
  entry.cache_version = "2.1";
  return entry;
}

Entry with_metadata() {
  Entry entry = document_entry("[1, 2.50, 1e400, \"\\u00e4\"]\n");
  entry.metadata = R"({"etag":"W/\"33a64df5\"","last_modified":"Tue, 14 Nov 2023 22:13:20 GMT",)"
                   R"("tries":[1,null]})";
  return entry;
}

std::vector<Golden> goldens() {
  Entry tombstone = tombstone_entry();
  tombstone.clocks.invalidated_at = wall_ms(1'700'000'000'000);
  return {
      {"document.json", "shop", {"prices", ""}, document_entry("{\"EUR\":1.0833}")},
      {"tombstone.json", "shop", {"donations", "42"}, tombstone},
      {"odd_key.json",
       "sh\"op",
       {"übersicht", "../a\\b\"\n\x01\x7f ä€😀/\",\"kind\":\"x"},
       document_entry("\"text\"")},
      {"metadata.json", "shop", {"quotas", "user:7"}, with_metadata()},
      {"all_clocks.json", "shop", {"donations", "7"}, with_all_clocks()},
  };
}

std::string read(const Golden& golden, const std::string& folder = "") {
  const std::string path = TIERCACHE_GOLDEN_DIR "/" + folder + golden.file;
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

TEST(GoldenEntryFiles, are_encoded_byte_for_byte) {
  for (const Golden& golden : goldens()) {
    EXPECT_EQ(encode_envelope(golden.project, golden.id, golden.entry), read(golden))
        << golden.file;
  }
}

TEST(GoldenEntryFiles, are_decoded_to_the_same_entry) {
  for (const std::string folder : {"", "numbers_alone/"}) {
    for (const Golden& golden : goldens()) {
      Envelope envelope;
      const auto result = decode_envelope(read(golden, folder), &envelope);
      ASSERT_TRUE(result.ok()) << folder << golden.file << ": " << result.why;
      EXPECT_EQ(envelope.project, golden.project);
      EXPECT_EQ(envelope.id, golden.id);
      expect_same(envelope.entry, golden.entry);
    }
  }
}

}  // namespace
}  // namespace tiercache
