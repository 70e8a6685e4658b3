// Real etcd servers on loopback, with data in a temporary folder, killed by pid at the end.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "macs/etcd.h"
#include "tests/macs/stores.h"

namespace sekimori::macs_tests {

// Ports that are free now. Somebody may take one before the server does: then it is started anew.
inline std::vector<int> free_ports(std::size_t count) {
  std::vector<int> ports, sockets;
  for (std::size_t i = 0; i < count; ++i) {
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(s, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("bind");
    getsockname(s, reinterpret_cast<sockaddr*>(&address), &size);
    ports.push_back(ntohs(address.sin_port));
    sockets.push_back(s);
  }
  for (const int s : sockets) close(s);
  return ports;
}

// An authority, a server's certificate for 127.0.0.1 and a client's, as files in `folder`: made by openssl.
inline void make_certificates(const std::filesystem::path& folder) {
  const std::string go = "cd " + folder.string() + " && ",
                    key = "openssl ecparam -name prime256v1 -genkey -noout -out ";
  const auto run = [&](const std::string& command) {
    if (std::system((go + command + " 2>>openssl.log").c_str()) != 0)
      throw std::runtime_error("openssl (package openssl) fails: " + command);
  };
  for (const std::string name : {"ca", "stranger"}) {
    run(key + name + ".key");
    run("openssl req -x509 -new -key " + name + ".key -subj /CN=" + name + " -days 2 -out " + name + ".pem");
  }
  // etcd's gateway is a client of its own server, so the server's certificate must do for both; and it
  // refuses certificates with a common name once there are users.
  run("printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' >extensions");
  for (const std::string name : {"server", "client"}) {
    run(key + name + ".key");
    run("openssl req -new -key " + name + ".key -subj /O=" + name + " -out " + name + ".csr");
    run("openssl x509 -req -in " + name +
        ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out " + name + ".pem");
  }
}

class EtcdCluster {
 public:
  // `certificates`: where make_certificates() put them; clients then need one, too.
  explicit EtcdCluster(std::size_t members, std::filesystem::path certificates = {})
      : certificates_(std::move(certificates)) {
    for (int attempt = 0; attempt < 5; ++attempt) {
      ports_ = free_ports(2 * members);
      pids_.assign(members, -1);
      for (std::size_t i = 0; i < members; ++i) start(i);
      if (answers()) return;
      for (std::size_t i = 0; i < members; ++i) kill_member(i);
      std::filesystem::remove_all(folder_ / "data");
    }
    throw std::runtime_error("etcd does not start (package etcd-server)");
  }
  EtcdCluster(const EtcdCluster&) = delete;
  EtcdCluster& operator=(const EtcdCluster&) = delete;
  ~EtcdCluster() {
    for (std::size_t i = 0; i < pids_.size(); ++i) kill_member(i);
  }

  std::string url() const {
    std::string url = certificates_.empty() ? "etcd://" : "etcds://";
    for (std::size_t i = 0; i < pids_.size(); ++i)
      url += (i > 0 ? "," : "") + ("127.0.0.1:" + std::to_string(ports_[2 * i]));
    return url;
  }
  std::size_t size() const { return pids_.size(); }
  macs::EtcdAccess access() const {
    if (certificates_.empty()) return {};
    return {.cacert = certificates_ / "ca.pem",
            .cert = certificates_ / "client.pem",
            .key = certificates_ / "client.key"};
  }

  macs::Etcd client(std::int64_t patience_ms = 2000) const {
    auto address = *macs::parse_etcd_address(url());
    address.access = access();
    return macs::Etcd(address, patience_ms);
  }
  // A majority has a leader (again).
  bool serves() const {
    for (int i = 0; i < 10; ++i) {
      if (client().get("ready")) return true;
    }
    return false;
  }

  void start(std::size_t i) {
    const auto name = [](std::size_t n) { return "m" + std::to_string(n); };
    const auto at = [&](std::size_t n) { return "http://127.0.0.1:" + std::to_string(ports_[n]); };
    const std::string for_clients =
        (certificates_.empty() ? "http" : "https") + ("://127.0.0.1:" + std::to_string(ports_[2 * i]));
    std::string cluster;
    for (std::size_t k = 0; k < pids_.size(); ++k)
      cluster += (k > 0 ? "," : "") + name(k) + "=" + at(2 * k + 1);
    std::vector<std::string> words = {"etcd",
                                      "--name",
                                      name(i),
                                      "--data-dir",
                                      (folder_ / "data").string() + "/" + name(i),
                                      "--listen-client-urls",
                                      for_clients,
                                      "--advertise-client-urls",
                                      for_clients,
                                      "--listen-peer-urls",
                                      at(2 * i + 1),
                                      "--initial-advertise-peer-urls",
                                      at(2 * i + 1),
                                      "--initial-cluster",
                                      cluster,
                                      "--initial-cluster-token",
                                      folder_.path().filename().string(),
                                      "--heartbeat-interval",
                                      "30",
                                      "--election-timeout",
                                      "300",  // 100 and 1000 unless told: for real networks
                                      "--log-level",
                                      "error"};
    if (!certificates_.empty())
      words.insert(words.end(),
                   {"--cert-file", certificates_ / "server.pem", "--key-file", certificates_ / "server.key",
                    "--trusted-ca-file", certificates_ / "ca.pem", "--client-cert-auth"});
    std::filesystem::create_directories(folder_ / "data");
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // should the tests be killed
      const int log = open((folder_ / (name(i) + ".log")).c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      dup2(log, 1);
      dup2(log, 2);
      std::vector<char*> arguments;
      for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
      arguments.push_back(nullptr);
      execvp("etcd", arguments.data());
      _exit(127);
    }
    pids_[i] = pid;
  }

  void kill_member(std::size_t i) {
    if (pids_[i] <= 0) return;
    kill(pids_[i], SIGKILL);
    waitpid(pids_[i], nullptr, 0);
    pids_[i] = -1;
  }

 private:
  bool answers() {
    for (int i = 0; i < 150; ++i) {
      usleep(50'000);
      bool all = true;
      for (const pid_t pid : pids_) all &= waitpid(pid, nullptr, WNOHANG) == 0;
      if (!all) return false;
      if (client().get("ready")) return true;
    }
    return false;
  }

  std::filesystem::path certificates_;
  Folder folder_;
  std::vector<int> ports_;  // of each member: for clients, for its peers
  std::vector<pid_t> pids_;
};

}  // namespace sekimori::macs_tests
