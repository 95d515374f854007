// A short text that the directory remembers.
#include "cache/runtime/kept_text.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "engine/cache/ground.h"

namespace tiercache::detail {
namespace {

constexpr std::string_view kHead = "head 1\n";
constexpr char kPath[] = "/cache/note";

class KeptTextTest : public ::testing::Test {
 protected:
  KeptTextTest() { ground.runtime.file_system->make_directories("/cache"); }
  bool keep(const std::string& text) {
    return keep_text(*ground.runtime.file_system, kPath, kHead, text, 0);
  }
  KeptText read(std::string_view head = kHead) {
    return read_kept_text(*ground.runtime.file_system, kPath, head);
  }
  std::string bytes() const {
    std::string bytes;
    EXPECT_TRUE(ground.disk->read(kPath, &bytes));
    return bytes;
  }

  using State = KeptText::State;
  Ground ground;
};

TEST_F(KeptTextTest, text_is_read_as_it_was_kept_with_lines_and_nothing_in_it) {
  const std::vector<std::string> texts{"store", "", "two\nlines\n", std::string(2'048, 'x')};
  for (const std::string& text : texts) {
    ASSERT_TRUE(keep(text));
    EXPECT_EQ(read().state, State::read);
    EXPECT_EQ(read().text, text);
  }
}

TEST_F(KeptTextTest, text_that_is_too_long_is_not_kept) {
  ASSERT_TRUE(keep("before"));
  EXPECT_FALSE(keep(std::string(2'049, 'x')));
  EXPECT_EQ(read().text, "before");
}

TEST_F(KeptTextTest, any_byte_that_is_another_is_noticed_I9) {
  ASSERT_TRUE(keep("store"));
  const std::string good = bytes();
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] ^= 1;
    ground.disk->write(kPath, bad);
    EXPECT_EQ(read().state, State::damaged) << i;
    ground.disk->write(kPath, good.substr(0, i));
    EXPECT_EQ(read().state, State::damaged) << i;
  }
}

TEST_F(KeptTextTest, another_head_or_a_file_that_is_too_large_is_damage) {
  ASSERT_TRUE(keep("store"));
  EXPECT_EQ(read("head 2\n").state, State::damaged);
  ground.disk->write(kPath, std::string(10'000, 'x'));
  EXPECT_EQ(read().state, State::damaged);
}

TEST_F(KeptTextTest, absent_and_unreadable_are_two_things) {
  EXPECT_EQ(read().state, State::absent);
  ASSERT_TRUE(keep("store"));
  ground.refuse(EIO, {"read_file"}, kPath);
  EXPECT_EQ(read().state, State::failed);
}

TEST_F(KeptTextTest, disk_that_refuses_any_step_keeps_the_text_of_before_and_no_leftover) {
  ASSERT_TRUE(keep("before"));
  const std::size_t files = ground.disk->files().size();
  for (const char* operation : {"write_file", "sync_file", "rename"}) {
    ground.refuse(ENOSPC, {operation}, "");
    EXPECT_FALSE(keep("after")) << operation;
    ground.disk_works();
    EXPECT_EQ(read().text, "before") << operation;
    EXPECT_EQ(ground.disk->files().size(), files) << operation;
  }
}

}  // namespace
}  // namespace tiercache::detail
