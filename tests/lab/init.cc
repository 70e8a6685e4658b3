// The only program of a small guest: it loads the modules that lie in /modules, in the order of their names,
// gives eth0 the address that the kernel's command line has for it, and waits. Its kernel answers ARP and
// pings.
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/guest_boot.h"

namespace {

using sekimori::testing::give_up;
using sekimori::testing::give_up_with_errno;

// "ip=10.0.0.9:::255.255.255.0:app:eth0:off": its fields.
std::vector<std::string> address_words() {
  std::ifstream line("/proc/cmdline");
  std::vector<std::string> fields;
  for (std::string word; line >> word;) {
    if (!word.starts_with("ip=")) continue;
    std::istringstream rest(word.substr(3));
    for (std::string field; std::getline(rest, field, ':');) fields.push_back(field);
  }
  return fields;
}

void set_address(int socket, unsigned long what, const std::string& address) {
  ifreq request{};
  std::strcpy(request.ifr_name, "eth0");
  auto* ip = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
  ip->sin_family = AF_INET;
  if (::inet_pton(AF_INET, address.c_str(), &ip->sin_addr) != 1 || ::ioctl(socket, what, &request) != 0)
    give_up_with_errno(address);
}

}  // namespace

int main() {
  sekimori::testing::boot();
  const std::vector<std::string> words = address_words();
  if (words.size() < 6) give_up("ip= on the command line");
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  set_address(socket, SIOCSIFADDR, words[0]);
  set_address(socket, SIOCSIFNETMASK, words[3]);
  ifreq request{};
  std::strcpy(request.ifr_name, "eth0");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket, SIOCSIFFLAGS, &request) != 0) give_up_with_errno("eth0 up");
  for (;;) ::pause();
}
