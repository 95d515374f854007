#include "bytes_per_entry.h"

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "subjects.h"
#include "workload.h"

namespace tiercache::bench {
namespace {

constexpr std::size_t kEntries = 100'000;

struct Usage {
  double allocated = 0;  // as malloc counts it
  double resident = 0;   // as the system counts it

  static Usage now() {
    const struct mallinfo2 heap = mallinfo2();
    std::size_t pages = 0, resident_pages = 0;
    std::ifstream("/proc/self/statm") >> pages >> resident_pages;
    return {static_cast<double>(heap.uordblks + heap.hblkhd),
            static_cast<double>(resident_pages) * static_cast<double>(sysconf(_SC_PAGESIZE))};
  }
};

// All entries share one document, so that it does not count. Each has a resident of its own.
template <class Subject>
void fill(Subject& subject) {
  const auto document = std::make_shared<const std::string>(Population::kDocumentBytes, 'x');
  for (std::size_t number = 0; number < kEntries; ++number) {
    char key[Population::kKeyBytes + 1];
    std::snprintf(key, sizeof key, "activity:%015zu", number);
    subject.put({key, Population::kKeyBytes}, document);
  }
}

template <class Subject>
void measure() {
  const Usage before = Usage::now();
  Subject subject(kEntries + kEntries / 4);
  fill(subject);
  const Usage after = Usage::now();
  const auto per_entry = [](double bytes) { return bytes / kEntries - Population::kKeyBytes; };
  std::printf("| %s | %.0f | %.0f |\n", Subject::kName,
              per_entry(after.allocated - before.allocated),
              per_entry(after.resident - before.resident));
  std::fflush(stdout);
}

std::size_t charged_beside_document() {
  detail::Resident plain;
  return MemoryTier::charge(std::string(Population::kKeyBytes, 'k'), plain) - Population::kKeyBytes;
}

}  // namespace

void print_bytes_per_entry() {
  std::printf(
      "| bytes per entry beyond key and document | allocated | resident set |\n|---|---|---|\n");
  std::fflush(stdout);
  for_each_subject([]<class Subject>() {
    const pid_t child = fork();
    if (child == 0) {
      measure<Subject>();
      _exit(0);
    }
    if (child > 0) waitpid(child, nullptr, 0);
  });
  std::printf(
      "\ntiercache charges %zu of these, %zu of them for the entry itself (clocks, version, "
      "metadata)\n\n",
      charged_beside_document(), sizeof(detail::Resident) + 16);
}

}  // namespace tiercache::bench
