# How tiercache's own targets are made. Nothing here reaches the projects that link the library:
# warnings, sanitizers and the compiler launcher are private to our targets.

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  find_program(TIERCACHE_CCACHE ccache)
  if(TIERCACHE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Paths count from the source directory, so that every clone and build directory takes its objects
    # from one cache.
    set(CMAKE_CXX_COMPILER_LAUNCHER env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1
        "${TIERCACHE_CCACHE}")
  endif()
endif()

# Our language level, warnings and sanitizers, for one of our targets.
function(tiercache_own target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  if(TIERCACHE_WARNINGS)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                           -Woverloaded-virtual)
    if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
      target_compile_options(${target} PRIVATE -Wthread-safety -Werror=thread-safety)
    endif()
    if(TIERCACHE_WERROR)
      target_compile_options(${target} PRIVATE -Werror)
    endif()
  endif()
  if(TIERCACHE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${TIERCACHE_SANITIZE}
                           -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_compile_definitions(${target} PRIVATE TIERCACHE_SANITIZED)  # for tests, by whatever compiler
    if(TIERCACHE_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(${target} PRIVATE -Wno-tsan)  # fences in Boost.Asio's headers
    endif()
    get_target_property(kind ${target} TYPE)
    if(kind STREQUAL "EXECUTABLE" OR kind STREQUAL "SHARED_LIBRARY")
      target_link_options(${target} PRIVATE -fsanitize=${TIERCACHE_SANITIZE})
    endif()
  endif()
endfunction()

# tiercache_room(<name> SOURCES <files...> [ROOMS <rooms it may know...>] [LIBRARIES <libs...>])
# One room of the engine (docs/architecture.md): an object library whose edges are listed. A room sees
# the public headers and the rooms it names; tests/structure checks the includes against design.
function(tiercache_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;ROOMS;LIBRARIES" ${ARGN})
  add_library(tiercache_${name} OBJECT ${ROOM_SOURCES})
  tiercache_own(tiercache_${name})
  target_include_directories(tiercache_${name} PUBLIC
    "${PROJECT_SOURCE_DIR}/engine/include" "${PROJECT_SOURCE_DIR}/engine/src")
  target_link_libraries(tiercache_${name} PRIVATE ${ROOM_LIBRARIES})
  set_property(TARGET tiercache_${name} PROPERTY TIERCACHE_ROOMS ${ROOM_ROOMS})
  set_property(TARGET tiercache_${name} PROPERTY TIERCACHE_LIBRARIES ${ROOM_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY TIERCACHE_ALL_ROOMS ${name})
endfunction()

# tiercache_test(<name> SOURCES <files...> [ROOMS <rooms linked as objects...>]
#                [LIBRARIES <libs...>] [DEFINITIONS <definitions...>] [LABELS <labels...>] [TIMEOUT <seconds>]
#                [ONE_THREAD])
# A GoogleTest program, each of whose cases ctest runs; with TIERCACHE_TEST_SHARDS ctest runs the program
# that many times, each with its share of the cases, since under a sanitizer a process takes half a second to
# start. With ROOMS it links only those rooms' objects, so that a room is tested without the rest; without, name
# tiercache::engine in LIBRARIES. With ONE_THREAD the program starts no thread, which a build without sanitizers
# makes sure of, and the thread sanitizer, which has nothing to find in it, passes it over.
function(tiercache_test name)
  cmake_parse_arguments(TEST "ONE_THREAD" "TIMEOUT" "SOURCES;ROOMS;LIBRARIES;DEFINITIONS;LABELS" ${ARGN})
  if(TEST_ONE_THREAD AND TIERCACHE_SANITIZE STREQUAL "thread")
    return()
  endif()
  add_executable(${name} ${TEST_SOURCES})
  tiercache_own(${name})
  target_compile_definitions(${name} PRIVATE ${TEST_DEFINITIONS})
  if(TEST_ONE_THREAD AND NOT TIERCACHE_SANITIZE)
    target_sources(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests/lib/one_thread.cc")
  endif()
  foreach(room IN LISTS TEST_ROOMS)
    get_property(room_libraries TARGET tiercache_${room} PROPERTY TIERCACHE_LIBRARIES)
    target_link_libraries(${name} PRIVATE tiercache_${room} ${room_libraries})
  endforeach()
  target_link_libraries(${name} PRIVATE ${TEST_LIBRARIES} GTest::gmock GTest::gtest_main)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  if(NOT TEST_LABELS)
    set(TEST_LABELS unit)
  endif()
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 300)
  endif()
  if(TIERCACHE_TEST_SHARDS)
    math(EXPR last "${TIERCACHE_TEST_SHARDS} - 1")
    foreach(shard RANGE ${last})
      add_test(NAME ${name}.${shard} COMMAND ${name} --gtest_brief=1)
      set_tests_properties(${name}.${shard} PROPERTIES LABELS "${TEST_LABELS}" TIMEOUT 900 ENVIRONMENT
        "GTEST_TOTAL_SHARDS=${TIERCACHE_TEST_SHARDS};GTEST_SHARD_INDEX=${shard}")
    endforeach()
  else()
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120
      PROPERTIES LABELS "${TEST_LABELS}" TIMEOUT ${TEST_TIMEOUT})
  endif()
endfunction()
