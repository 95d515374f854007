#include <gtest/gtest.h>

#include "tiercache/refresh.h"

namespace tiercache {
namespace {

EntryPtr entry_with(const std::string& metadata) {
  auto entry = std::make_shared<Entry>();
  entry->metadata = metadata;
  return entry;
}

RefreshContext context_with(const std::string& metadata) {
  return {EntryId{"prices", "eur"}, entry_with(metadata), false, kNever, kNever};
}

TEST(RefreshContext, metadata_of_the_previous_entry_is_read_by_name) {
  const auto context =
      context_with(R"({"etag":"\"a\u00e9\"","last_modified":"Tue","n":12,"o":{"a":[1]}})");
  EXPECT_EQ(context.previous_metadata("etag"), "\"aé\"");
  EXPECT_EQ(context.previous_metadata("last_modified"), "Tue");
  EXPECT_EQ(context.previous_metadata("n"), "12");
  EXPECT_EQ(context.previous_metadata("o"), R"({"a":[1]})");
  EXPECT_EQ(context.previous_metadata("none"), "");
}

TEST(RefreshContext, metadata_that_is_no_object_is_as_if_absent) {
  for (const char* metadata : {"", "[]", "{", "null", "{\"etag\":}", "\xff"}) {
    EXPECT_EQ(context_with(metadata).previous_metadata("etag"), "") << metadata;
  }
  EXPECT_EQ(RefreshContext().previous_metadata("etag"), "");
}

TEST(RefreshContext, cancel_is_seen_by_every_copy) {
  const auto context = context_with("{}");
  const RefreshContext copy = context;
  EXPECT_FALSE(copy.cancelled());
  context.cancel();
  EXPECT_TRUE(copy.cancelled());
  EXPECT_FALSE(context_with("{}").cancelled());
}

}  // namespace
}  // namespace tiercache
