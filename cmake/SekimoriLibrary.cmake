# sekimori_library(<folder> [LINKS <folders...>] [PACKAGES <imported targets...>]
#                  [TEST_LINKS <folders...>] [TEST_LABELS <labels...>] [PROGRAM <name>])
#
# src/<folder>/*.cc           library sekimori_<folder>, alias sekimori::<folder>; INTERFACE if there are none
# src/<folder>/*_test.cc      GoogleTest program sekimori_<folder>_test: one ctest entry, label unit;
#                             what tests share is in test_support.h and test_support.cc
# src/<folder>/main.cc        with PROGRAM: the executable build/<preset>/bin/<name>
# src/<folder>/build.cmake    included at the end if it exists, for generated sources
#
# Includes are read from src/ ("wire/mac.h"). LINKS is complete: tests/architecture holds every #include
# against it. TEST_LINKS is what only the *_test.cc may see in addition; TEST_LABELS are further ctest labels,
# of which `threads` asks for a run under the thread sanitizer. A folder may be empty or missing.

# unit_tests: what `ctest -L unit` runs, and so on. They let one stage of ./test build no more than it needs.
foreach(group unit_tests program_tests threads_tests bench_tests fuzz_tests)
  add_custom_target(${group})
endforeach()

# One entry of ctest for one program; with SHARDS so many entries, each running its part of the program's tests.
# RUNNER is a command that is given the program.
function(sekimori_add_test target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT;SHARDS;COST" "LABELS;ARGUMENTS;RUNNER")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  if(NOT arg_SHARDS)
    set(arg_SHARDS 1)
  endif()
  if(NOT arg_COST)
    set(arg_COST 0)
  endif()
  math(EXPR last "${arg_SHARDS} - 1")
  foreach(shard RANGE ${last})
    set(entry ${target})
    if(shard GREATER 0)
      set(entry ${target}_${shard})
    endif()
    add_test(NAME ${entry} COMMAND ${arg_RUNNER} $<TARGET_FILE:${target}> ${arg_ARGUMENTS}
             WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${entry} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} COST ${arg_COST}
                         ENVIRONMENT "GTEST_TOTAL_SHARDS=${arg_SHARDS};GTEST_SHARD_INDEX=${shard}")
  endforeach()
  foreach(label ${arg_LABELS})
    if(TARGET ${label}_tests)
      add_dependencies(${label}_tests ${target})
    endif()
  endforeach()
endfunction()

# Links the folders that exist. The table is written bottom up, so a folder that is named before its own line
# is a typing error or an arrow that points the wrong way.
function(sekimori_link target visibility)
  get_property(known GLOBAL PROPERTY SEKIMORI_FOLDERS)
  foreach(folder ${ARGN})
    if(NOT folder IN_LIST known)
      message(FATAL_ERROR "${target} links '${folder}', which has no line above it in src/CMakeLists.txt")
    elseif(TARGET sekimori_${folder})
      target_link_libraries(${target} ${visibility} sekimori_${folder})
    endif()
  endforeach()
endfunction()

function(sekimori_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PROGRAM" "LINKS;PACKAGES;TEST_LINKS;TEST_LABELS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sekimori_library(${folder}): what is '${arg_UNPARSED_ARGUMENTS}'?")
  endif()
  set(here ${PROJECT_SOURCE_DIR}/src/${folder})
  set(library sekimori_${folder})
  # Globs run again on each build, so new files and new folders need no one to call cmake.
  file(GLOB sources CONFIGURE_DEPENDS ${here}/*.cc)
  file(GLOB headers CONFIGURE_DEPENDS ${here}/*.h)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "(_test|test_support)\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|test_support|/main)\\.cc$")

  if(sources)
    add_library(${library} STATIC ${sources})
    set(public PUBLIC)
    target_link_libraries(${library} PRIVATE sekimori_flags)
    sekimori_precompile(${library})
    sekimori_together(${library} ${sources})
  elseif(headers OR tests OR EXISTS ${here}/main.cc)
    add_library(${library} INTERFACE)
    set(public INTERFACE)
  endif()

  if(TARGET ${library})
    add_library(sekimori::${folder} ALIAS ${library})
    target_include_directories(${library} ${public} ${PROJECT_SOURCE_DIR}/src)
    sekimori_link(${library} ${public} ${arg_LINKS})
    foreach(package ${arg_PACKAGES})
      sekimori_find(${package})
      target_link_libraries(${library} ${public} ${package})
    endforeach()
    file(GLOB extra CONFIGURE_DEPENDS ${here}/build.cmake)
    if(extra)
      include(${extra})
    endif()
    if(tests AND SEKIMORI_TESTS)
      add_executable(${library}_test ${tests})
      sekimori_link(${library}_test PRIVATE ${arg_TEST_LINKS})
      target_link_libraries(${library}_test PRIVATE ${library} sekimori_flags GTest::gmock GTest::gtest_main)
      sekimori_precompile(${library}_test TESTS)
      sekimori_together(${library}_test ${tests})
      set_target_properties(${library}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
      sekimori_add_test(${library}_test LABELS unit ${arg_TEST_LABELS})
    endif()
    if(arg_PROGRAM AND EXISTS ${here}/main.cc)
      add_executable(${arg_PROGRAM} ${here}/main.cc)
      target_link_libraries(${arg_PROGRAM} PRIVATE ${library} sekimori_flags)
      set_target_properties(${arg_PROGRAM} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
      install(TARGETS ${arg_PROGRAM})
    endif()
  endif()
  set_property(GLOBAL APPEND PROPERTY SEKIMORI_FOLDERS ${folder})
endfunction()
