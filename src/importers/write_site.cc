// Writes a draft as a site file that people read: machine by machine, short forms where the format has them,
// and beside each thing where it comes from.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "importers/draft.h"
#include "importers/problems.h"
#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::importers {
namespace {

// Words that mean something else in some YAML are quoted, too, for the sake of other readers of the file.
bool is_plain(std::string_view text) {
  constexpr std::string_view kWords[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "none"};
  if (text.empty() || text.size() > 60) return false;
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (std::ranges::find(kWords, lower) != std::end(kWords)) return false;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!is_letter(text.front()))
    return std::ranges::all_of(text, is_digit) && text.size() <= 9 && text.front() != '0';
  return std::ranges::all_of(
      text, [&](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.'; });
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    const std::size_t length = utf8_length(text, at);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[at];
    } else if (c < 0x20 || c == 0x7f || length == 0) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += text.substr(at, length);
    }
    at += std::max<std::size_t>(length, 1);
  }
  return out + '"';
}

std::string word(std::string_view text) { return is_plain(text) ? std::string(text) : in_quotes(text); }

// machine:nic, switch:port, machine/switch:port.
std::string reference(std::string_view text) {
  std::string parts(text);
  std::ranges::replace(parts, ':', '-');
  std::ranges::replace(parts, '/', '-');
  return is_plain(parts) && !text.ends_with(':') ? std::string(text) : in_quotes(text);
}

// A comment is one line of printable text.
std::string comment(std::string_view text) {
  if (text.empty()) return {};
  std::string out = "  # ";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    const auto c = static_cast<unsigned char>(text[at]);
    // The bidirectional controls and separators of U+2028 to U+202E could make a comment look like content.
    const bool is_tricky = length == 0 || c < 0x20 || c == 0x7f ||
                           (length == 2 && c == 0xc2 && static_cast<unsigned char>(text[at + 1]) < 0xa0) ||
                           (length == 3 && text.substr(at, 2) == "\xe2\x80") ||
                           (length == 3 && text.substr(at, 2) == "\xe2\x81") ||
                           text.substr(at, 3) == "\xef\xbb\xbf";
    out += is_tricky ? std::string_view("?") : text.substr(at, length);
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

std::string trunk(const VlanFacts& vlans) {
  std::vector<std::string> parts;
  for (const auto& [first, last] : vlans.tagged) {
    parts.push_back(first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last));
  }
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

void add_port(const DraftPort& port, std::vector<std::string>& parts) {
  if (port.vlans.tagged.empty() && port.vlans.untagged != 0) {
    parts.push_back(fmt::format("access: {}", port.vlans.untagged));
  } else if (port.vlans.any()) {
    if (!port.vlans.tagged.empty()) parts.push_back("trunk: " + trunk(port.vlans));
    if (port.vlans.untagged_dropped) parts.emplace_back("native: none");
    if (port.vlans.untagged > 1) parts.push_back(fmt::format("native: {}", port.vlans.untagged));
  }
  if (!port.flood) parts.emplace_back("flood: off");
  if (!port.learning) parts.emplace_back("learning: off");
  if (port.isolated) parts.emplace_back("isolated: on");
  if (port.lag != 0) parts.push_back(fmt::format("lag: {}", port.lag));
  if (port.promiscuous) parts.emplace_back("promiscuous-mode: on");
  if (port.forged) parts.emplace_back("forged-transmits: on");
  if (port.spoofing) parts.emplace_back("mac-spoofing: on");
}

std::string_view mode_word(model::MacvlanMode mode) {
  constexpr std::string_view kWords[] = {"bridge", "vepa", "private", "passthru"};
  return kWords[static_cast<std::size_t>(mode)];
}

std::string_view teaming_word(model::Teaming teaming) {
  constexpr std::string_view kWords[] = {"port-id", "mac-hash", "ip-hash", "failover"};
  return kWords[static_cast<std::size_t>(teaming)];
}

std::string_view hash_policy_word(model::HashPolicy policy) {
  constexpr std::string_view kWords[] = {"layer2", "layer2+3", "layer3+4"};
  return kWords[static_cast<std::size_t>(policy)];
}

std::string mac_text(Mac mac) { return fmt::format("\"{}\"", wire::to_text(mac)); }

class Writer {
 public:
  explicit Writer(const Draft& draft) : in_(draft) {}

  std::string write() && {
    line(0, "sekimori: 1");
    if (!in_.title.empty()) line(0, "title: " + in_quotes(in_.title));
    write_notes();
    write_machines(model::MachineKind::kHost, "hosts:");
    write_machines(model::MachineKind::kRouter, "routers:");
    write_gear();
    write_links();
    write_flows();
    return std::move(out_);
  }

 private:
  void line(int level, std::string_view text, std::string_view about = {}) {
    out_ += fmt::format("{:{}}{}{}\n", "", level * 2, text, comment(about));
  }

  void write_notes() {
    if (in_.notes.empty()) return;
    line(0, "\nnotes:");
    for (const DraftNote& note : in_.notes)
      line(1, fmt::format("- {{{}: {}}}", note.is_suspect ? "suspect" : "assumed", in_quotes(note.text)));
  }

  void write_machines(model::MachineKind kind, std::string_view section) {
    bool begun = false;
    for (const DraftMachine& machine : in_.machines) {
      if (machine.kind != kind) continue;
      if (!begun) line(0, fmt::format("\n{}", section));
      begun = true;
      write_machine(machine, 1);
    }
  }

  void write_machine(const DraftMachine& machine, int level) {
    line(level, word(machine.name) + ":" + (is_empty(machine) ? " {}" : ""), machine.comment);
    if (!machine.running) line(level + 1, "state: stopped");
    if (!machine.nics.empty()) {
      line(level + 1, "nics:");
      for (const DraftNic& nic : machine.nics) {
        if (!is_bond(machine, nic)) write_nic(nic, level + 2);
      }
    }
    if (!machine.bonds.empty()) {
      line(level + 1, "bonds:");
      for (const DraftBond& bond : machine.bonds) write_bond(machine, bond, level + 2);
    }
    if (machine.gateway) line(level + 1, "gateway: " + wire::to_text(*machine.gateway));
    if (!machine.routes.empty()) {
      line(level + 1, "routes:");
      for (const RouteFacts& route : machine.routes)
        line(level + 2,
             fmt::format("- {{to: {}, via: {}}}", wire::to_text(route.to), wire::to_text(route.via)));
    }
    if (!machine.switches.empty()) {
      line(level + 1, "switches:");
      for (const DraftSwitch& s : machine.switches) write_switch(s, level + 2);
    }
    if (!machine.guests.empty()) {
      line(level + 1, "guests:");
      for (const std::size_t guest : machine.guests) write_machine(in_.machines[guest], level + 2);
    }
  }

  static bool is_empty(const DraftMachine& m) {
    return m.nics.empty() && m.switches.empty() && m.guests.empty() && m.running && !m.gateway &&
           m.routes.empty();
  }

  void write_nic(const DraftNic& nic, int level) {
    std::vector<std::string> parts;
    if (!nic.on.empty()) parts.push_back("on: " + word(nic.on));
    if (nic.mac) parts.push_back("mac: " + mac_text(*nic.mac));
    if (nic.ip) parts.push_back("ip: " + wire::to_text(*nic.ip));
    add_port(nic.port, parts);
    line(level, fmt::format("{}: {}", word(nic.name), joined(parts)), nic.comment);
  }

  static bool is_bond(const DraftMachine& machine, const DraftNic& nic) {
    return std::ranges::find(machine.bonds, nic.name, &DraftBond::name) != machine.bonds.end();
  }

  void write_bond(const DraftMachine& machine, const DraftBond& bond, int level) {
    std::vector<std::string> parts, nics;
    for (const std::string& nic : bond.nics) nics.push_back(word(nic));
    parts.push_back(fmt::format("mode: {}", to_text(bond.mode)));
    parts.push_back(fmt::format("nics: [{}]", fmt::join(nics, ", ")));
    if (!bond.primary.empty()) parts.push_back("primary: " + word(bond.primary));
    if (bond.hash_policy != model::HashPolicy::kLayer2)
      parts.push_back(fmt::format("hash-policy: {}", hash_policy_word(bond.hash_policy)));
    const auto own = std::ranges::find(machine.nics, bond.name, &DraftNic::name);
    if (own->mac) parts.push_back("mac: " + mac_text(*own->mac));
    if (own->ip) parts.push_back("ip: " + wire::to_text(*own->ip));
    line(level, fmt::format("{}: {}", word(bond.name), joined(parts)), own->comment);
  }

  void write_switch(const DraftSwitch& s, int level) {
    line(level, word(s.name) + ":" + (has_body(s) ? "" : " {}"), s.comment);
    if (!s.kind.empty()) line(level + 1, "kind: " + s.kind);
    if (!s.uplinks.empty()) {
      std::vector<std::string> words;
      for (const std::string& nic : s.uplinks) words.push_back(word(nic));
      line(level + 1, fmt::format("uplinks: [{}]", fmt::join(words, ", ")));
    }
    if (s.ip) line(level + 1, "ip: " + wire::to_text(*s.ip));
    if (s.mac) line(level + 1, "mac: " + mac_text(*s.mac));
    if (s.ageing) line(level + 1, "ageing: " + base::to_text(*s.ageing));
    if (!s.learning) line(level + 1, "learning: off");
    if (s.table_size) line(level + 1, fmt::format("table-size: {}", *s.table_size));
    if (s.vlan_aware) line(level + 1, "vlan-aware: on");
    if (s.stp) line(level + 1, "stp: on");
    if (s.priority) line(level + 1, fmt::format("priority: {}", *s.priority));
    if (s.macvlan_mode) line(level + 1, fmt::format("mode: {}", mode_word(*s.macvlan_mode)));
    if (s.teaming) line(level + 1, fmt::format("teaming: {}", teaming_word(*s.teaming)));
    if (!s.notify_switches) line(level + 1, "notify-switches: off");
    if (s.beacon_probing) line(level + 1, "beacon-probing: on");
    if (s.snoops && *s.snoops != (s.kind == "linux-bridge"))
      line(level + 1, fmt::format("multicast-snooping: {}", *s.snoops ? "on" : "off"));
    if (s.querier) line(level + 1, "multicast-querier: on");
    if (!s.floods_unregistered) line(level + 1, "unregistered-multicast: routers");
    write_ports(s, level + 1);
    write_flow_rules(s, level + 1);
    if (s.statics.empty()) return;
    line(level + 1, "static:");
    for (const DraftStatic& entry : s.statics) {
      line(level + 2, fmt::format("- {{mac: {}, port: {}{}}}", mac_text(entry.mac), reference(entry.port),
                                  entry.vlan == 0 ? "" : fmt::format(", vlan: {}", entry.vlan)));
    }
  }

  void write_flow_rules(const DraftSwitch& s, int level) {
    if (s.flow_rules.empty()) return;
    line(level, "flows:");
    for (const DraftFlowRule& rule : s.flow_rules) {
      std::vector<std::string> parts, outputs;
      if (!rule.in.empty()) parts.push_back("in-port: " + reference(rule.in));
      if (rule.destination) parts.push_back("mac: " + mac_text(*rule.destination));
      if (rule.type != model::FlowRuleType::kAny)
        parts.emplace_back(rule.type == model::FlowRuleType::kArp ? "type: arp" : "type: ip");
      for (const std::string& port : rule.out) outputs.push_back(reference(port));
      if (rule.normal) outputs.emplace_back("normal");
      parts.push_back(fmt::format("output: [{}]", fmt::join(outputs, ", ")));
      line(level + 1, "- " + joined(parts), rule.comment);
    }
  }

  static bool has_body(const DraftSwitch& s) {
    return !s.kind.empty() || !s.uplinks.empty() || s.ip || s.mac || s.ageing || !s.learning ||
           s.table_size || s.vlan_aware || s.stp || s.priority || !s.statics.empty() ||
           std::ranges::any_of(s.ports, &DraftPort::says_anything);
  }

  void write_ports(const DraftSwitch& s, int level) {
    if (std::ranges::none_of(s.ports, &DraftPort::says_anything)) return;
    line(level, "ports:");
    for (const DraftPort& port : s.ports) {
      if (!port.says_anything()) continue;
      std::vector<std::string> parts;
      add_port(port, parts);
      line(level + 1, fmt::format("{}: {}", word(port.name), joined(parts)));
    }
  }

  void write_gear() {
    if (in_.gear.empty()) return;
    line(0, "\nswitches:");
    for (const DraftSwitch& s : in_.gear) write_switch(s, 1);
  }

  void write_links() {
    if (in_.links.empty()) return;
    line(0, "\nlinks:");
    for (const DraftLink& link : in_.links)
      line(1, fmt::format("- [{}, {}]", reference(link.a), reference(link.b)), link.comment);
  }

  void write_flows() {
    if (in_.flows.empty()) return;
    line(0, "\ntraffic:");
    for (const DraftFlow& flow : in_.flows) {
      line(1, fmt::format("- {{from: {}, to: {}, kind: request, every: 1s}}", reference(flow.from),
                          reference(flow.to)));
    }
  }

  const Draft& in_;
  std::string out_;
};

}  // namespace

std::string write_site(const Draft& draft) { return Writer(draft).write(); }

}  // namespace sekimori::importers
