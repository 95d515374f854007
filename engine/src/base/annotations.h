// Clang's thread-safety attributes, which are empty for other compilers. A field says which mutex
// guards it, and clang fails the build if that is not kept.
#pragma once

#if defined(__clang__)
#define TIERCACHE_ATTRIBUTE(x) __attribute__((x))
#else
#define TIERCACHE_ATTRIBUTE(x)
#endif

#define TIERCACHE_CAPABILITY TIERCACHE_ATTRIBUTE(capability("mutex"))
#define TIERCACHE_SCOPED TIERCACHE_ATTRIBUTE(scoped_lockable)
#define TIERCACHE_GUARDED_BY(m) TIERCACHE_ATTRIBUTE(guarded_by(m))
#define TIERCACHE_REQUIRES(...) TIERCACHE_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define TIERCACHE_EXCLUDES(...) TIERCACHE_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define TIERCACHE_ACQUIRE(...) TIERCACHE_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define TIERCACHE_RELEASE(...) TIERCACHE_ATTRIBUTE(release_capability(__VA_ARGS__))
#define TIERCACHE_TRY_ACQUIRE(...) TIERCACHE_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
