# Installing, and what `find_package(tiercache)` and pkg-config read.
#
# Every component has an export file of its own, so that a project that takes one does not need what the
# others depend on.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

option(TIERCACHE_INSTALL "Install tiercache with the project" ${PROJECT_IS_TOP_LEVEL})
set(TIERCACHE_CONFIG_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/tiercache")

# tiercache_install(<component> HEADERS <directory> [REQUIRES <pkg-config names...>]
#                   [PRIVATE <pkg-config names or -l flags for static linking...>])
# The component's library is tiercache_<component>.
function(tiercache_install component)
  cmake_parse_arguments(INSTALL "" "HEADERS" "REQUIRES;PRIVATE" ${ARGN})
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

  if(component STREQUAL "engine")
    set(PC_NAME tiercache)
  else()
    set(PC_NAME tiercache-${component})
    list(PREPEND INSTALL_REQUIRES "tiercache = ${PROJECT_VERSION}")
  endif()
  list(JOIN INSTALL_REQUIRES ", " PC_REQUIRES)
  set(private_packages ${INSTALL_PRIVATE})
  list(FILTER private_packages EXCLUDE REGEX "^-")
  list(FILTER INSTALL_PRIVATE INCLUDE REGEX "^-")
  list(JOIN private_packages ", " PC_REQUIRES_PRIVATE)
  list(JOIN INSTALL_PRIVATE " " PC_LIBS_PRIVATE)
  set(PC_LIBRARY ${target})
  configure_file("${PROJECT_SOURCE_DIR}/engine/cmake/tiercache.pc.in"
                 "${PROJECT_BINARY_DIR}/${PC_NAME}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${PC_NAME}.pc"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
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
