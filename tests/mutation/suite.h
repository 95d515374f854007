// The tests of a planted build, as ctest knows them, and how they are run.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace tiercache::mutation {

using Seconds = std::chrono::duration<double>;

// What ctest would start, and what a run without any mutant told of it.
struct Test {
  std::string name;
  std::vector<std::string> command;
  std::string filter;  // what GoogleTest calls the case; empty for other programs
  std::filesystem::path directory;
  Seconds takes{0};
  std::vector<unsigned char> reaches;  // a byte for each mutant
};

// The tests of a build directory that have one of these labels. Throws where ctest cannot say.
std::vector<Test> tests_of(const std::filesystem::path& build,
                           const std::vector<std::string>& labels);

// Some tests of one program that run in one process.
struct Batch {
  const Test* first = nullptr;
  std::string filter;
  Seconds takes{0};
};

// In the order given. Of cases of one program that follow each other more and more share a batch:
// most mutants die at once, and those that live are not to cost a process for each case.
std::vector<Batch> batches_of(const std::vector<const Test*>& tests);

enum class Ending { passed, failed, hung };

// Runs a batch with these variables added to the environment, TMPDIR among them, at most for so
// long.
Ending run(const Batch& batch, const std::map<std::string, std::string>& environment,
           Seconds at_most);

}  // namespace tiercache::mutation
