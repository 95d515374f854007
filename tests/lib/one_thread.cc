// Linked into test programs that are marked ONE_THREAD, which the thread sanitizer need not run:
// whoever starts a thread in one of them ends it.
#include <pthread.h>

#include <cstdio>
#include <cstdlib>

extern "C" int pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) noexcept {
  std::fputs("a thread was started in a program of tests that is marked ONE_THREAD\n", stderr);
  std::abort();
}
