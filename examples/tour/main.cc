// A tour of what tiercache promises, on a real service: started, killed and restarted as a process,
// asked over HTTP, with its upstream and its store taken away. Exits with 1 if a promise broke, or
// could not be judged since the machine is too slow.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tour/report.h"
#include "tour/steps.h"
#include "tour/world.h"

namespace {

namespace fs = std::filesystem;

// An empty directory for the tour.
fs::path make_work_directory(const std::string& given) {
  if (!given.empty()) {
    fs::create_directories(given);
    if (!fs::is_empty(given)) throw std::runtime_error(given + " is not empty");
    return fs::absolute(given);
  }
  std::string pattern = (fs::temp_directory_path() / "tiercache-tour-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
  return pattern;
}

tour::Step take(const tour::PlannedStep& planned, tour::World& world) {
  tour::Step step(planned.name, planned.promise);
  try {
    planned.take(world, step);
  } catch (const tour::TooSlow& error) {
    step.was_too_slow(error.what());
  } catch (const std::exception& error) {
    step.must(false, error.what());
  }
  return step;
}

enum class Outcome { kept, broke, too_slow };

// The steps build on each other, so the first that is not kept ends the tour.
Outcome run(const tour::World::Setup& setup) {
  tour::World world(setup);
  std::cout << "The service keeps " << world.documents().size()
            << (world.documents().size() == 1 ? " document from " : " documents from ")
            << setup.documents.string() << "; its files are in " << setup.work.string() << "\n\n";
  world.start_upstream();
  world.start_service();
  std::vector<tour::Step> steps;
  for (const tour::PlannedStep& planned : tour::planned_steps()) {
    if (planned.takes_store_away && !world.owns_store()) {
      std::cout << "-. " << planned.name << ": left out, the server is not the tour's to stop\n";
      continue;
    }
    steps.push_back(take(planned, world));
    std::cout << steps.size() << ". " << steps.back().to_string() << std::endl;
    if (!steps.back().kept()) break;
  }
  std::cout << '\n' << tour::table(steps);
  if (steps.back().kept()) return Outcome::kept;
  return steps.back().broken() ? Outcome::broke : Outcome::too_slow;
}

const char* in_words(Outcome outcome) {
  switch (outcome) {
    case Outcome::kept:
      return "Every promise was kept";
    case Outcome::broke:
      break;
    case Outcome::too_slow:
      return "No promise broke, but this machine is too slow to see them all kept";
  }
  return "A promise BROKE";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A tour of what tiercache promises.");
  tour::World::Setup setup;
  setup.service = TIERCACHE_REFRESH_SERVICE;
  setup.documents = "/usr/share/iso-codes/json";
  std::string work;
  bool keep = false;
  app.add_option("--documents", setup.documents, "folder of JSON documents")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("--at-most", setup.at_most, "documents to take from it")->capture_default_str();
  app.add_option("--service", setup.service, "the service's program")->check(CLI::ExistingFile);
  app.add_option("--postgres", setup.postgres, "URL of a Postgres to keep the documents in")
      ->envname("TOUR_POSTGRES");
  app.add_option("--postgres-control", setup.postgres_control,
                 "command that takes 'stop' and 'start', for its server");
  app.add_option("--work", work, "empty directory for its files; default: a temporary one");
  app.add_flag("--keep", keep, "leave its files and logs behind; so it does when a promise broke");
  CLI11_PARSE(app, argc, argv);

  const auto began = std::chrono::steady_clock::now();
  Outcome outcome = Outcome::broke;
  try {
    setup.work = make_work_directory(work);
    outcome = run(setup);
  } catch (const std::exception& error) {
    std::cerr << "tour: " << error.what() << '\n';
  }
  const auto took =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began);
  const bool kept = outcome == Outcome::kept;
  if (kept && !keep) {
    fs::remove_all(setup.work);
  } else if (!setup.work.empty()) {
    std::cout << "\nFiles and logs: " << setup.work.string() << '\n';
  }
  std::cout << '\n' << in_words(outcome) << "; " << took.count() << " s.\n";
  return kept ? EXIT_SUCCESS : EXIT_FAILURE;
}
