// What planted code calls (plant.cc). The compiler is told to include it before every file of the
// planted tree; no file of the project includes it.
//
// All mutants of a program are in it at once, and at most one is awake: the one whose number is in
// TIERCACHE_MUTANT. Where TIERCACHE_MUTANT_REACH names a file, a byte of it per mutant is set once
// the mutant's place is reached, by this process or one it forked, however that ends.
#pragma once

#if __cplusplus >= 202002L  // what CMake tries the compiler with is older

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <type_traits>

namespace tiercache_mutation {

inline constexpr int kNotRead = -2;

inline constinit std::atomic<int> awake{kNotRead};
inline constinit std::atomic<unsigned char*> reached{nullptr};

inline unsigned char* open_reach() {
  const char* path = std::getenv("TIERCACHE_MUTANT_REACH");
  if (path == nullptr) return nullptr;
  const int file = ::open(path, O_RDWR | O_CLOEXEC);
  struct stat status {};
  if (file < 0 || ::fstat(file, &status) != 0) std::abort();
  void* bytes = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ | PROT_WRITE,
                       MAP_SHARED, file, 0);
  ::close(file);
  if (bytes == MAP_FAILED) std::abort();
  return static_cast<unsigned char*>(bytes);
}

inline int read_environment() {
  reached.store(open_reach());
  const char* number = std::getenv("TIERCACHE_MUTANT");
  const int wanted = number == nullptr ? -1 : std::atoi(number);
  awake.store(wanted);
  return wanted;
}

// Whether the mutant with this number is awake; never where the compiler asks.
constexpr bool mutant(int number) {
  if (std::is_constant_evaluated()) return false;
  int wanted = awake.load(std::memory_order_relaxed);
  if (wanted == kNotRead) wanted = read_environment();
  if (unsigned char* bytes = reached.load(std::memory_order_relaxed)) {
    __atomic_store_n(bytes + number, 1, __ATOMIC_RELAXED);
  }
  return wanted == number;
}

// `a < b`, and with the mutant awake `a <= b`, by the one operator that is surely there; likewise
// the others.
template <class A, class B>
constexpr auto less(int number, const A& a, const B& b) {
  return mutant(number) ? !(b < a) : a < b;
}
template <class A, class B>
constexpr auto less_equal(int number, const A& a, const B& b) {
  return mutant(number) ? !(b <= a) : a <= b;
}
template <class A, class B>
constexpr auto greater(int number, const A& a, const B& b) {
  return mutant(number) ? !(b > a) : a > b;
}
template <class A, class B>
constexpr auto greater_equal(int number, const A& a, const B& b) {
  return mutant(number) ? !(b >= a) : a >= b;
}
template <class A, class B>
constexpr auto equal(int number, const A& a, const B& b) {
  return mutant(number) ? a != b : a == b;
}
template <class A, class B>
constexpr auto not_equal(int number, const A& a, const B& b) {
  return mutant(number) ? a == b : a != b;
}
template <class A, class B>
constexpr auto plus(int number, const A& a, const B& b) {
  return mutant(number) ? a - b : a + b;
}
template <class A, class B>
constexpr auto minus(int number, const A& a, const B& b) {
  return mutant(number) ? a + b : a - b;
}
template <class T>
constexpr T max(int number, const T& a, const T& b) {
  return mutant(number) ? (b < a ? b : a) : (a < b ? b : a);
}
template <class T>
constexpr T min(int number, const T& a, const T& b) {
  return mutant(number) ? (a < b ? b : a) : (b < a ? b : a);
}

}  // namespace tiercache_mutation

#endif
