// One version's part in an upgrade: run.sh builds this program against two.
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "upgrade/state/acts.h"
#include "upgrade/state/check.h"

namespace tiercache::upgrade {
namespace {

constexpr int kRefused = 3;

int usage() {
  std::fputs(
      "usage: upgrade_state closed|killed|use ROOT     one step, expected.json says what it "
      "leaves;\n"
      "                                                the last two end by SIGKILL\n"
      "       upgrade_state check ROOT FILE STEP       compares what is there with what the step\n"
      "                                                of expected.json leaves; then all is "
      "settled\n"
      "       upgrade_state settled ROOT FILE STEP     the same of what is settled already\n"
      "       upgrade_state complaints ROOT            opens, and prints what is wrong\n"
      "status: 0 as it should be, 1 not so, 2 wrong usage, 3 the directory was refused\n",
      stderr);
  return 2;
}

[[noreturn]] void die() {
  ::raise(SIGKILL);
  std::abort();
}

int act(const std::string& step, const Place& place) {
  if (step != "use") write_closed(place);
  if (step == "closed") return 0;
  if (step == "use") {
    Machine machine(place, {.age = kUsedAge});
    use(machine);
    die();
  }
  Machine machine(place, {.age = kKilledAge, .refused = kRefusedKey});
  write_what_waits(machine);
  die();
}

int check(const Place& place, const std::string& file, const std::string& step, OutboxIs outbox) {
  const std::vector<std::string> found = differences(
      place, step == "used" ? kUsedCheckAge : kCheckAge, Expected::read(file, step), outbox);
  for (const std::string& difference : found) std::printf("DIFFERENCE %s\n", difference.c_str());
  return found.empty() ? 0 : 1;
}

int complain(const Place& place) {
  Machine machine(place, {.age = kCheckAge});
  machine.documents().get("not there",
                          {.deadline = std::chrono::seconds(10), .reach = Reach::store});
  const Health health = machine.cache().health();
  for (const TierHealth* tier : {&health.files, &health.journal, &health.store}) {
    if (!tier->working) std::printf("%s\n", tier->why.c_str());
  }
  return 0;
}

int run(const std::vector<std::string>& words) {
  if (words.size() < 2) return usage();
  const std::string& what = words[0];
  const Place place{words[1]};
  if (words.size() == 2 && (what == "closed" || what == "killed" || what == "use")) {
    return act(what, place);
  }
  if (words.size() == 2 && what == "complaints") return complain(place);
  if (words.size() != 4) return usage();
  if (what == "check") return check(place, words[2], words[3], OutboxIs::as_written);
  if (what == "settled") return check(place, words[2], words[3], OutboxIs::settled);
  return usage();
}

}  // namespace
}  // namespace tiercache::upgrade

int main(int count, char** values) {
  try {
    return tiercache::upgrade::run({values + 1, values + count});
  } catch (const tiercache::BadDirectory& error) {
    std::printf("REFUSED %s %s\n", error.what(), error.details().c_str());
    return tiercache::upgrade::kRefused;
  } catch (const std::exception& error) {
    std::printf("DIFFERENCE %s\n", error.what());
    return 1;
  }
}
