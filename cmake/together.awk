# awk -v most=12 -v root=/.../src -f together.awk FILES...: which of the files can be compiled as one source. Prints a
# line for each, "GROUP FILE"; a group has at most `most` files.
#
# In one source a file sees what those before it keep to themselves, and the headers that they include. So two files
# are kept apart if one has a name of its own (in the anonymous namespace, or a constant, alias or macro anywhere at
# the left margin) and the other mentions it, itself or in a header that the first does not include. A name that is
# taken over ("using wire::Mac;") is in nobody's way but of who has something else of that name. All is read as text:
# member names (.x, ->x, ::x), comments and strings don't count, and of a function nothing but what looks like a call;
# all else does, so rather too much is kept apart than too little.

function own_name(line,   name) {  # what a line at the left margin defines, or ""
  if (line ~ /^(namespace|using namespace|template|extern|friend|TEST|INSTANTIATE)/) return ""
  if (line ~ /^using [A-Za-z0-9_:]+;/) {
    name = line
    gsub(/^using |;.*/, "", name)
    sub(/.*::/, "", name)
    return name
  }
  if (line ~ /^(struct|class|union|enum|using|#define) /) {
    sub(/^(enum class|struct|class|union|enum|using|#define) /, "", line)
    match(line, /[A-Za-z0-9_]+/)
    return substr(line, RSTART, RLENGTH)
  }
  if (!match(line, /[({=;[]/)) return ""
  line = substr(line, 1, RSTART - 1)
  sub(/ +$/, "", line)
  if (!match(line, /[A-Za-z0-9_]+$/) || substr(line, RSTART - 1, 1) == ":") return ""
  return substr(line, RSTART, RLENGTH)
}

# Reads a file once for its own names and its includes, and, once all own names are known, a second time for mentions.
function read_file(file, for_mentions,   line, hidden, parts) {
  hidden = 0
  while ((getline line < file) > 0) {
    if (!for_mentions && line ~ /^#include "/) {
      split(line, parts, "\"")
      includes[file] = includes[file] " " parts[2]
    }
    if (line ~ /^namespace \{/) hidden = 1
    if (line ~ /^namespace [a-z]/ && space[file] == "") space[file] = line
    if (line ~ /^}  \/\/ namespace$/) hidden = 0
    gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
    sub(/\/\/.*/, "", line)
    if (for_mentions) {
      mention_all(file, line)
    } else if (line ~ /^[A-Za-z#]/ && (hidden || line ~ /^(static|const|constexpr|using|#define) /)) {
      define(file, own_name(line), line)
      while (line ~ /^const/ && match(line, /, k[A-Z][A-Za-z0-9]*[{ =(;]/)) {  # constexpr int kA = 1, kB = 2;
        define(file, substr(line, RSTART + 2, RLENGTH - 3), line)
        line = "const" substr(line, RSTART + RLENGTH)
      }
    }
  }
  close(file)
}

function define(file, name, line) {
  if (name == "" || name == "void" || (file, name) in meaning) return
  own[file] = own[file] " " name
  meaning[file, name] = file
  if (line ~ /^using [A-Za-z0-9_:]+;/) {
    meaning[file, name] = line
    is_elsewhere[file, name] = 1
  }
  # Of a variable that has a function's name nobody takes notice.
  if (line !~ /^(struct|class|enum|using|#define)/ && name !~ /^k[A-Z]/ && index(line, name "(")) {
    if (!(name in own_kind)) own_kind[name] = "function"
  } else {
    own_kind[name] = "other"
  }
}

function mention_all(file, line,   word) {
  gsub(/(\.|->|::)[A-Za-z0-9_]+/, " ", line)
  while (match(line, /[A-Za-z_][A-Za-z0-9_]*/)) {
    word = substr(line, RSTART, RLENGTH)
    line = substr(line, RSTART + RLENGTH)
    if (!(word in own_kind) || (file, word) in mentioned) continue
    if (own_kind[word] == "function" && line !~ /^[(<]/) continue
    mentioned[file, word] = 1
    if (file in is_header) where[word] = where[word] " " file
  }
}

# Headers of ours that the file includes, by itself or by one of them.
function follow(file, from,   names, count, i, header) {
  if (!(from in was_read)) {
    was_read[from] = 1
    read_file(from, 0)
  }
  count = split(includes[from], names, " ")
  for (i = 1; i <= count; ++i) {
    header = found(names[i], from)
    if (header == "" || (file, header) in sees) continue
    sees[file, header] = 1
    is_header[header] = 1
    follow(file, header)
  }
}

function found(name, from,   folder, line, places, i) {
  folder = from
  sub(/[^\/]*$/, "", folder)
  places[1] = root "/src/" name
  places[2] = root "/" name
  places[3] = folder name
  for (i = 1; i <= 3; ++i) {
    if (!(places[i] in exists)) {
      exists[places[i]] = (getline line < places[i]) > 0
      close(places[i])
    }
    if (exists[places[i]]) return places[i]
  }
  return ""
}

# b could take a name of a's for another.
function disturbs(a, b,   names, name, count, headers, many, i, j) {
  count = split(own[a], names, " ")
  for (i = 1; i <= count; ++i) {
    name = names[i]
    if ((b, name) in meaning) {
      if (meaning[a, name] != meaning[b, name]) return 1
    } else if (!((a, name) in is_elsewhere)) {
      if ((b, name) in mentioned && sees_space(b, a)) return 1
      many = split(where[name], headers, " ")
      for (j = 1; j <= many; ++j) {
        if ((b, headers[j]) in sees && !((a, headers[j]) in sees) && sees_space(headers[j], a)) return 1
      }
    }
  }
  return 0
}

function sees_space(file, of) { return space[of] == "" || space[file] == space[of] }

function fits(file, group,   members, count, i) {
  count = split(in_group[group], members, " ")
  if (count >= most) return 0
  for (i = 1; i <= count; ++i) {
    if (disturbs(file, members[i]) || disturbs(members[i], file)) return 0
  }
  return 1
}

BEGIN {
  for (i = 1; i < ARGC; ++i) follow(ARGV[i], ARGV[i])
  for (file in was_read) read_file(file, 1)
  groups = 0
  for (i = 1; i < ARGC; ++i) {
    for (group = 1; group <= groups && !fits(ARGV[i], group); ++group) continue
    if (group > groups) groups = group
    in_group[group] = in_group[group] " " ARGV[i]
    print group, ARGV[i]
  }
}
