# cmake -DIN=docs/macs-api.openapi.json -DOUT=openapi_json.cc -P embed_openapi.cmake: the file as a constant.
file(READ ${IN} text)
# One literal has at most 64 KiB by the standard's minimum; adjacent ones are joined.
string(LENGTH "${text}" length)
set(parts "")
set(at 0)
while(at LESS length)
  string(SUBSTRING "${text}" ${at} 8000 part)
  string(APPEND parts "    R\"openapi(${part})openapi\"\n")
  math(EXPR at "${at} + 8000")
endwhile()
file(WRITE ${OUT} "#include \"macs/api.h\"\n\nnamespace sekimori::macs {\n\nstd::string_view openapi_json() {\n  return\n${parts}      ;\n}\n\n}  // namespace sekimori::macs\n")
