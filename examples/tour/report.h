// What a step did, what a reader was served, what was promised, and whether it was kept.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace tour {

// One answer of the service to a reader.
struct Answer {
  int status = 0;  // of HTTP; 0 when there was none
  std::string tier;
  std::string freshness;
  long age = 0;  // seconds
  std::string body;
};

// Answers summed up: "14 from source, 2 from memory; up to 3 s old, 2 stale".
class Tally {
 public:
  void add(const Answer& answer);
  std::string to_string() const;
  int from(const std::string& tier) const;

 private:
  std::map<std::string, int> tiers_;
  int unserved_ = 0;
  int stale_ = 0;
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

  bool kept() const { return problems_.empty(); }
  const std::string& name() const { return name_; }
  const std::string& promise() const { return promise_; }
  const std::string& problem() const { return problems_.front(); }
  // All of it in one line.
  std::string to_string() const;

 private:
  static void add(std::string& text, const std::string& what);

  const std::string name_;
  const std::string promise_;
  std::string did_;
  std::string served_;
  std::vector<std::string> problems_;
};

// "step | promise | kept?"
std::string table(const std::vector<Step>& steps);

// Looks until `condition` holds; false when it did not within the time.
bool eventually(const std::function<bool()>& condition,
                std::chrono::milliseconds within = std::chrono::seconds(60));

}  // namespace tour
