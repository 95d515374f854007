// What the conformance cases share: the store under test, entries to save, and comparisons of rows.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tiercache/clock.h"
#include "tiercache/store.h"

namespace tiercache::testing {

// The store that the suite is run against.
//
// | field                | meaning                                            | default       |
// |----------------------|----------------------------------------------------|---------------|
// | name                 | part of the cases' names                           | required      |
// | open                 | returns an empty store; called once for each case  | required      |
// | reopen               | opens what `open` returned last, as after a        | not tested    |
// |                      | restart                                            |               |
// | keeps_bytes          | whether documents come back byte for byte; false:  | true          |
// |                      | equal as JSON                                      |               |
// | large_document_bytes | size of the largest document that is tried, if the | 4 MiB         |
// |                      | store allows it                                    |               |
// | clock                | the clock of the deadlines                         | the machine's |
struct StoreUnderTest {
  std::string name;
  std::function<std::shared_ptr<Store>()> open;
  std::function<std::shared_ptr<Store>()> reopen = nullptr;
  bool keeps_bytes = true;
  std::size_t large_document_bytes = 4 << 20;
  std::shared_ptr<Clock> clock = system_clock();

  friend void PrintTo(const StoreUnderTest& store, std::ostream* out) { *out << store.name; }
};

// Names the cases after their store. Pass it as the third argument of INSTANTIATE_TEST_SUITE_P.
inline std::string store_name(const ::testing::TestParamInfo<StoreUnderTest>& store) {
  return store.param.name;
}

// The suite's fixture. Each case has an empty store of its own, and a project that no other run has
// used.
class StoreConformance : public ::testing::TestWithParam<StoreUnderTest> {
 protected:
  StoreConformance() : store_(GetParam().open()) {
    std::random_device random;
    project_ = named("conformance-", random()) + named("-", random());
  }

  // A deadline that only a store that hangs can reach, and one that has passed.
  SteadyTime patience() const { return GetParam().clock->steady_now() + std::chrono::minutes(2); }
  SteadyTime passed() const { return GetParam().clock->steady_now() - std::chrono::seconds(1); }

  // A version of a plausible time; a larger number makes a newer one.
  static Version version(std::uint64_t number, std::uint32_t writer = 7) {
    return {(std::uint64_t{1'700'000'000'000} << Version::kCounterBits) + number, writer};
  }
  static WallTime at(std::int64_t ms) { return WallTime(std::chrono::milliseconds(ms)); }

  // "a7" from "a" and 7. Not written as "a" + std::to_string(7), because g++ 12 warns of that in
  // optimised code (its bug 105651).
  template <std::integral Number>
  static std::string named(std::string_view name, Number number) {
    return std::string(name).append(std::to_string(number));
  }
  // A JSON text of this size.
  static std::string long_text(std::size_t size) {
    std::string text(size, 'x');
    text.front() = text.back() = '"';
    return text;
  }
  // An entry of this version with a document, and a tombstone of this version.
  static Entry document(std::uint64_t number, std::string json = R"({"a": 1})") {
    Entry entry;
    entry.version = version(number);
    entry.checksum = Checksum::of(json);
    entry.document = std::make_shared<const std::string>(std::move(json));
    return entry;
  }
  static Entry tombstone(std::uint64_t number) {
    Entry entry;
    entry.kind = EntryKind::tombstone;
    entry.version = version(number);
    return entry;
  }
  // An entry whose document names its version.
  static Entry numbered(std::uint64_t number) {
    return document(number, named("{\"n\": ", number) + "}");
  }
  static Entry with_fetch(Entry entry, std::int64_t last_fetch_ms) {
    entry.clocks.last_fetch = at(last_fetch_ms);
    return entry;
  }
  static Entry with_metadata(Entry entry, std::string metadata) {
    entry.metadata = std::move(metadata);
    return entry;
  }
  // A write of content, one with a guard, and one of clocks alone.
  static StoreWrite content(EntryId id, Entry entry) {
    return {StoreWrite::Kind::content, std::move(id), std::move(entry), std::nullopt};
  }
  static StoreWrite guarded(EntryId id, Entry entry, Version not_newer_than) {
    return {StoreWrite::Kind::content, std::move(id), std::move(entry), not_newer_than};
  }
  static StoreWrite clocks(EntryId id, Entry entry) {
    return {StoreWrite::Kind::clocks, std::move(id), std::move(entry), std::nullopt};
  }

  // Each of these makes a call that has to end with `ok`.
  std::vector<SaveResult> save_all(const std::vector<StoreWrite>& writes) {
    SaveReply reply = store_->save(project_, writes, patience());
    EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
    EXPECT_EQ(reply.results.size(), writes.size());
    reply.results.resize(writes.size());
    return std::move(reply.results);
  }
  SaveResult save(const StoreWrite& write) { return save_all({write}).front(); }
  SaveOutcome outcome(const StoreWrite& write) { return save(write).outcome; }

  EntryPtr load_from(const std::string& project, const EntryId& id) {
    const LoadReply reply = store_->load(project, std::vector{id}, patience());
    EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
    if (reply.entries.size() != 1 || reply.corrupt.size() != 1) {
      ADD_FAILURE() << "one id was asked for";
      return nullptr;
    }
    EXPECT_FALSE(reply.corrupt[0]);
    return reply.entries[0];
  }
  EntryPtr load(const EntryId& id) { return load_from(project_, id); }

  PurgeReply purge(const PurgeRequest& request) {
    PurgeReply reply = store_->purge(project_, request, patience());
    EXPECT_EQ(reply.status, StoreStatus::ok) << reply.message;
    return reply;
  }
  PurgeReply purge_below(std::uint64_t number) {
    PurgeRequest request;
    request.tombstones_below = version(number);
    return purge(request);
  }
  PurgeReply expire(const std::string& dataset, std::int64_t before_ms) {
    PurgeRequest request;
    request.expired = {{dataset, at(before_ms)}};
    return purge(request);
  }

  // Reads all pages of `limit` entries, one after the other.
  std::vector<ScannedEntry> scan_all(const std::string& dataset, std::size_t limit) {
    std::vector<ScannedEntry> all;
    std::string cursor;
    do {
      ScanReply page = store_->scan(project_, dataset, cursor, limit, patience());
      EXPECT_EQ(page.status, StoreStatus::ok) << page.message;
      EXPECT_LE(page.entries.size(), limit);
      if (page.status != StoreStatus::ok || (page.entries.empty() && page.next == cursor)) break;
      for (ScannedEntry& scanned : page.entries) all.push_back(std::move(scanned));
      cursor = page.next;
    } while (!cursor.empty() && all.size() < 1'000'000);
    return all;
  }

  // Compare as the store keeps documents: byte for byte, or as JSON (`keeps_bytes`).
  void expect_json(const std::string& actual, const std::string& expected) const {
    if (GetParam().keeps_bytes) {
      EXPECT_EQ(actual, expected);
    } else {
      EXPECT_EQ(nlohmann::json::parse(actual), nlohmann::json::parse(expected));
    }
  }

  void expect_entry(const EntryPtr& actual, const Entry& expected) const {
    ASSERT_NE(actual, nullptr);
    EXPECT_EQ(actual->kind, expected.kind);
    EXPECT_EQ(actual->version, expected.version);
    EXPECT_EQ(actual->checksum, expected.checksum);
    EXPECT_EQ(actual->clocks, expected.clocks);
    EXPECT_EQ(actual->cache_version, expected.cache_version);
    EXPECT_EQ(actual->fresh_for, expected.fresh_for);
    expect_json(actual->metadata, expected.metadata);
    ASSERT_EQ(actual->document == nullptr, expected.document == nullptr);
    if (!expected.document) return;
    expect_json(*actual->document, *expected.document);
    EXPECT_EQ(actual->text_checksum.value_or(actual->checksum), Checksum::of(*actual->document));
  }
  void expect_row(const EntryId& id, const Entry& expected) { expect_entry(load(id), expected); }

  std::shared_ptr<Store> store_;
  std::string project_;
};

}  // namespace tiercache::testing
