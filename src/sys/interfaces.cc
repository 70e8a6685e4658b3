#include "sys/interfaces.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>

#include "base/text.h"

namespace sekimori::sys {
namespace {

std::string text_of(int error) { return std::generic_category().message(error); }

struct Socket {
  int fd;
  explicit Socket(int f) : fd(f) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd >= 0) close(fd);
  }
};

struct LinkRequest {
  nlmsghdr header;
  ifinfomsg link;
};

void read_link(const ifinfomsg& link, std::span<const std::byte> attributes, NetworkInterface& out) {
  out.hardware = link.ifi_type;
  out.up = (link.ifi_flags & IFF_UP) != 0;
  out.running = (link.ifi_flags & IFF_RUNNING) != 0;
  while (attributes.size() >= sizeof(rtattr)) {
    rtattr head{};
    std::memcpy(&head, attributes.data(), sizeof head);
    if (head.rta_len < sizeof head || head.rta_len > attributes.size()) return;
    const auto value = attributes.subspan(sizeof head, head.rta_len - sizeof head);
    if (head.rta_type == IFLA_MASTER) out.is_port = true;
    if (head.rta_type == IFLA_ADDRESS && value.size() == 6) {
      std::array<std::uint8_t, 6> octets{};
      std::memcpy(octets.data(), value.data(), octets.size());
      out.mac = wire::Mac::from_octets(octets.data());
    }
    attributes = attributes.subspan(std::min<std::size_t>(attributes.size(), RTA_ALIGN(head.rta_len)));
  }
}

// Asks for one link, and reads the one message of the answer.
base::Result<void> ask_link(NetworkInterface& out) {
  const auto failed = [&](int error) {
    return base::fail(fmt::format("{}: the kernel does not describe it: {}.", out.name, text_of(error)));
  };
  const Socket socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (socket.fd < 0) return failed(errno);
  LinkRequest request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.link.ifi_index = static_cast<int>(out.index);
  if (send(socket.fd, &request, sizeof request, 0) < 0) return failed(errno);
  std::array<std::byte, 32'768> answer{};
  const ssize_t size = recv(socket.fd, answer.data(), answer.size(), 0);
  if (size < 0) return failed(errno);
  nlmsghdr header{};
  ifinfomsg link{};
  if (static_cast<std::size_t>(size) < sizeof header + sizeof link) return failed(EPROTO);
  std::memcpy(&header, answer.data(), sizeof header);
  if (header.nlmsg_type != RTM_NEWLINK) return failed(ENODEV);
  std::memcpy(&link, answer.data() + sizeof header, sizeof link);
  const auto message = std::span(answer).first(static_cast<std::size_t>(size));
  read_link(link, message.subspan(sizeof header + sizeof link), out);
  return {};
}

void add_address(const ifaddrs& entry, NetworkInterface& out) {
  if (entry.ifa_addr == nullptr || entry.ifa_name != out.name) return;
  if (entry.ifa_addr->sa_family == AF_INET && entry.ifa_netmask != nullptr) {
    sockaddr_in address{}, mask{};
    std::memcpy(&address, entry.ifa_addr, sizeof address);
    std::memcpy(&mask, entry.ifa_netmask, sizeof mask);
    out.ipv4.push_back(
        {.address = {ntohl(address.sin_addr.s_addr)}, .length = std::popcount(mask.sin_addr.s_addr)});
  } else if (entry.ifa_addr->sa_family == AF_INET6 && entry.ifa_netmask != nullptr) {
    sockaddr_in6 address{}, mask{};
    std::memcpy(&address, entry.ifa_addr, sizeof address);
    std::memcpy(&mask, entry.ifa_netmask, sizeof mask);
    Ipv6Prefix& prefix = out.ipv6.emplace_back();
    std::memcpy(prefix.address.octets.data(), &address.sin6_addr, prefix.address.octets.size());
    prefix.length = 0;
    for (const std::uint8_t octet : mask.sin6_addr.s6_addr) prefix.length += std::popcount(octet);
  }
}

void ask_addresses(NetworkInterface& out) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) add_address(*entry, out);
}

}  // namespace

bool Ipv6Prefix::contains(const wire::Ipv6& other) const {
  for (int bit = 0; bit < length; ++bit) {
    const auto octet = static_cast<std::size_t>(bit / 8);
    if (((address.octets[octet] ^ other.octets[octet]) >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

std::vector<std::string> interface_names() {
  std::vector<std::string> names;
  const std::unique_ptr<struct if_nameindex, void (*)(struct if_nameindex*)> list(if_nameindex(),
                                                                                  if_freenameindex);
  if (list == nullptr) return names;
  for (const auto* entry = list.get(); entry->if_index != 0; ++entry) names.emplace_back(entry->if_name);
  return names;
}

base::Result<NetworkInterface> find_interface(const std::string& name) {
  NetworkInterface out;
  out.name = name;
  out.index = if_nametoindex(name.c_str());
  if (out.index == 0) {
    const std::vector<std::string> names = interface_names();
    const std::vector<std::string_view> known(names.begin(), names.end());
    const std::string_view nearest = base::nearest_word(name, known);
    return base::fail(fmt::format("There is no interface \"{}\"{} The interfaces are {}.", name,
                                  nearest.empty() ? "." : fmt::format(": did you mean {}?", nearest),
                                  base::list_words(names, 12)));
  }
  if (auto done = ask_link(out); !done) return std::unexpected(done.error());
  ask_addresses(out);
  return out;
}

}  // namespace sekimori::sys
