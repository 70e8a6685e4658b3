#include "importers/sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/text.h"
#include "importers/formats.h"
#include "importers/hypervisor_tables.h"
#include "importers/linux_tables.h"
#include "importers/ovs_tables.h"
#include "importers/problems.h"

namespace sekimori::importers {
namespace {

// ---------------------------------------------------------------- text

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

// PowerShell's Export-Csv and `>` write UTF-16. Halves of pairs that stand alone become U+FFFD.
std::string from_utf16(std::string_view text, bool big_endian) {
  std::string out;
  const auto unit = [&](std::size_t at) -> std::uint32_t {
    const auto a = static_cast<unsigned char>(text[at]), b = static_cast<unsigned char>(text[at + 1]);
    return big_endian ? a << 8 | b : b << 8 | a;
  };
  for (std::size_t at = 0; at + 1 < text.size(); at += 2) {
    std::uint32_t c = unit(at);
    if (c >= 0xd800 && c < 0xdc00 && at + 3 < text.size()) {
      const std::uint32_t low = unit(at + 2);
      if (low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        at += 2;
      }
    }
    append_utf8(out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
  }
  return out;
}

}  // namespace

// The text as UTF-8, or why it is none.
std::expected<std::string, std::string> readable(const std::string& bytes) {
  std::string text = bytes;
  if (bytes.starts_with("\xff\xfe")) text = from_utf16(std::string_view(bytes).substr(2), false);
  if (bytes.starts_with("\xfe\xff")) text = from_utf16(std::string_view(bytes).substr(2), true);
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  bool is_utf8 = true;
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c >= 0x20 && c < 0x7f) {
      ++at;
      continue;
    }
    if (c < 0x20 && c != '\n' && c != '\t' && c != '\r' && c != '\f' && c != 0x1b && c != '\b')
      return std::unexpected(fmt::format("byte 0x{:02x} has no place in a text; is this a binary file?", c));
    const std::size_t length = utf8_length(text, at);
    is_utf8 &= length != 0;
    at += std::max<std::size_t>(length, 1);
  }
  if (is_utf8) return text;
  // What is no UTF-8 is taken for Latin-1: every byte is a letter there, and only names can have such.
  std::string latin;
  for (const char c : text) append_utf8(latin, static_cast<unsigned char>(c));
  return latin;
}

namespace {

// ---------------------------------------------------------------- the formats

std::string folder_of(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string::npos ? std::string() : name.substr(0, slash);
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Whose output it is: "server" for server/link.json, and for server-link.json, server.ip-link.json.
std::string machine_of(const std::string& name) {
  std::string_view stem = last_part(name);
  if (const std::size_t dot = stem.rfind('.'); dot != std::string_view::npos) stem = stem.substr(0, dot);
  constexpr std::string_view kWords[] = {"link",  "addr",   "address",    "neigh",  "route",
                                         "fdb",   "vlan",   "ip",         "bridge", "json",
                                         "links", "routes", "neighbours", "d",      "j"};
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view word : kWords) {
      if (!stem.ends_with(word)) continue;
      const std::string_view rest = stem.substr(0, stem.size() - word.size());
      if (!rest.empty() && std::string_view("-_. ").find(rest.back()) == std::string_view::npos) continue;
      stem = rest.substr(0, rest.find_last_not_of("-_. ") + 1);
      again = !stem.empty();
      break;
    }
  }
  return std::string(stem);
}

// What all readers share while sources are read one after the other.
struct Reading {
  Facts facts;
  std::map<std::pair<std::string, std::string>, LinuxTables> linux;  // by group and machine
  std::map<std::string, OvsTables> ovs;                              // by group
  HypervisorTables hypervisors;
  MachineIndex kubernetes;
};

// A text, and what it is as data when it looks like JSON or YAML.
struct Document {
  Source source;
  Data json;
};

void read_iproute(const Document& document, Reading& reading) {
  const std::string& name = reading.facts.files[document.source.file];
  std::string machine = machine_of(name);
  const std::string& group = document.source.group;
  const auto key = std::pair(group, machine);
  LinuxTables& tables = reading.linux[key];
  if (tables.name.empty()) {
    if (machine.empty()) machine = last_part(group);
    tables.name = machine.empty() ? "host" : machine;
    tables.group = key.second.empty() ? group : fmt::format("{}/{}", group, key.second);
    tables.place = {document.source.file, 0};
  }
  importers::read_iproute(document.json, document.source.file, reading.facts, tables);
}

OvsTables& ovs_of(const Document& document, Reading& reading) {
  OvsTables& tables = reading.ovs[document.source.group];
  tables.group = document.source.group;
  return tables;
}

void read_ovs(const Document& document, Reading& reading) {
  const Source& source = document.source;
  OvsTables& tables = ovs_of(document, reading);
  if (is_ovs_list(document.json)) return read_ovs_list(document.json, source.file, tables);
  read_ovs_lines(source, reading.facts.files[source.file],
                 is_ovs_fdb(source.text) ? tables.fdb : tables.flows);
}

// YAML may be a stream of documents.
template <class Read>
void for_each_document(const Document& document, Facts& facts, Read read) {
  if (document.json) return read(document.json);
  std::size_t begin = 0;
  std::uint32_t line = 1, first_line = 1;
  const std::string_view text = document.source.text;
  const auto finish = [&](std::size_t end) {
    const std::string_view part = text.substr(begin, end - begin);
    if (part.find_first_not_of(" \t\r\n-") == std::string_view::npos) return;
    std::optional<DataTree::Damage> damage;
    const DataTree tree = DataTree::yaml(part, first_line, damage);
    if (damage) facts.leave_out({document.source.file, damage->line}, damage->what);
    if (tree.root()) read(tree.root());
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (base::trim(text.substr(at, end - at)) == "---") {
      finish(at);
      begin = end;
      first_line = line;
    }
    ++line;
    at = end + 1;
  }
  finish(text.size());
}

void read_containerlab_file(const Document& document, Reading& reading) {
  for_each_document(document, reading.facts,
                    [&](Data root) { read_containerlab(document.source, root, reading.facts); });
}

void read_kubernetes_file(const Document& document, Reading& reading) {
  for_each_document(document, reading.facts, [&](Data root) {
    read_kubernetes(document.source, root, reading.facts, reading.kubernetes);
  });
}

struct Format {
  std::string_view word;
  bool (*recognises)(const Document&);
  void (*read)(const Document&, Reading&);
};

bool is_xml_of_libvirt(const Document& document) {
  const std::string_view head = document.source.text.substr(0, 4096);
  for (const std::string_view root : {"<domain", "<network", "<domstatus"}) {
    if (head.contains(root)) return true;
  }
  return false;
}

// In the order in which they are tried. A further format is a further line, and a from_*.cc.
constexpr Format kFormats[] = {
    {"iproute2", [](const Document& d) { return is_iproute(d.json); }, read_iproute},
    {"libvirt", is_xml_of_libvirt, [](const Document& d, Reading& r) { read_libvirt(d.source, r.facts); }},
    {"ovs",
     [](const Document& d) {
       return is_ovs_list(d.json) || is_ovs_fdb(d.source.text) || is_ovs_flows(d.source.text);
     },
     read_ovs},
    {"lldp", [](const Document& d) { return is_lldp(d.json); },
     [](const Document& d, Reading& r) { read_lldp(d.source, d.json, r.facts); }},
    {"kubernetes", [](const Document& d) { return is_kubernetes(d.source.text); }, read_kubernetes_file},
    {"containerlab", [](const Document& d) { return is_containerlab(d.source.text); },
     read_containerlab_file},
    {"hypervisor", [](const Document& d) { return is_hypervisor_table(d.source.text, d.json); },
     [](const Document& d, Reading& r) { read_hypervisor_table(d.source, d.json, r.facts, r.hypervisors); }},
    {"inventory", [](const Document& d) { return is_inventory(d.source.text, d.json); },
     [](const Document& d, Reading& r) { read_inventory(d.source, d.json, r.facts); }},
    {"virtualbox", [](const Document& d) { return is_virtualbox(d.source.text); },
     [](const Document& d, Reading& r) { read_virtualbox(d.source, r.facts); }},
    {"vmx", [](const Document& d) { return is_vmx(d.source.text); },
     [](const Document& d, Reading& r) { read_vmx(d.source, r.facts); }},
    {"proxmox", [](const Document& d) { return is_proxmox_guest(d.source.text); },
     [](const Document& d, Reading& r) { read_proxmox_guest(d.source, r.facts); }},
    {"interfaces", [](const Document& d) { return is_interfaces(d.source.text); },
     [](const Document& d, Reading& r) { read_interfaces(d.source, r.facts); }},
    {"switch", [](const Document& d) { return is_switch_console(d.source.text); },
     [](const Document& d, Reading& r) { read_switch_console(d.source, r.facts); }},
};

class Sources {
 public:
  explicit Sources(std::string_view format) : format_(format) {}

  void read(const SourceText& given) {
    const auto file = static_cast<std::uint32_t>(facts().files.size());
    facts().files.push_back(given.name);
    const Place whole{file, 0};
    if (given.text.size() > kMostSourceBytes) return facts().leave_out(whole, "it is larger than 1 GiB");
    const auto text = readable(given.text);
    if (!text) {
      if (given.is_named) facts().leave_out(whole, text.error());
      return;
    }
    const std::size_t first = text->find_first_not_of(" \t\r\n");
    if (first == std::string::npos) return facts().leave_out(whole, "it is empty");

    Document document{{file, folder_of(given.name), *text}, {}};
    std::optional<DataTree::Damage> damage;
    std::unique_ptr<DataTree> tree;
    if ((*text)[first] == '[' || (*text)[first] == '{') {
      tree = std::make_unique<DataTree>(DataTree::json(*text, damage));
      document.json = tree->root();
    }
    const auto format = std::ranges::find_if(kFormats, [&](const Format& f) {
      return format_.empty() ? f.recognises(document) : f.word == format_;
    });
    if (format == std::end(kFormats)) {
      if (given.is_named || damage) {
        facts().leave_out(damage ? Place{file, damage->line} : whole,
                          damage ? damage->what : "no format that is known; docs/import.md lists them");
      }
      return;
    }
    format->read(document, reading_);
    if (damage) {
      facts().leave_out({file, damage->line},
                        fmt::format("{}; what was complete before is taken", damage->what));
    }
  }

  Facts finish() && {
    add_linux_machines();
    for (const auto& [group, tables] : reading_.ovs) add_bridges(group, tables);
    add_hypervisors(std::move(reading_.hypervisors), facts());
    return std::move(reading_.facts);
  }

 private:
  Facts& facts() { return reading_.facts; }

  // What lies in a folder below that of a host is a container of it. Hosts come before what is below them.
  void add_linux_machines() {
    std::map<std::string_view, std::pair<const LinuxTables*, std::size_t>> hosts;  // by folder
    for (const auto& [key, tables] : reading_.linux) {
      if (tables.interfaces.empty()) continue;
      MachineFacts machine = linux_machine(tables, facts());
      auto host = hosts.end();
      for (std::string_view folder = tables.group; host == hosts.end() && folder.contains('/');) {
        folder = folder.substr(0, folder.rfind('/'));
        host = hosts.find(folder);
      }
      if (host == hosts.end()) {
        hosts.try_emplace(tables.group, &tables, facts().machines.size());
      } else {
        make_container(machine, *host->second.first, facts().machines[host->second.second]);
      }
      facts().machines.push_back(std::move(machine));
    }
  }

  // The bridges of OVS go to the machine of their folder, which is made when iproute2 tells nothing of it.
  void add_bridges(const std::string& group, const OvsTables& tables) {
    if (tables.bridges.empty()) return;
    const LinuxTables* from_linux = nullptr;
    for (const auto& [key, known] : reading_.linux) {
      if (known.group == group) from_linux = &known;
    }
    auto host = std::ranges::find_if(facts().machines, [&](const MachineFacts& m) {
      return m.kind == model::MachineKind::kHost && m.group == group;
    });
    if (host == facts().machines.end()) {
      MachineFacts made;
      made.manager = "linux";
      made.group = group;
      made.id = made.name = group.empty() ? "host" : std::string(last_part(group));
      made.kind = model::MachineKind::kHost;
      made.power = Power::kOn;
      made.place = tables.bridges.begin()->second.place;
      facts().machines.push_back(std::move(made));
      host = std::prev(facts().machines.end());
    }
    add_ovs(tables, from_linux, *host, facts());
  }

  std::string_view format_;
  Reading reading_;
};

}  // namespace

std::vector<std::string_view> format_words() {
  std::vector<std::string_view> words;
  for (const Format& format : kFormats) words.push_back(format.word);
  return words;
}

std::string_view format_of(const SourceText& source) {
  const auto text = readable(source.text);
  const std::size_t first = text ? text->find_first_not_of(" \t\r\n") : std::string::npos;
  if (first == std::string::npos) return {};
  Document document{{0, folder_of(source.name), *text}, {}};
  std::optional<DataTree::Damage> damage;
  std::unique_ptr<DataTree> tree;
  if ((*text)[first] == '[' || (*text)[first] == '{') {
    tree = std::make_unique<DataTree>(DataTree::json(*text, damage));
    document.json = tree->root();
  }
  const auto* const format =
      std::ranges::find_if(kFormats, [&](const Format& f) { return f.recognises(document); });
  return format == std::end(kFormats) ? std::string_view() : format->word;
}

Facts read_sources(std::span<const SourceText> sources, std::string_view format) {
  Sources all(format);
  for (const SourceText& source : sources) all.read(source);
  return std::move(all).finish();
}

}  // namespace sekimori::importers
