// What the releases before left on disk is opened by this version, used, and opened again.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "lib/scratch.h"
#include "upgrade/state/acts.h"
#include "upgrade/state/check.h"

namespace tiercache::upgrade {
namespace {

namespace fs = std::filesystem;
using ::testing::TestWithParam;

// The parameter is the release.
class Upgrade : public TestWithParam<std::string> {
 protected:
  // A copy of one of its folders, which may be written to.
  Place copy(const std::string& name) {
    const fs::path to = scratch_.path() / name;
    fs::copy(fs::path(TIERCACHE_UNPACKED) / GetParam() / name, to, fs::copy_options::recursive);
    return {to};
  }
  static Expected expected(const std::string& step) {
    return Expected::read(std::string(TIERCACHE_CORPUS) + "/" + GetParam() + "/expected.json",
                          step);
  }

  testing::ScratchDirectory scratch_{"upgrade"};
};

const std::vector<std::string> kNone;

TEST_P(Upgrade, directory_closed_by_the_release_is_read_in_full) {
  EXPECT_EQ(differences(copy("closed"), kCheckAge, expected("closed"), OutboxIs::as_written),
            kNone);
}

TEST_P(Upgrade, index_of_the_release_is_taken_as_it_is) {
  const Place place = copy("closed");
  ASSERT_TRUE(fs::exists(place.directory() + "/index"));
  // Without their files keys are known by the index alone.
  fs::remove_all(place.directory() + "/data");
  Machine machine(place, {.age = kCheckAge, .store = Machine::StoreIs::away});
  const Expected closed = expected("closed");
  std::size_t documents = 0;
  for (const auto& entry : closed.entries.at("documents")) documents += entry.is_null() ? 0 : 1;
  EXPECT_EQ(machine.documents().keys().keys.size(), documents);
}

TEST_P(Upgrade, directory_of_a_killed_release_is_read_in_full_and_its_outbox_sent_I1_I4) {
  EXPECT_EQ(differences(copy("killed"), kCheckAge, expected("killed"), OutboxIs::as_written),
            kNone);
}

TEST_P(Upgrade, directory_of_a_killed_release_is_used_at_once_I1_I3_I4) {
  const Place place = copy("killed");
  {
    Machine machine(place, {.age = kUsedAge});
    use(machine);
  }
  EXPECT_EQ(differences(place, kUsedCheckAge, expected("used"), OutboxIs::as_written), kNone);
  EXPECT_EQ(differences(place, kUsedCheckAge, expected("used"), OutboxIs::settled), kNone);
}

INSTANTIATE_TEST_SUITE_P(Releases, Upgrade, ::testing::Values("0.1.0"), [](const auto& release) {
  std::string name = "of_" + release.param;
  for (char& c : name) c = c == '.' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace tiercache::upgrade
