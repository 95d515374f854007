#include "tour/report.h"

#include <algorithm>
#include <sstream>
#include <thread>

namespace tour {

namespace {

// The rest of a step's problems are only counted.
constexpr std::size_t kMostProblems = 3;

}  // namespace

std::string in_words(const Answer& answer) {
  if (answer.status == 200) {
    return answer.tier + " (" + answer.freshness + ", " + std::to_string(answer.age) + " s old)";
  }
  return "status " + std::to_string(answer.status) +
         (answer.timed_out ? ", as the service's deadline of 2 s passed" : "");
}

Answer until_in_time(const std::function<Answer()>& ask, std::chrono::milliseconds within) {
  const auto until = std::chrono::steady_clock::now() + within;
  Answer answer = ask();
  for (int late = 1; answer.timed_out; ++late) {
    if (std::chrono::steady_clock::now() >= until) {
      throw TooSlow("the service's deadline of 2 s passed " + std::to_string(late) +
                    (late == 1 ? " time" : " times in a row") + " with everything in its place");
    }
    answer = ask();
    answer.late = late;
  }
  return answer;
}

void Tally::add(const Answer& answer) {
  if (answer.status != 200) {
    ++unserved_;
    return;
  }
  ++tiers_[answer.tier];
  if (answer.freshness != "fresh") ++stale_;
  if (answer.late > 0 && answer.tier != "source") ++late_;
  oldest_ = std::max(oldest_, answer.age);
}

int Tally::from(const std::string& tier) const {
  const auto found = tiers_.find(tier);
  return found == tiers_.end() ? 0 : found->second;
}

std::string Tally::to_string() const {
  std::string text;
  for (const auto& [tier, count] : tiers_) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " from " + tier;
  }
  if (unserved_ > 0) text += (text.empty() ? "" : ", ") + std::to_string(unserved_) + " not served";
  text += (oldest_ > 0 ? ", up to " : ", ") + std::to_string(oldest_) + " s old";
  if (stale_ > 0) text += ", " + std::to_string(stale_) + " stale";
  if (late_ > 0) text += ", " + std::to_string(late_) + " only when asked again on a slow machine";
  return text;
}

void Step::add(std::string& text, const std::string& what) {
  text += (text.empty() ? "" : "; ") + what;
}

void Step::must(bool kept, const std::string& otherwise) {
  if (!kept) problems_.push_back(otherwise);
}

std::string Step::to_string() const {
  std::string line = name_ + ": " + did_;
  line += ". A reader got: " + (served_.empty() ? "nothing" : served_);
  line += ". Promised: " + promise_ + (kept() ? ": kept." : broken() ? ": BROKEN" : ": not judged");
  for (std::size_t i = 0; i < problems_.size() && i < kMostProblems; ++i) {
    line += " (" + problems_[i] + ")";
  }
  if (problems_.size() > kMostProblems) {
    line += " (and " + std::to_string(problems_.size() - kMostProblems) + " more)";
  }
  if (!too_slow_.empty()) line += " (the machine is too slow: " + too_slow_ + ")";
  return line;
}

std::string table(const std::vector<Step>& steps) {
  std::size_t name_width = 4;
  std::size_t promise_width = 7;
  for (const Step& step : steps) {
    name_width = std::max(name_width, step.name().size());
    promise_width = std::max(promise_width, step.promise().size());
  }
  std::ostringstream out;
  const auto row = [&](std::string name, std::string promise, const std::string& kept) {
    name.resize(name_width, ' ');
    promise.resize(promise_width, ' ');
    out << "| " << name << " | " << promise << " | " << kept << " |\n";
  };
  row("step", "promise", "kept?");
  row(std::string(name_width, '-'), std::string(promise_width, '-'), "-----");
  for (const Step& step : steps) {
    row(step.name(), step.promise(), step.kept() ? "yes  " : step.broken() ? "NO   " : "slow ");
  }
  return out.str();
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds within) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace tour
