# Third-party targets, always by these names, wherever they come from:
#   hwy::hwy   Eigen3::Eigen   nlohmann_json::nlohmann_json   GTest::gtest_main (tests)
#   benchmark::benchmark_main (bench)
#
# An installed package comes first, else FetchContent gets the commit pinned here.
# -DNYBBLE_USE_SYSTEM_DEPS=OFF fetches all, -DFETCHCONTENT_SOURCE_DIR_<NAME>=<dir> takes a
# local copy.
#
# Link them to object libraries or tests, not to `nybble` itself: what that names, its consumers
# would have to have as well.

include(FetchContent)
find_package(Threads REQUIRED)

# Declares <name> at <commit> of <url>, having made sure that it can be had: CMake's own failure is
# a page of git output that does not say what to do. <package> is the Debian name.
# The commits are those of release tags, which is what lets a shallow clone contain them.
macro(nybble_declare_pinned name package url commit)
  string(TOUPPER ${name} upper)
  if(NOT FETCHCONTENT_SOURCE_DIR_${upper} AND NOT FETCHCONTENT_FULLY_DISCONNECTED
     AND NOT EXISTS "${FETCHCONTENT_BASE_DIR}/${name}-src/.git")
    find_package(Git QUIET)
    set(nybble_reachable 1)
    if(GIT_FOUND)
      message(STATUS "${name}: fetching ${commit} of ${url}")
      execute_process(COMMAND ${CMAKE_COMMAND} -E env GIT_TERMINAL_PROMPT=0
                              ${GIT_EXECUTABLE} ls-remote ${url} HEAD
                      RESULT_VARIABLE nybble_reachable OUTPUT_QUIET ERROR_QUIET TIMEOUT 60)
    endif()
    if(NOT nybble_reachable EQUAL 0)
      message(FATAL_ERROR
        "${name} is not installed and cannot be fetched from ${url}: install the system package "
        "(apt-get install ${package}), or pass -DFETCHCONTENT_SOURCE_DIR_${upper}=<checkout of "
        "commit ${commit}>.")
    endif()
  endif()
  FetchContent_Declare(${name} GIT_REPOSITORY ${url} GIT_TAG ${commit} GIT_SHALLOW TRUE ${ARGN})
endmacro()

# Adds the targets of a declared project without its tests, examples and install rules.
# A function, so that BUILD_SHARED_LIBS and the like keep the user's values everywhere else.
function(nybble_add_pinned name)
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)  # option() in old projects respects the set() below
  set(BUILD_SHARED_LIBS OFF)
  set(BUILD_TESTING OFF)
  set(HWY_ENABLE_CONTRIB OFF)
  set(HWY_ENABLE_EXAMPLES OFF)
  set(HWY_ENABLE_TESTS OFF)
  set(HWY_ENABLE_INSTALL OFF)
  set(JSON_BuildTests OFF)
  set(JSON_Install OFF)
  set(INSTALL_GTEST OFF)
  set(BENCHMARK_ENABLE_TESTING OFF)
  set(BENCHMARK_ENABLE_INSTALL OFF)
  FetchContent_MakeAvailable(${name})
  # Only what our targets use gets built; EXCLUDE_FROM_ALL of FetchContent_Declare needs CMake 3.28.
  if(NOT name STREQUAL "eigen")
    set_property(DIRECTORY ${${name}_SOURCE_DIR} PROPERTY EXCLUDE_FROM_ALL TRUE)
  endif()
  set(${name}_SOURCE_DIR ${${name}_SOURCE_DIR} PARENT_SCOPE)
endfunction()

if(NYBBLE_USE_SYSTEM_DEPS)
  find_package(hwy 1.0.3 CONFIG QUIET)
endif()
set(NYBBLE_SYSTEM_HWY ${hwy_FOUND})
if(NOT TARGET hwy::hwy)
  nybble_declare_pinned(highway libhwy-dev https://github.com/google/highway.git
    457c891775a7397bdb0376bb1031e6e027af1c48 SYSTEM)  # 1.2.0
  nybble_add_pinned(highway)
  if(NOT TARGET hwy::hwy)
    add_library(hwy::hwy ALIAS hwy)
  endif()
endif()

if(NYBBLE_USE_SYSTEM_DEPS)
  find_package(nlohmann_json 3.11 CONFIG QUIET)
endif()
if(NOT TARGET nlohmann_json::nlohmann_json)
  nybble_declare_pinned(nlohmann_json nlohmann-json3-dev https://github.com/nlohmann/json.git
    9cca280a4d0ccf0c08f47a99aa71d1b0e52f8d03 SYSTEM)  # 3.11.3
  nybble_add_pinned(nlohmann_json)
endif()

if(NYBBLE_USE_SYSTEM_DEPS)
  find_package(Eigen3 3.4 CONFIG QUIET)
endif()
if(NOT TARGET Eigen3::Eigen)
  # Headers only. SOURCE_SUBDIR names a folder that is not there, so that Eigen's own CMakeLists,
  # which looks for Fortran and a dozen libraries, is not read.
  nybble_declare_pinned(eigen libeigen3-dev https://gitlab.com/libeigen/eigen.git
    3147391d946bb4b6c68edd901f2add6ac1f31f8c SOURCE_SUBDIR nothing-to-configure)  # 3.4.0
  nybble_add_pinned(eigen)
  add_library(nybble_eigen INTERFACE)
  target_include_directories(nybble_eigen SYSTEM INTERFACE ${eigen_SOURCE_DIR})
  add_library(Eigen3::Eigen ALIAS nybble_eigen)
endif()

if(NYBBLE_BUILD_TESTS)
  if(NYBBLE_USE_SYSTEM_DEPS)
    find_package(GTest 1.12 CONFIG QUIET)
  endif()
  if(NOT TARGET GTest::gtest_main)
    nybble_declare_pinned(googletest libgtest-dev https://github.com/google/googletest.git
      f8d7d77c06936315286eb55f8de22cd23c188571 SYSTEM)  # 1.14.0
    nybble_add_pinned(googletest)
  endif()
endif()

if(NYBBLE_BUILD_BENCH)
  if(NYBBLE_USE_SYSTEM_DEPS)
    find_package(benchmark 1.7 CONFIG QUIET)
  endif()
  if(NOT TARGET benchmark::benchmark_main)
    nybble_declare_pinned(benchmark libbenchmark-dev https://github.com/google/benchmark.git
      344117638c8ff7e239044fd0fa7085839fc03021 SYSTEM)  # 1.8.3
    nybble_add_pinned(benchmark)
  endif()
endif()

if(NYBBLE_BUILD_PYTHON)
  find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)
  if(NOT pybind11_DIR)
    execute_process(COMMAND ${Python_EXECUTABLE} -m pybind11 --cmakedir
                    OUTPUT_VARIABLE nybble_pybind11_dir OUTPUT_STRIP_TRAILING_WHITESPACE
                    ERROR_QUIET)
    set(pybind11_DIR "${nybble_pybind11_dir}" CACHE PATH "Folder of pybind11Config.cmake" FORCE)
  endif()
  set(PYBIND11_FINDPYTHON ON)
  find_package(pybind11 3 CONFIG QUIET)
  if(NOT pybind11_FOUND)
    message(FATAL_ERROR "pybind11 3 or newer is missing for ${Python_EXECUTABLE}: "
                        "run that interpreter with -m pip install 'pybind11>=3'.")
  endif()
endif()
