// The example's own store: what every store must do, and what only a file of lines can suffer.
#include "custom_store/line_store.h"

#include <fstream>
#include <iterator>

#include "common/scratch.h"
#include "tiercache/testing/store_conformance.h"

namespace tiercache::testing {
namespace {

using example::LineStore;

// One directory for all cases: each has a project of its own.
const std::filesystem::path& line_file() {
  static const example::Scratch scratch;
  static const std::filesystem::path file = scratch.path() / "store.jsonl";
  return file;
}

INSTANTIATE_TEST_SUITE_P(Lines, StoreConformance,
                         ::testing::Values(StoreUnderTest{
                             .name = "lines",
                             .open = [] { return std::make_shared<LineStore>(line_file()); },
                             .reopen = [] { return std::make_shared<LineStore>(line_file()); }}),
                         store_name);

class LineFile : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return scratch_.path() / "store.jsonl"; }
  std::string text() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  static StoreWrite write(std::uint64_t time, const std::string& document) {
    StoreWrite write;
    write.id = {"d", "k"};
    write.entry.version = {time, 1};
    write.entry.checksum = Checksum::of(document);
    write.entry.document = std::make_shared<const std::string>(document);
    return write;
  }
  void save(LineStore& store, const StoreWrite& one) {
    const auto reply = store.save("p", {&one, 1}, kNever);
    ASSERT_EQ(reply.status, StoreStatus::ok) << reply.message;
  }
  std::string load(LineStore& store) {
    const EntryId id{"d", "k"};
    const auto reply = store.load("p", {&id, 1}, kNever);
    return reply.entries.at(0) ? *reply.entries.at(0)->document : "(none)";
  }

  example::Scratch scratch_;
};

TEST_F(LineFile, torn_last_line_is_cut_wherever_it_tore) {
  {
    LineStore store(file());
    save(store, write(1, "[1]"));
  }
  const std::string whole = text();
  {
    LineStore store(file());
    save(store, write(2, "[2]"));
  }
  const std::string both = text();
  for (std::size_t size = whole.size(); size < both.size(); ++size) {
    std::ofstream(file(), std::ios::binary) << both.substr(0, size);
    LineStore store(file());
    EXPECT_EQ(load(store), "[1]") << size;
    EXPECT_EQ(text(), whole) << size;
    save(store, write(3, "[3]"));
    EXPECT_EQ(load(store), "[3]") << size;
  }
}

TEST_F(LineFile, damaged_line_is_an_error_that_names_it) {
  {
    LineStore store(file());
    save(store, write(1, "[1]"));
    save(store, write(2, "[2]"));
  }
  std::string damaged = text();
  damaged[damaged.find("[1]") + 1] = '7';
  std::ofstream(file(), std::ios::binary) << damaged;
  try {
    LineStore store(file());
    FAIL() << "opened";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("line 1"), std::string::npos) << error.what();
  }
  EXPECT_EQ(text(), damaged);
}

TEST_F(LineFile, writes_of_one_batch_see_each_other) {
  LineStore store(file());
  const std::vector<StoreWrite> writes{write(2, "[2]"), write(1, "[1]"), write(2, "[2]")};
  const auto reply = store.save("p", writes, kNever);
  ASSERT_EQ(reply.results.size(), 3u);
  EXPECT_EQ(reply.results[0].outcome, SaveOutcome::saved);
  EXPECT_EQ(reply.results[1].outcome, SaveOutcome::superseded);
  EXPECT_EQ(*reply.results[1].current->document, "[2]");
  EXPECT_EQ(reply.results[2].outcome, SaveOutcome::already_saved);
}

}  // namespace
}  // namespace tiercache::testing
