# sekimori_together(<target> <files...>): compiles the files by the dozen instead of one by one, which takes half the
# time: most of it goes into headers, of the system above all, that all of them include.
#
# together.awk keeps apart what can't be one source, because one file has a name of its own that another one has or uses,
# too. So nobody has to rename anything; what it overlooks, such as a name that is not defined at the left margin, the
# compiler refuses, and says where the name is defined twice. Then rename one of the two.
#
# A file still includes what it uses. The preset asan compiles what users run file by file, and clang-tidy reads it from
# there; tests/architecture/uses.py looks for what precompiled headers hide.
set(SEKIMORI_TOGETHER "" CACHE STRING "What is compiled by the dozen: all, tests, or nothing")

function(sekimori_together target)
  if(NOT (SEKIMORI_TOGETHER STREQUAL "all" OR (SEKIMORI_TOGETHER STREQUAL "tests" AND target MATCHES "_test$")))
    return()
  endif()
  set(groups ${PROJECT_SOURCE_DIR}/cmake/together.awk)
  execute_process(COMMAND awk -v most=12 -v root=${PROJECT_SOURCE_DIR} -f ${groups} ${ARGN}
                  OUTPUT_VARIABLE lines OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "\n" ";" lines "${lines}")
  foreach(line ${lines})
    string(REGEX MATCH "^([0-9]+) (.*)" line "${line}")
    set_source_files_properties(${CMAKE_MATCH_2} PROPERTIES UNITY_GROUP ${CMAKE_MATCH_1})
  endforeach()
  # An edit may bring a name that another file has.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${groups} ${ARGN})
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # It warns of types in headers that have a field of a type of one file's own. These files are no headers.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()
