# The description of the API is kept for people and tools in docs/; the program serves the same bytes.
set(description ${PROJECT_SOURCE_DIR}/docs/macs-api.openapi.json)
set(generated ${CMAKE_CURRENT_BINARY_DIR}/openapi_json.cc)
add_custom_command(
  OUTPUT ${generated}
  COMMAND ${CMAKE_COMMAND} -DIN=${description} -DOUT=${generated} -P ${PROJECT_SOURCE_DIR}/cmake/embed_openapi.cmake
  DEPENDS ${description} ${PROJECT_SOURCE_DIR}/cmake/embed_openapi.cmake
  VERBATIM)
target_sources(sekimori_macs PRIVATE ${generated})
