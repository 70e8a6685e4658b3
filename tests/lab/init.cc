// The only program of a small guest: it loads the modules that lie in /modules, in the order of their names,
// writes to its disk if it has one, gives eth0 the address that the kernel's command line has for it, and
// waits. Its kernel answers ARP and pings.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
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

// Leaves a mark in the last sector. One that is there already was kept from an earlier guest, or is
// another's.
void mark_disk() {
  const int disk = ::open("/dev/vda", O_RDWR | O_CLOEXEC);
  if (disk < 0) return;
  using Sector = std::array<char, 512>;
  const off_t last = ::lseek(disk, -off_t{sizeof(Sector)}, SEEK_END);
  Sector mark, found;
  mark.fill('m');
  const auto read = [&] {
    if (::pread(disk, found.data(), found.size(), last) != sizeof(Sector))
      give_up_with_errno("read the disk");
  };
  read();
  if (found == mark) give_up("a disk that another has written to");
  if (::pwrite(disk, mark.data(), mark.size(), last) != sizeof(Sector) || ::fsync(disk) != 0)
    give_up_with_errno("write to the disk");
  // What is read now is from the disk, not the kernel's cache.
  if (::ioctl(disk, BLKFLSBUF, 0) != 0) give_up_with_errno("empty the cache");
  read();
  if (found != mark) give_up("a disk that keeps nothing");
  ::close(disk);
}

}  // namespace

int main() {
  sekimori::testing::boot();
  mark_disk();
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
