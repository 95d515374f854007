# Installing, and what `find_package(tiercache)` and pkg-config read.
#
# Every component has an export file of its own, so that a project that takes one does not need what the
# others depend on.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

option(TIERCACHE_INSTALL "Install tiercache with the project" ${PROJECT_IS_TOP_LEVEL})
set(TIERCACHE_CONFIG_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/tiercache")

# tiercache_needs(<flags> <packages> <[package=]library...>)
# What pkg-config has to say of the libraries that one of ours calls, each given as a target, a file or a
# flag. A shared library is linked by its name: it finds what it needs by itself, while its package may ask
# for the development files of libraries that nobody here has (Debian's libpq and libcurl do). An archive
# finds nothing by itself, and what has to be linked beside it only its own package knows.
function(tiercache_needs flags packages)
  set(linker_flags)
  set(package_names)
  foreach(need IN LISTS ARGN)
    string(REGEX REPLACE "^[a-z0-9_]+=" "" file "${need}")
    string(REGEX MATCH "^[a-z0-9_]+=" package "${need}")
    string(REPLACE "=" "" package "${package}")
    if(TARGET ${file})
      get_target_property(file ${file} LOCATION)
    endif()
    get_filename_component(directory "${file}" DIRECTORY)
    get_filename_component(name "${file}" NAME)
    if(package AND name MATCHES "\\.a$")
      list(APPEND package_names ${package})
    elseif(name MATCHES "^lib(.+)\\.(a|so|dylib)[.0-9]*$")
      set(name "-l${CMAKE_MATCH_1}")
      if(NOT directory IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
        list(APPEND linker_flags "-L${directory}")
      endif()
      list(APPEND linker_flags ${name})
    else()
      list(APPEND linker_flags "${file}")
    endif()
  endforeach()
  set(${flags} ${linker_flags} PARENT_SCOPE)
  set(${packages} ${package_names} PARENT_SCOPE)
endfunction()

# tiercache_pkg_config(<component> DESCRIPTION <one line>
#                      [REQUIRES <packages that our headers include...>] [NEEDS <[package=]library...>])
function(tiercache_pkg_config component)
  cmake_parse_arguments(PC "" "DESCRIPTION" "REQUIRES;NEEDS" ${ARGN})
  if(component STREQUAL "engine")
    set(PC_NAME tiercache)
  else()
    set(PC_NAME tiercache-${component})
    list(PREPEND PC_REQUIRES "tiercache = ${PROJECT_VERSION}")
  endif()
  set(PC_LIBS -ltiercache_${component})
  tiercache_needs(PC_LIBS_PRIVATE PC_REQUIRES_PRIVATE ${PC_NEEDS})
  if(NOT BUILD_SHARED_LIBS)  # ours are archives: nobody can link them without the others
    list(APPEND PC_LIBS ${PC_LIBS_PRIVATE})
    list(APPEND PC_REQUIRES ${PC_REQUIRES_PRIVATE})
    set(PC_LIBS_PRIVATE)
    set(PC_REQUIRES_PRIVATE)
  endif()
  list(JOIN PC_LIBS " " PC_LIBS)
  list(JOIN PC_LIBS_PRIVATE " " PC_LIBS_PRIVATE)
  list(JOIN PC_REQUIRES ", " PC_REQUIRES)
  list(JOIN PC_REQUIRES_PRIVATE ", " PC_REQUIRES_PRIVATE)

  # From where the file itself is, so that `cmake --install --prefix` and moving what is installed work.
  set(directory "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY "${directory}" OUTPUT_VARIABLE PC_PREFIX)
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY "${directory}" OUTPUT_VARIABLE PC_LIBDIR)
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR BASE_DIRECTORY "${directory}"
             OUTPUT_VARIABLE PC_INCLUDEDIR)
  configure_file("${PROJECT_SOURCE_DIR}/engine/cmake/tiercache.pc.in"
                 "${PROJECT_BINARY_DIR}/${PC_NAME}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${PC_NAME}.pc"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endfunction()

# tiercache_install(<component> DESCRIPTION <one line> HEADERS <directory>
#                   [REQUIRES <pkg-config names...>] [NEEDS <[package=]library...>])
# The component's library is tiercache_<component>. NEEDS are the libraries that it calls, as targets or
# files, each with its name for pkg-config if it has one.
function(tiercache_install component)
  cmake_parse_arguments(INSTALL "" "DESCRIPTION;HEADERS" "REQUIRES;NEEDS" ${ARGN})
  set(target tiercache_${component})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${component}
                        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  if(NOT TIERCACHE_INSTALL)
    return()
  endif()
  install(TARGETS ${target} EXPORT ${target}
          ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(EXPORT ${target} FILE tiercache-${component}.cmake NAMESPACE tiercache::
          DESTINATION "${TIERCACHE_CONFIG_DIR}")
  install(DIRECTORY "${INSTALL_HEADERS}/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  tiercache_pkg_config(${component} DESCRIPTION "${INSTALL_DESCRIPTION}" REQUIRES ${INSTALL_REQUIRES} NEEDS ${INSTALL_NEEDS})
endfunction()

if(TIERCACHE_INSTALL)
  configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/engine/cmake/tiercacheConfig.cmake.in"
    "${PROJECT_BINARY_DIR}/tiercacheConfig.cmake" INSTALL_DESTINATION "${TIERCACHE_CONFIG_DIR}")
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/tiercacheConfigVersion.cmake"
                                   COMPATIBILITY SameMinorVersion)
  install(FILES "${PROJECT_BINARY_DIR}/tiercacheConfig.cmake"
                "${PROJECT_BINARY_DIR}/tiercacheConfigVersion.cmake"
          DESTINATION "${TIERCACHE_CONFIG_DIR}")
endif()
