# The flags of every target of ours, in one interface target: link it PRIVATE.
add_library(sekimori_flags INTERFACE)
target_compile_options(sekimori_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  # Same seed, same bytes, on every machine: no fused multiply-add behind our back.
  -ffp-contract=off
  # Assert messages name files from the top of the tree, wherever the tree lies.
  -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=
  $<$<CONFIG:Debug>:-D_GLIBCXX_ASSERTIONS>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(sekimori_flags INTERFACE -Wno-restrict)  # wrong about "text" + std::string (PR105329)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 uses a deprecated function of its own in std::stable_sort.
  target_compile_options(sekimori_flags INTERFACE -Wno-deprecated-declarations)
  # Precompiled headers are known by what is in them, so that ccache knows them again in another build.
  target_compile_options(sekimori_flags INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
endif()
if(SEKIMORI_WERROR)
  target_compile_options(sekimori_flags INTERFACE -Werror)
endif()
if(SEKIMORI_SANITIZE)
  target_compile_options(sekimori_flags INTERFACE
    -fsanitize=${SEKIMORI_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(sekimori_flags INTERFACE -fsanitize=${SEKIMORI_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(sekimori_flags INTERFACE -Wno-maybe-uninitialized)  # wrong under the sanitizers
  endif()
endif()
