#include "lab/open_vswitch.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "lab/child_log.h"
#include "lab/keeper.h"
#include "model/multicast.h"
#include "sys/child.h"
#include "sys/namespaces.h"
#include "sys/output_file.h"

namespace sekimori::lab {

using base::Duration;
using base::Result;
using model::Port;
using model::PortId;

namespace fs = std::filesystem;

namespace {

constexpr const char* kSchema = "/usr/share/openvswitch/vswitch.ovsschema";
constexpr const char* kPrograms[] = {"ovsdb-tool", "ovsdb-server", "ovs-vswitchd",
                                     "ovs-vsctl",  "ovs-ofctl",    "ovs-appctl"};
constexpr std::chrono::seconds kPatience{60};

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What the program says. It ends with us: a client of a switch that is gone would wait for it.
Result<std::string> run_tool(const std::string& folder, const std::vector<std::string>& words) {
  const std::string output = fmt::format("{}/{}.out", folder, words.front());
  std::error_code ignored;
  fs::remove(output, ignored);
  auto child = sys::ChildProcess::start(words, {.log = output, .environment = {}});
  if (!child) return std::unexpected(child.error());
  const auto exit = child->wait(kPatience);
  std::string said = text_of(output);
  if (!exit) return base::fail(fmt::format("{} does not end.", words.front()));
  if (*exit != 0)
    return base::fail(
        fmt::format("{} failed with exit code {}: {}.", words.front(), *exit, last_words(output)));
  return said;
}

}  // namespace

bool has_open_vswitch() {
  std::error_code ignored;
  return fs::exists(kSchema, ignored) &&
         std::ranges::none_of(kPrograms, [](const char* name) { return sys::find_program(name).empty(); });
}

std::string open_vswitch_folder(std::string_view lab) {
  return fmt::format("/run/{}ovs", namespace_prefix(lab));
}

// ---------------------------------------------------------------- the daemons

namespace {

class Daemons {
 public:
  explicit Daemons(const Plan& plan)
      : folder_(open_vswitch_folder(plan.lab)),
        keeper_(plan.namespace_of(plan.open_vswitch), kOpenVSwitchService, folder_) {}
  Daemons(const Daemons&) = delete;
  ~Daemons() {
    while (!children_.empty()) children_.pop_back();
  }

  Result<void> start() {
    if (auto begun = keeper_.begin(); !begun) return begun;
    const std::string database = folder_ + "/db", socket = folder_ + "/db.sock";
    if (auto made = run_tool(folder_, {"ovsdb-tool", "create", database, kSchema}); !made)
      return std::unexpected(made.error());
    auto server =
        launch({"ovsdb-server", database, "--remote=punix:" + socket, "--unixctl=" + folder_ + "/db.ctl"},
               "db.sock");
    if (!server) return server;
    return launch({"ovs-vswitchd", "unix:" + socket, "--unixctl=" + folder_ + "/ctl"}, "ctl");
  }

  void run() {
    keeper_.serve([this] { return ended(); });
  }

 private:
  // Returns when the daemon has made the file of that name.
  Result<void> launch(std::vector<std::string> words, const std::string& awaited) {
    const std::string log = fmt::format("{}/{}.log", folder_, words.front());
    words.insert(words.end(), {"-vconsole:warn", "-vsyslog:off"});
    auto child = sys::ChildProcess::start(
        words, {.log = log,
                .environment = {{"OVS_RUNDIR", folder_}, {"OVS_LOGDIR", folder_}, {"OVS_DBDIR", folder_}}});
    if (!child) return std::unexpected(child.error());
    children_.push_back(std::move(*child));
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < until && children_.back().runs()) {
      if (fs::exists(folder_ + "/" + awaited)) return {};
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return base::fail(fmt::format("Open vSwitch's {} did not begin: {}.", words.front(), last_words(log)));
  }

  std::string ended() {
    std::string names;
    for (sys::ChildProcess& child : children_) {
      if (!child.runs()) names += child.name() + "\n";
    }
    return names;
  }

  std::string folder_;
  Keeper keeper_;
  std::vector<sys::ChildProcess> children_;
};

}  // namespace

void run_open_vswitch(const Plan& plan, const sys::Ready& ready) {
  Daemons daemons(plan);
  const auto started = daemons.start();
  ready(started);
  if (started) daemons.run();
}

// ---------------------------------------------------------------- what is told to them

OpenVSwitch::OpenVSwitch(const model::Model& site, const Plan& plan)
    : site_(site), plan_(plan), folder_(open_vswitch_folder(plan.lab)) {}

Result<std::string> OpenVSwitch::vsctl(std::vector<std::string> words) const {
  words.insert(words.begin(), {"ovs-vsctl", fmt::format("--db=unix:{}/db.sock", folder_), "--timeout=50"});
  return run_tool(folder_, words);
}

Result<std::string> OpenVSwitch::appctl(std::vector<std::string> words) const {
  words.insert(words.begin(), {"ovs-appctl", "--timeout=50", "-t", folder_ + "/ctl"});
  return run_tool(folder_, words);
}

std::size_t OpenVSwitch::number_of(PortId port) const {
  const auto& ports = site_[site_[port].bridge].ports;
  return static_cast<std::size_t>(std::ranges::find(ports, port) - ports.begin()) + 1;
}

namespace {

std::string ageing_setting(Duration ageing) {
  return fmt::format("other_config:mac-aging-time={}", ageing / base::seconds(1));
}
std::string size_setting(std::int64_t entries) {
  return fmt::format("other_config:mac-table-size={}", entries);
}

// ovs-vswitchd.conf.db(5), Port, "VLAN Configuration". No trunks at all would mean all VLANs.
std::vector<std::string> vlan_settings(const Port& port, const model::VlanSet& tagged) {
  std::vector<std::string> settings;
  if (port.pvid != 0) settings.push_back(fmt::format("tag={}", port.pvid));
  if (port.pvid == 0 || tagged.any())
    settings.emplace_back(port.pvid != 0 ? "vlan_mode=native-untagged" : "vlan_mode=trunk");
  std::string trunks;
  for (std::size_t vlan = 1; vlan < tagged.size(); ++vlan) {
    if (tagged.test(vlan)) trunks += fmt::format("{}{}", trunks.empty() ? "" : ",", vlan);
  }
  if (port.pvid == 0 && trunks.empty()) trunks = "4095";  // a VID that no frame may have
  if (!trunks.empty()) settings.push_back("trunks=" + trunks);
  return settings;
}

}  // namespace

std::vector<std::string> OpenVSwitch::words_for(const PlannedBridge& planned) const {
  const model::Bridge& bridge = site_[planned.bridge];
  const std::string& name = planned.device;
  std::vector<std::string> words = {"--",
                                    "add-br",
                                    name,
                                    "--",
                                    "set",
                                    "Bridge",
                                    name,
                                    "datapath_type=netdev",
                                    fmt::format("other_config:hwaddr={}", wire::to_text(planned.mac)),
                                    ageing_setting(bridge.ageing),
                                    size_setting(bridge.table_size)};
  if (bridge.snoops && model::uses_groups(site_)) {
    words.emplace_back("mcast_snooping_enable=true");
    words.push_back(fmt::format("other_config:mcast-snooping-disable-flood-unregistered={}",
                                !bridge.floods_unregistered));
  }
  for (const PortId id : bridge.ports) {
    const Device& device = plan_.ports[id.index()];
    if (!device.built()) continue;
    words.insert(words.end(), {"--", "add-port", name, device.name, "--", "set", "Interface", device.name,
                               fmt::format("ofport_request={}", number_of(id))});
    words.insert(words.end(), {"--", "set", "Port", device.name,
                               site_[id].isolated ? "protected=true" : "protected=false"});
    const auto vlans = vlan_settings(site_[id], site_.vlan_sets[site_[id].tagged_vlans]);
    words.insert(words.end(), vlans.begin(), vlans.end());
  }
  return words;
}

Result<void> OpenVSwitch::configure() const {
  for (const PlannedBridge& bridge : plan_.bridges) {
    if (bridge.engine != Engine::kOpenVSwitch) continue;
    if (auto made = vsctl(words_for(bridge)); !made) return std::unexpected(made.error());
    if (auto entered = enter_flows(bridge); !entered) return entered;
    if (auto entered = enter_static_entries(bridge); !entered) return entered;
  }
  return {};
}

Result<void> OpenVSwitch::enter_static_entries(const PlannedBridge& planned) const {
  for (const model::StaticEntry& entry : site_[planned.bridge].static_entries) {
    const Device& device = plan_.ports[entry.port.index()];
    if (!device.built()) continue;
    auto added = appctl(
        {"fdb/add", planned.device, device.name, std::to_string(entry.vlan), wire::to_text(entry.mac)});
    if (!added) return std::unexpected(added.error());
  }
  return {};
}

// The first that matches decides, so priorities go down.
Result<void> OpenVSwitch::enter_flows(const PlannedBridge& planned) const {
  const model::Bridge& bridge = site_[planned.bridge];
  if (bridge.flow_rules.empty()) return {};
  std::string flows = "priority=0,actions=NORMAL\n";
  std::size_t priority = bridge.flow_rules.size();
  for (const model::FlowRule& rule : bridge.flow_rules) {
    flows += fmt::format("priority={}", priority--);
    if (rule.type == model::FlowRuleType::kArp) flows += ",arp";
    if (rule.type == model::FlowRuleType::kIp) flows += ",ip";
    if (rule.in.valid()) flows += fmt::format(",in_port={}", number_of(rule.in));
    if (!rule.destination.is_zero()) flows += ",dl_dst=" + wire::to_text(rule.destination);
    std::vector<std::string> actions;
    for (const PortId out : rule.out) {
      if (plan_.ports[out.index()].built()) actions.push_back(fmt::format("output:{}", number_of(out)));
    }
    if (rule.normal) actions.emplace_back("NORMAL");
    flows +=
        fmt::format(",actions={}\n", actions.empty() ? "drop" : fmt::format("{}", fmt::join(actions, ",")));
  }
  const std::string path = fmt::format("{}/{}.flows", folder_, planned.device);
  auto file = sys::OutputFile::open(path);
  if (!file) return std::unexpected(file.error());
  if (auto written = file->write(flows); !written) return written;
  if (auto done = file->commit(); !done) return done;
  const std::string where = fmt::format("unix:{}/{}.mgmt", folder_, planned.device);
  auto replaced = run_tool(folder_, {"ovs-ofctl", "--timeout=50", "replace-flows", where, path});
  if (!replaced) return std::unexpected(replaced.error());
  return {};
}

// Static entries are flushed along with the others.
Result<void> OpenVSwitch::flush() const {
  if (auto flushed = appctl({"fdb/flush"}); !flushed) return std::unexpected(flushed.error());
  if (auto flushed = appctl({"mdb/flush"}); !flushed) return std::unexpected(flushed.error());
  for (const PlannedBridge& bridge : plan_.bridges) {
    if (bridge.engine != Engine::kOpenVSwitch) continue;
    if (auto entered = enter_static_entries(bridge); !entered) return entered;
  }
  return {};
}

Result<void> OpenVSwitch::set(const model::SetBridge& change) const {
  const std::string setting = change.option == model::BridgeOption::kAgeing
                                  ? ageing_setting(Duration(change.value))
                                  : size_setting(change.value);
  auto done = vsctl({"set", "Bridge", plan_.bridges[change.bridge.index()].device, setting});
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<std::vector<TableEntry>> OpenVSwitch::tables() const {
  std::vector<TableEntry> entries;
  for (const PlannedBridge& planned : plan_.bridges) {
    if (planned.engine != Engine::kOpenVSwitch) continue;
    const auto shown = appctl({"fdb/show", planned.device});
    if (!shown) return std::unexpected(shown.error());
    std::istringstream lines(*shown);
    std::string heading, port, mac, age;
    std::getline(lines, heading);  // " port  VLAN  MAC                Age"
    std::uint16_t vlan = 0;
    while (lines >> port >> vlan >> mac >> age) {
      std::size_t number = 0;
      std::from_chars(port.data(), port.data() + port.size(), number);  // LOCAL stays 0
      const auto address = wire::parse_mac(mac);
      const auto& ports = site_[planned.bridge].ports;
      if (!address || number == 0 || number > ports.size()) continue;
      const bool is_static = age == "static";
      const Duration unheard = is_static ? Duration{0} : base::seconds(std::strtol(age.c_str(), nullptr, 10));
      entries.push_back({planned.bridge, *address, vlan, ports[number - 1], unheard, is_static});
    }
  }
  return entries;
}

Result<std::vector<GroupEntry>> OpenVSwitch::groups() const {
  std::vector<GroupEntry> entries;
  for (const PlannedBridge& planned : plan_.bridges) {
    if (planned.engine != Engine::kOpenVSwitch || !site_[planned.bridge].snoops) continue;
    const auto shown = appctl({"mdb/show", planned.device});
    if (!shown) return std::unexpected(shown.error());
    std::istringstream lines(*shown);
    std::string heading, group, age;
    std::getline(lines, heading);  // " port  VLAN  GROUP                Age"
    std::size_t number = 0;
    std::uint16_t vlan = 0;
    while (lines >> number >> vlan >> group >> age) {  // "querier" where a group is not
      const auto& ports = site_[planned.bridge].ports;
      if (number == 0 || number > ports.size()) continue;
      if (const auto ip = wire::parse_ipv4(group))
        entries.push_back({planned.bridge, vlan, wire::to_group(*ip), ports[number - 1]});
      else if (const auto ip6 = wire::parse_ipv6(group))
        entries.push_back({planned.bridge, vlan, *ip6, ports[number - 1]});
    }
  }
  return entries;
}

}  // namespace sekimori::lab
