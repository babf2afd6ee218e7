# `cmake --install`: what find_package(nybble) needs, and nothing of the Python package.
#
# The library is static: the extension module and a C++ program each link the part they use, need
# no run-time search path, and calls into the engine cost no indirection. A consumer compiles
# without the headers of Highway, Eigen or nlohmann_json.

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

install(TARGETS nybble EXPORT nybbleTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/cpp/nybble TYPE INCLUDE
        FILES_MATCHING PATTERN "*.h" PATTERN "*-inl.h" EXCLUDE)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/nybble)
install(EXPORT nybbleTargets NAMESPACE nybble:: DESTINATION ${package_dir})
configure_package_config_file(cmake/nybbleConfig.cmake.in ${PROJECT_BINARY_DIR}/nybbleConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/nybbleConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/nybbleConfig.cmake
              ${PROJECT_BINARY_DIR}/nybbleConfigVersion.cmake
        DESTINATION ${package_dir})

if(NYBBLE_BUILD_TESTS)
  add_test(NAME install.find_package_builds_and_runs_the_example
           COMMAND ${CMAKE_COMMAND} -D BUILD_DIR=${PROJECT_BINARY_DIR}
                   -D EXAMPLE_DIR=${PROJECT_SOURCE_DIR}/examples/cpp
                   -D WORK_DIR=${PROJECT_BINARY_DIR}/install_test
                   -D CXX=${CMAKE_CXX_COMPILER} -D GENERATOR=${CMAKE_GENERATOR}
                   -D CONFIG=$<CONFIG>
                   -P ${PROJECT_SOURCE_DIR}/cmake/test_install.cmake)
endif()
