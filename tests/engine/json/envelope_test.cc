#include "json/envelope.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "base/hash.h"
#include "base/hex.h"
#include "engine/json/envelope_fixture.h"

namespace tiercache {
namespace {

const EntryId kId{"prices", "EUR/USD"};

Envelope decoded(std::string_view bytes) {
  Envelope envelope;
  const auto result = decode_envelope(bytes, &envelope);
  EXPECT_TRUE(result.ok()) << result.why << "\n" << bytes;
  return envelope;
}

EnvelopeFault fault_of(std::string_view bytes) {
  Envelope envelope;
  return decode_envelope(bytes, &envelope).fault;
}

// A file with these members and a right header checksum, as no encoder of ours need have written
// it.
std::string file_of(const std::string& members, const std::string& body) {
  std::string file = "{\"tiercache\":" + members;
  const std::uint64_t checksum = hash64(file);
  file += ",\"header_checksum\":\"";
  append_hex64(checksum, &file);
  return file + "\"\n" + body;
}

const std::string kMembers =
    R"("project":"p","dataset":"d","key":"k","kind":"document","version":"1-2","metadata":{},)"
    R"("cache_version":"1.0","checksum":")" +
    Checksum::of("[1]").to_string() + R"(","size":3)";
const std::string kTombstoneMembers =
    R"("project":"p","dataset":"d","key":"k","kind":"tombstone","version":"1-2","metadata":{},)"
    R"("cache_version":"1.0")";

void expect_round_trip(const EntryId& id, const Entry& entry) {
  const std::string file = encode_envelope("project", id, entry);
  const Envelope back = decoded(file);
  EXPECT_EQ(back.project, "project");
  EXPECT_EQ(back.id, id);
  EXPECT_EQ(back.size, entry.document ? entry.document->size() : 0);
  expect_same(back.entry, entry);
  EXPECT_EQ(encode_envelope(back.project, back.id, back.entry), file);
}

TEST(Envelopes, entry_comes_back_as_it_was) {
  Entry entry = document_entry(R"({"rate":1.0833})");
  expect_round_trip(kId, entry);
  entry.clocks = {wall_ms(-1), wall_ms(std::numeric_limits<std::int64_t>::max()),
                  wall_ms(std::numeric_limits<std::int64_t>::min())};
  entry.fresh_for = std::chrono::milliseconds(1500);
  entry.metadata = R"({"etag":"W/\"1\"", "list":[1,{"a":null}]})";
  entry.cache_version = "2.0 \"beta\"";
  expect_round_trip(kId, entry);
  entry.clocks = {};
  entry.version = {std::numeric_limits<std::uint64_t>::max(),
                   std::numeric_limits<std::uint32_t>::max()};
  expect_round_trip({"prices", ""}, entry);
}

TEST(Envelopes, times_are_told_for_people_beside_the_numbers) {
  Entry entry = document_entry("1");
  entry.clocks = {wall_ms(1'700'000'000'123), wall_ms(0), wall_ms(951'782'399'999)};
  const auto json = nlohmann::json::parse(encode_envelope("p", kId, entry));
  EXPECT_EQ(json["last_fetch_utc"], "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(json["last_rich_fetch_utc"], "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(json["invalidated_at_utc"], "2000-02-28T23:59:59.999Z");
  EXPECT_EQ(json["version_utc"], "2023-11-14T22:13:20.000Z");
  const auto gone = nlohmann::json::parse(encode_envelope("p", kId, tombstone_entry()));
  EXPECT_EQ(gone["version_utc"], "2023-11-14T22:13:20.000Z");
  EXPECT_FALSE(gone.contains("last_fetch_utc"));
}

TEST(Envelopes, times_out_of_the_calendar_are_numbers_alone) {
  const auto told = [](std::int64_t ms) {
    Entry entry = document_entry("1");
    entry.clocks.last_fetch = wall_ms(ms);
    const std::string file = encode_envelope("p", kId, entry);
    EXPECT_EQ(decoded(file).entry.clocks, entry.clocks);
    return nlohmann::json::parse(file).value("last_fetch_utc", "");
  };
  constexpr std::int64_t kFirst = -62'167'219'200'000;
  constexpr std::int64_t kLast = 253'402'300'799'999;
  EXPECT_EQ(told(kFirst), "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(told(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(told(kLast), "9999-12-31T23:59:59.999Z");
  for (const std::int64_t ms : {kFirst - 1, kLast + 1, std::numeric_limits<std::int64_t>::min(),
                                std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(told(ms), "") << ms;
  }
}

// The number is the time; what stands beside it for people decides nothing, but no byte of it
// changes unnoticed.
TEST(Envelopes, times_for_people_are_under_the_checksum_and_otherwise_passed_over_I2) {
  std::string file = encode_envelope("p", kId, document_entry("1"));
  file[file.find("2023-11-14T", file.find("last_fetch_utc"))] = '1';
  EXPECT_EQ(fault_of(file), EnvelopeFault::corrupt);
  const std::string members =
      "1," + kMembers + R"(,"last_fetch":5,"last_fetch_utc":"1999-12-31T00:00:00.000Z")";
  EXPECT_EQ(decoded(file_of(members, ",\"data\":[1]}\n")).entry.clocks.last_fetch, wall_ms(5));
}

TEST(Envelopes, tombstone_comes_back_without_content) {
  Entry entry = tombstone_entry();
  expect_round_trip(kId, entry);
  entry.clocks.invalidated_at = wall_ms(5);
  expect_round_trip(kId, entry);
}

TEST(Envelopes, documents_are_kept_byte_for_byte) {
  for (const std::string document : {"1", "{}", " [1,\n2]\n\n", "{\"a\" : 1.0e5 ,\r\n \"data\":{}}",
                                     "\"}\\n\"", "{\"header_checksum\":\"\"}"}) {
    expect_round_trip(kId, document_entry(document));
  }
  expect_round_trip(kId, document_entry("\"" + std::string(3 << 20, 'x') + "\""));
}

TEST(Envelopes, text_of_a_store_that_keeps_values_is_verified_by_its_own_checksum_I2) {
  Entry entry = document_entry(R"({"b":1,"a":2})");
  entry.document = std::make_shared<const std::string>(R"({"a": 2, "b": 1})");
  entry.text_checksum = Checksum::of(*entry.document);
  expect_round_trip(kId, entry);
  std::string file = encode_envelope("project", kId, entry);
  file[file.find("\"b\": 1") + 5] = '3';
  EXPECT_EQ(fault_of(file), EnvelopeFault::corrupt);
}

TEST(Envelopes, any_utf8_key_comes_back_I12) {
  std::string controls;
  for (char c = 0; c < 0x20; ++c) controls += c;
  for (const std::string& key : {controls, std::string("\"\\/"), std::string("../../etc/passwd"),
                                 std::string("\x7f"), std::string("ä€😀"), std::string("\\u0041"),
                                 std::string("\",\"version\":\"9-9"), std::string(2000, '\x01')}) {
    expect_round_trip({key, key}, document_entry("[]"));
  }
}

TEST(Envelopes, file_is_json_whose_data_is_the_document) {
  Entry entry = document_entry("{\"rate\":1.5}");
  entry.metadata = R"({"etag":"x"})";
  const auto json = nlohmann::json::parse(encode_envelope("p", {"d", "k\n\"\x01"}, entry));
  EXPECT_EQ(json["data"], nlohmann::json::parse(*entry.document));
  EXPECT_EQ(json["tiercache"], 1);
  EXPECT_EQ(json["key"], "k\n\"\x01");
  EXPECT_EQ(json["metadata"]["etag"], "x");
  EXPECT_EQ(json["version"], entry.version.to_string());
  EXPECT_EQ(json["last_fetch"], 1'700'000'000'000);
  EXPECT_EQ(json["size"], 12);
  const auto gone = nlohmann::json::parse(encode_envelope("p", kId, tombstone_entry()));
  EXPECT_FALSE(gone.contains("data"));
  EXPECT_FALSE(gone.contains("checksum"));
}

TEST(Envelopes, metadata_is_written_on_one_line) {
  Entry entry = document_entry("[]");
  entry.metadata = "{\n  \"etag\": \"a\\nb\"\r\n}";
  const Envelope back = decoded(encode_envelope("p", kId, entry));
  EXPECT_EQ(back.entry.metadata, "{   \"etag\": \"a\\nb\"  }");
  entry.metadata = "";
  EXPECT_EQ(decoded(encode_envelope("p", kId, entry)).entry.metadata, "{}");
}

std::vector<std::string> sample_files() {
  Entry full = document_entry("{\"rate\":1.0833,\"at\":[1,2,3]}\n");
  full.clocks = {wall_ms(1'700'000'000'000), wall_ms(1'600'000'000'000), wall_ms(3)};
  full.fresh_for = std::chrono::milliseconds(60'000);
  full.metadata = R"({"etag":"\u00e4\"1\""})";
  return {encode_envelope("project", kId, full),
          encode_envelope("p", {"d", ""}, document_entry("1")),
          encode_envelope("p", {"d", "\x01ä"}, tombstone_entry())};
}

TEST(Envelopes, every_change_of_a_single_byte_is_noticed_I2) {
  for (const std::string& file : sample_files()) {
    for (std::size_t at = 0; at < file.size(); ++at) {
      std::string changed = file;
      for (int value = 0; value < 256; ++value) {
        changed[at] = static_cast<char>(value);
        if (changed[at] == file[at]) continue;
        ASSERT_NE(fault_of(changed), EnvelopeFault::none) << "byte " << at << " = " << value;
      }
    }
  }
}

TEST(Envelopes, every_truncation_insertion_and_removal_is_noticed_I2) {
  for (const std::string& file : sample_files()) {
    for (std::size_t at = 0; at < file.size(); ++at) {
      EXPECT_NE(fault_of(file.substr(0, at)), EnvelopeFault::none) << at;
      EXPECT_NE(fault_of(file.substr(at + 1)), EnvelopeFault::none) << at;
      for (char inserted : {'\0', '\n', ' ', '0', '}'}) {
        std::string longer = file;
        longer.insert(at, 1, inserted);
        EXPECT_NE(fault_of(longer), EnvelopeFault::none) << at;
      }
      std::string shorter = file;
      shorter.erase(at, 1);
      EXPECT_NE(fault_of(shorter), EnvelopeFault::none) << at;
    }
    EXPECT_NE(fault_of(file + "\n"), EnvelopeFault::none);
    EXPECT_NE(fault_of(file + file), EnvelopeFault::none);
  }
}

// Blocks of a file that a crash left zeroed, or filled with another file's bytes.
TEST(Envelopes, zeroed_and_mixed_blocks_are_noticed_I2) {
  const std::string one =
      encode_envelope("p", kId, document_entry('"' + std::string(9000, 'a') + '"'));
  const std::string two =
      encode_envelope("p", kId, document_entry('"' + std::string(9000, 'b') + '"'));
  for (std::size_t at = 0; at < one.size(); at += 512) {
    std::string zeroed = one;
    zeroed.replace(at, std::min<std::size_t>(512, one.size() - at),
                   std::min<std::size_t>(512, one.size() - at), '\0');
    EXPECT_EQ(fault_of(zeroed), EnvelopeFault::corrupt);
    if (at == 0) continue;
    EXPECT_EQ(fault_of(one.substr(0, at) + two.substr(at)), EnvelopeFault::corrupt);
  }
  EXPECT_EQ(fault_of(""), EnvelopeFault::corrupt);
  EXPECT_EQ(fault_of(std::string(4096, '\0')), EnvelopeFault::corrupt);
}

TEST(Envelopes, unknown_members_are_passed_over) {
  const std::string extra = R"(,"later":{"a":[1,{"b":"\u0000"}]},"next":1e400)";
  const Envelope envelope = decoded(file_of("1," + kMembers + extra, ",\"data\":[1]}\n"));
  EXPECT_EQ(*envelope.entry.document, "[1]");
  EXPECT_EQ(envelope.id.key, "k");
}

TEST(Envelopes, other_format_is_told_from_corruption) {
  for (const char* format : {"0", "2", "11", "99999999999999999999999"}) {
    const std::string file = file_of(std::string(format) + ",\"anything\":[", "whatever");
    EXPECT_EQ(fault_of(file), EnvelopeFault::other_format) << format;
    Envelope envelope;
    EXPECT_EQ(decode_envelope_header(file, &envelope).fault, EnvelopeFault::other_format);
  }
  for (const char* format : {"", "-1", "\"1\"", "x"}) {
    EXPECT_EQ(fault_of(file_of(std::string(format) + "," + kMembers, ",\"data\":[1]}\n")),
              EnvelopeFault::corrupt);
  }
  std::string flipped = sample_files()[0];
  flipped[13] = '3';
  EXPECT_EQ(fault_of(flipped), EnvelopeFault::corrupt);
}

TEST(Envelopes, header_with_a_right_checksum_but_wrong_members_is_corrupt) {
  const std::string body = ",\"data\":[1]}\n";
  EXPECT_EQ(fault_of(file_of("1," + kMembers, body)), EnvelopeFault::none);
  for (const char* member : {"project", "dataset", "key", "kind", "version", "metadata",
                             "cache_version", "checksum", "size"}) {
    std::string without = kMembers;
    without.replace(without.find(member), 1, "X");
    EXPECT_EQ(fault_of(file_of("1," + without, body)), EnvelopeFault::corrupt) << member;
  }
  for (const char* wrong : {R"("kind":"folder")",
                            R"("kind":1)",
                            R"("version":"01-1")",
                            R"("version":7)",
                            R"("metadata":[])",
                            R"("metadata":"{}")",
                            R"("metadata":{"a":1,"a":2})",
                            R"("size":-1)",
                            R"("size":3.0)",
                            R"("size":4)",
                            R"("size":99999999999999999999)",
                            R"("checksum":"")",
                            R"("last_fetch":"1")",
                            R"("last_fetch":1.5)",
                            R"("fresh_for":null)",
                            R"("key":null)",
                            "",
                            R"("a")",
                            R"("a":)",
                            R"(a:1)",
                            R"("a":1,)",
                            R"("a":1}x)",
                            R"("a":1 2)",
                            R"("a":nul)"}) {
    EXPECT_EQ(fault_of(file_of("1," + kMembers + "," + wrong, body)), EnvelopeFault::corrupt)
        << wrong;
  }
}

TEST(Envelopes, body_that_does_not_fit_the_kind_is_corrupt) {
  for (const char* body :
       {"", "}\n", "\"data\":[1]}\n", ",\"data\":[1]}", ",\"data\":[1]\n", ",\"data\":[1]} ",
        ",\"data\": [1]}\n", ",\"dota\":[1]}\n", ",\"data\":[2]}\n", ",\"data\":[1]}\n\n"}) {
    EXPECT_EQ(fault_of(file_of("1," + kMembers, body)), EnvelopeFault::corrupt) << body;
  }
  EXPECT_EQ(fault_of(file_of("1," + kTombstoneMembers, "}\n")), EnvelopeFault::none);
  EXPECT_EQ(fault_of(file_of("1," + kTombstoneMembers, ",\"data\":[1]}\n")),
            EnvelopeFault::corrupt);
  EXPECT_EQ(fault_of(file_of("1," + kTombstoneMembers + ",\"size\":0", "}\n")),
            EnvelopeFault::corrupt);
}

TEST(EnvelopeHeaders, are_read_from_the_first_bytes_alone) {
  Entry entry = document_entry('"' + std::string(200'000, 'x') + '"');
  entry.metadata = R"({"etag":"1"})";
  const std::string file = encode_envelope("p", kId, entry);
  const std::size_t line = file.find('\n') + 1;
  for (std::size_t bytes : {line, line + 1, std::size_t{4096}, kMaxHeaderBytes, file.size()}) {
    Envelope envelope;
    ASSERT_TRUE(decode_envelope_header({file.data(), bytes}, &envelope).ok());
    EXPECT_EQ(envelope.entry.document, nullptr);
    EXPECT_EQ(envelope.size, 200'002u);
    EXPECT_EQ(envelope.id, kId);
    EXPECT_EQ(envelope.project, "p");
    expect_same_but_document(envelope.entry, entry);
  }
  for (std::size_t bytes = 0; bytes < line; ++bytes) {
    Envelope envelope;
    EXPECT_EQ(decode_envelope_header({file.data(), bytes}, &envelope).fault,
              EnvelopeFault::corrupt);
  }
}

TEST(EnvelopeHeaders, largest_names_and_metadata_keep_within_the_limit) {
  Entry entry = document_entry("1");
  entry.metadata = "{\"a\":\"" + std::string(kMaxMetadataBytes - 8, 'x') + "\"}";
  ASSERT_EQ(entry.metadata.size(), kMaxMetadataBytes);
  ASSERT_TRUE(is_metadata(entry.metadata));
  const std::string file = encode_envelope("p", {"d", std::string(5 << 10, '\x01')}, entry);
  EXPECT_LE(file.find('\n') + 1, kMaxHeaderBytes);
  EXPECT_EQ(decoded(file).entry.metadata, entry.metadata);
}

TEST(EnvelopeHeaders, line_beyond_the_limit_is_not_read) {
  const std::string members = "1," + kMembers + ",\"pad\":\"" + std::string(kMaxHeaderBytes, 'x');
  EXPECT_EQ(fault_of(file_of(members + "\"", ",\"data\":[1]}\n")), EnvelopeFault::corrupt);
}

TEST(EntryHeaders, come_back_as_they_were_without_the_document) {
  Entry entry = document_entry("[1]");
  entry.clocks.last_rich_fetch = wall_ms(2);
  entry.clocks.invalidated_at = wall_ms(-3);
  entry.fresh_for = std::chrono::milliseconds(0);
  entry.metadata = R"({"etag":"\"x\""})";
  for (const Entry& each : {entry, tombstone_entry(), document_entry("1")}) {
    Entry back;
    const std::string json = encode_header(each);
    ASSERT_TRUE(nlohmann::json::accept(json)) << json;
    ASSERT_TRUE(decode_header(json, &back).ok()) << json;
    EXPECT_EQ(back.document, nullptr);
    expect_same_but_document(back, each);
  }
}

TEST(EntryHeaders, are_read_as_jsonb_returns_them) {
  Entry entry = document_entry("[1]");
  entry.metadata = R"({"a": 1})";
  std::string spaced = "\n ";
  spaced += nlohmann::json::parse(encode_header(entry)).dump(2) + " \n";
  Entry back;
  ASSERT_TRUE(decode_header(spaced, &back).ok());
  EXPECT_EQ(back.version, entry.version);
  EXPECT_EQ(back.checksum, entry.checksum);
  EXPECT_EQ(nlohmann::json::parse(back.metadata), nlohmann::json::parse(entry.metadata));
}

TEST(EntryHeaders, malformed_ones_are_refused) {
  const std::string good = encode_header(document_entry("[1]"));
  Entry back;
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_EQ(decode_header(good.substr(0, length), &back).fault, EnvelopeFault::corrupt);
  }
  for (const std::string& bad : {good + "x", good + good, std::string("{}"), std::string("[]"),
                                 std::string("{,}"), '[' + good + ']'}) {
    EXPECT_EQ(decode_header(bad, &back).fault, EnvelopeFault::corrupt) << bad;
  }
}

TEST(Metadata, is_one_object_that_every_store_holds) {
  for (const char* text : {"{}", " {} ", R"({"etag":"x","n":{"a":[1]}})", "\n{\"a\":1}\t"}) {
    EXPECT_TRUE(is_metadata(text)) << text;
  }
  for (const char* text :
       {"", " ", "[]", "1", "null", "\"{}\"", "{", "{}{}", "{} x", "{\"a\":1,}", R"({"a":1,"a":2})",
        R"({"a":"\u0000"})", R"({"a":1e-20000})", "{\"a\":\"\xff\"}"}) {
    EXPECT_FALSE(is_metadata(text)) << text;
  }
  EXPECT_FALSE(is_metadata("{\"a\":\"" + std::string(kMaxMetadataBytes - 7, 'x') + "\"}"));
}

}  // namespace
}  // namespace tiercache
