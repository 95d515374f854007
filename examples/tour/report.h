// What a step did, what a reader was served, what was promised, and whether it was kept.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tour {

// One answer of the service to a reader.
struct Answer {
  int status = 0;  // of HTTP; 0 when there was none
  std::string tier = {};
  std::string freshness = {};
  long age = 0;  // seconds
  std::string body = {};
  // A tier had not answered by the service's own deadline, which is two seconds.
  bool timed_out = false;
  // How many answers before this one had timed out. What was fetched meanwhile may be in a nearer
  // tier by now.
  int late = 0;
};

// "memory (fresh, 3 s old)", "status 404", "status 503, as the service's deadline of 2 s passed".
std::string in_words(const Answer& answer);

// A promise could be seen neither kept nor broken.
class TooSlow : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What `ask` answers. A slow machine breaks no promise, so it is asked again while its answer is
// that its deadline passed. Throws TooSlow where that goes on for `within`.
Answer until_in_time(const std::function<Answer()>& ask,
                     std::chrono::milliseconds within = std::chrono::seconds(60));

// Answers summed up: "14 from source, 2 from memory; up to 3 s old, 2 stale".
class Tally {
 public:
  void add(const Answer& answer);
  std::string to_string() const;
  int from(const std::string& tier) const;
  // Those that had timed out before, and came from another tier than the source then.
  int late() const { return late_; }

 private:
  std::map<std::string, int> tiers_;
  int unserved_ = 0;
  int stale_ = 0;
  int late_ = 0;
  long oldest_ = 0;
};

class Step {
 public:
  Step(std::string name, std::string promise)
      : name_(std::move(name)), promise_(std::move(promise)) {}

  // Both may be called several times.
  void did(const std::string& what) { add(did_, what); }
  void served(const std::string& what) { add(served_, what); }
  // The promise is broken where `kept` is false; `otherwise` says how.
  void must(bool kept, const std::string& otherwise);

  // Nor is it kept then.
  void was_too_slow(const std::string& why) { too_slow_ = why; }

  bool kept() const { return problems_.empty() && too_slow_.empty(); }
  bool broken() const { return !problems_.empty(); }
  const std::string& name() const { return name_; }
  const std::string& promise() const { return promise_; }
  // All of it in one line.
  std::string to_string() const;

 private:
  static void add(std::string& text, const std::string& what);

  const std::string name_;
  const std::string promise_;
  std::string did_;
  std::string served_;
  std::vector<std::string> problems_;
  std::string too_slow_;
};

// "step | promise | kept?"
std::string table(const std::vector<Step>& steps);

// Looks until `condition` holds; false when it did not within the time.
bool eventually(const std::function<bool()>& condition,
                std::chrono::milliseconds within = std::chrono::seconds(60));

}  // namespace tour
