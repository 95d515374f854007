// Any bytes as an entry file. Random bytes hardly ever have right checksums, so the same bytes are
// also tried as the members and the document of a file whose checksums are right, as a header on
// its own, and as the values of an entry.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/hex.h"
#include "expect.h"
#include "json/document.h"
#include "json/envelope.h"
#include "json/reader.h"

namespace tiercache {
namespace {

bool same(const Entry& a, const Entry& b) {
  const bool same_document =
      a.document && b.document ? *a.document == *b.document : a.document == b.document;
  return same_document && a.kind == b.kind && a.version == b.version && a.checksum == b.checksum &&
         a.clocks == b.clocks && a.metadata == b.metadata && a.cache_version == b.cache_version &&
         a.fresh_for == b.fresh_for;
}

void expect_header_agrees(std::string_view file, const Envelope& envelope) {
  Envelope header;
  TIERCACHE_FUZZ_EXPECT(decode_envelope_header(file, &header).ok());
  TIERCACHE_FUZZ_EXPECT(header.id == envelope.id && header.size == envelope.size);
  Entry entry;
  TIERCACHE_FUZZ_EXPECT(decode_header(encode_header(envelope.entry), &entry).ok());
  entry.document = envelope.entry.document;
  header.entry.document = envelope.entry.document;
  TIERCACHE_FUZZ_EXPECT(same(entry, envelope.entry) && same(header.entry, envelope.entry));
}

// What decodes is encoded to a file that decodes to the same and is encoded to itself.
void check_file(std::string_view file) {
  Envelope first;
  const auto result = decode_envelope(file, &first);
  TIERCACHE_FUZZ_EXPECT(result.ok() == result.why.empty());
  if (!result.ok()) return;
  const std::string canonical = encode_envelope(first.project, first.id, first.entry);
  if (canonical.find('\n') >= kMaxHeaderBytes) return;
  Envelope second;
  TIERCACHE_FUZZ_EXPECT(decode_envelope(canonical, &second).ok());
  // Metadata may have had carriage returns, which become spaces.
  if (first.entry.metadata.find('\r') == std::string::npos) {
    TIERCACHE_FUZZ_EXPECT(same(first.entry, second.entry));
  }
  TIERCACHE_FUZZ_EXPECT(first.project == second.project && first.id == second.id);
  TIERCACHE_FUZZ_EXPECT(encode_envelope(second.project, second.id, second.entry) == canonical);
  expect_header_agrees(canonical, second);
}

std::string with_header_checksum(std::string members) {
  const std::uint64_t checksum = hash64(members);
  members += ",\"header_checksum\":\"";
  append_hex64(checksum, &members);
  return members + "\"\n";
}

// The first line is the members that come last in the header, the rest the document.
void check_members(std::string_view bytes) {
  const std::size_t line = std::min(bytes.find('\n'), bytes.size());
  const std::string document(bytes.substr(std::min(line + 1, bytes.size())));
  const std::string common = "{\"tiercache\":1,\"project\":\"p\",\"dataset\":\"d\",\"key\":\"k\"," +
                             std::string("\"version\":\"1-1\",\"metadata\":{},") +
                             "\"cache_version\":\"1.0\"";
  const std::string content = ",\"checksum\":\"" + Checksum::of(document).to_string() +
                              "\",\"size\":" + std::to_string(document.size());
  const std::string members(bytes.substr(0, line));
  check_file(with_header_checksum("{\"tiercache\":" + members) + ",\"data\":" + document + "}\n");
  check_file(with_header_checksum(common + content + ",\"kind\":\"document\"," + members) +
             ",\"data\":" + document + "}\n");
  check_file(with_header_checksum(common + ",\"kind\":\"tombstone\"," + members) + "}\n");
}

void check_header(std::string_view bytes) {
  Entry first;
  if (!decode_header(bytes, &first).ok()) return;
  Entry second;
  TIERCACHE_FUZZ_EXPECT(decode_header(encode_header(first), &second).ok());
  TIERCACHE_FUZZ_EXPECT(encode_header(second) == encode_header(first));
}

bool is_utf8(std::string_view text) {
  std::string quoted;
  append_json_string(text, &quoted);
  return !check_document(quoted, {});
}

// The bytes as project, dataset, key and document at once.
void check_values(std::string_view bytes) {
  if (!is_utf8(bytes)) return;
  const std::string text(bytes);
  Entry entry;
  entry.version = {hash64(text), 1};
  entry.document = std::make_shared<const std::string>(text);
  entry.checksum = Checksum::of(text);
  entry.metadata = is_metadata(text) ? text : "{}";
  entry.cache_version = text;
  Envelope envelope;
  const std::string file = encode_envelope(text, {text, text}, entry);
  if (file.find('\n') >= kMaxHeaderBytes) return;
  TIERCACHE_FUZZ_EXPECT(decode_envelope(file, &envelope).ok());
  TIERCACHE_FUZZ_EXPECT(envelope.project == text && envelope.id == (EntryId{text, text}));
  TIERCACHE_FUZZ_EXPECT(*envelope.entry.document == text && envelope.entry.cache_version == text);
  check_file(file);
}

}  // namespace
}  // namespace tiercache

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  tiercache::check_file(bytes);
  tiercache::check_members(bytes);
  tiercache::check_header(bytes);
  tiercache::check_values(bytes);
  return 0;
}
