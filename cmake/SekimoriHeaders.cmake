# sekimori_precompile(<target> [TESTS]): clang compiles <target> with the headers that most files include compiled once;
# TESTS adds GoogleTest's. Three tenths of the time of a build. Only what is not ours is in the lists: a change of ours
# recompiles what it must, and no more. g++ would gain two tenths, but g++ 12 then warns of strings that overflow in
# std::vector<std::string>::push_back("text"), where none do.
#
# A file still includes what it uses: tests/architecture/uses.py looks, and has to know what is in the lists.
set(SEKIMORI_HEADERS
  <algorithm> <array> <chrono> <cstdint> <cstring> <expected> <filesystem> <fstream> <functional> <map> <memory>
  <optional> <set> <span> <sstream> <string> <string_view> <thread> <tuple> <unordered_map> <utility> <vector>
  <fmt/format.h>)

# Tests are compiled once and run once: what a better optimiser would save when they run, it takes before. What they
# test is compiled as ever.
if(SEKIMORI_SANITIZE MATCHES "address")
  set(SEKIMORI_TEST_OPTIONS -O0)
else()
  set(SEKIMORI_TEST_OPTIONS -O1)
endif()

function(sekimori_precompile target)
  set(owner sekimori_headers)
  set(headers ${SEKIMORI_HEADERS})
  set(packages fmt::fmt Threads::Threads)
  set(options "")
  if("TESTS" IN_LIST ARGN)
    set(owner sekimori_test_headers)
    list(APPEND headers <gmock/gmock.h> <gtest/gtest.h>)
    list(APPEND packages GTest::gmock)
    set(options ${SEKIMORI_TEST_OPTIONS})
  endif()
  target_compile_options(${target} PRIVATE ${options})
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    return()
  endif()
  if(NOT TARGET ${owner})
    sekimori_find(fmt::fmt)
    sekimori_find(Threads::Threads)
    set(empty ${PROJECT_BINARY_DIR}/${owner}.cc)
    file(CONFIGURE OUTPUT ${empty} CONTENT "")
    add_library(${owner} OBJECT ${empty})
    target_link_libraries(${owner} PRIVATE sekimori_flags ${packages})
    target_compile_options(${owner} PRIVATE ${options})
    target_precompile_headers(${owner} PRIVATE ${headers})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${owner})
endfunction()
