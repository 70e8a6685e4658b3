#include "sys/nf_tables.h"

#include <netinet/in.h>  // before the kernel's, which then leave out what it has

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "sys/netlink.h"

namespace sekimori::sys {
namespace {

constexpr std::uint32_t kEstablishedOrRelated = 1u << 1 | 1u << 2;  // NF_CT_STATE_BIT of the two
constexpr std::uint32_t kFilterPriority = 0, kSourceNatPriority = 100;

constexpr std::uint16_t nf_tables(std::uint16_t message) { return NFNL_SUBSYS_NFTABLES << 8 | message; }

// Numbers of nf_tables are in network order, but for what is compared with a packet's or a register's.
std::uint32_t big(std::uint32_t value) { return htonl(value); }

class Expressions {
 public:
  explicit Expressions(NetlinkRequest& request)
      : request_(request), all_(request.begin(NFTA_RULE_EXPRESSIONS)) {}
  ~Expressions() { request_.end(all_); }
  Expressions(const Expressions&) = delete;

  template <class Attributes>
  void add(std::string_view name, Attributes attributes) {
    const auto element = request_.begin(NFTA_LIST_ELEM);
    request_.put_text(NFTA_EXPR_NAME, name);
    const auto data = request_.begin(NFTA_EXPR_DATA);
    attributes();
    request_.end(data);
    request_.end(element);
  }

  void load_meta(std::uint32_t key) {
    add("meta", [&] { request_.put(NFTA_META_KEY, big(key)).put(NFTA_META_DREG, big(NFT_REG_1)); });
  }
  void compare(std::uint32_t operation, std::span<const std::byte> with) {
    add("cmp", [&] {
      request_.put(NFTA_CMP_SREG, big(NFT_REG_1)).put(NFTA_CMP_OP, big(operation));
      const auto data = request_.begin(NFTA_CMP_DATA);
      request_.put(NFTA_DATA_VALUE, with);
      request_.end(data);
    });
  }
  void compare(std::uint32_t operation, std::uint8_t with) {
    compare(operation, std::as_bytes(std::span(&with, 1)));
  }
  void device(std::uint32_t key, std::uint32_t operation, const std::string& name) {
    if (name.empty()) return;
    std::array<std::byte, 16> text{};  // IFNAMSIZ
    std::memcpy(text.data(), name.data(), std::min(name.size(), text.size() - 1));
    load_meta(key);
    compare(operation, text);
  }
  void icmpv6(std::uint8_t first, std::uint8_t last) {
    load_meta(NFT_META_L4PROTO);
    compare(NFT_CMP_EQ, IPPROTO_ICMPV6);
    add("payload", [&] {
      request_.put(NFTA_PAYLOAD_DREG, big(NFT_REG_1))
          .put(NFTA_PAYLOAD_BASE, big(NFT_PAYLOAD_TRANSPORT_HEADER))
          .put(NFTA_PAYLOAD_OFFSET, big(0))
          .put(NFTA_PAYLOAD_LEN, big(1));
    });
    compare(NFT_CMP_GTE, first);
    compare(NFT_CMP_LTE, last);
  }
  void known_connection() {
    const auto value = [&](std::uint16_t attribute, std::uint32_t bits) {
      const auto data = request_.begin(attribute);
      request_.put(NFTA_DATA_VALUE, bits);
      request_.end(data);
    };
    add("ct", [&] { request_.put(NFTA_CT_KEY, big(NFT_CT_STATE)).put(NFTA_CT_DREG, big(NFT_REG_1)); });
    add("bitwise", [&] {
      request_.put(NFTA_BITWISE_SREG, big(NFT_REG_1)).put(NFTA_BITWISE_DREG, big(NFT_REG_1));
      request_.put(NFTA_BITWISE_LEN, big(4));
      value(NFTA_BITWISE_MASK, kEstablishedOrRelated);
      value(NFTA_BITWISE_XOR, 0);
    });
    const std::uint32_t none = 0;
    compare(NFT_CMP_NEQ, std::as_bytes(std::span(&none, 1)));
  }
  void decide(FilterRule::Verdict verdict) {
    if (verdict == FilterRule::Verdict::kMasquerade) return add("masq", [] {});
    add("immediate", [&] {
      request_.put(NFTA_IMMEDIATE_DREG, big(NFT_REG_VERDICT));
      const auto data = request_.begin(NFTA_IMMEDIATE_DATA);
      const auto inside = request_.begin(NFTA_DATA_VERDICT);
      request_.put(NFTA_VERDICT_CODE, big(verdict == FilterRule::Verdict::kDrop ? NF_DROP : NF_ACCEPT));
      request_.end(inside);
      request_.end(data);
    });
  }

 private:
  NetlinkRequest& request_;
  std::size_t all_;
};

class Batch {
 public:
  Batch(FilterFamily family, std::string table)
      : family_(family == FilterFamily::kIpv4 ? NFPROTO_IPV4 : NFPROTO_IPV6), table_(std::move(table)) {
    add(bare(NFNL_MSG_BATCH_BEGIN, 0, NFNL_SUBSYS_NFTABLES));
    NetlinkRequest request = of_table(NFT_MSG_NEWTABLE);
    request.put_text(NFTA_TABLE_NAME, table_);
    add(std::move(request));
  }

  void add_chain(const std::string& name, const FilterChain& chain) {
    constexpr std::uint32_t kHooks[] = {NF_INET_LOCAL_OUT, NF_INET_FORWARD, NF_INET_POST_ROUTING};
    NetlinkRequest request = of_table(NFT_MSG_NEWCHAIN);
    request.put_text(NFTA_CHAIN_TABLE, table_).put_text(NFTA_CHAIN_NAME, name);
    const auto hook = request.begin(NFTA_CHAIN_HOOK);
    request.put(NFTA_HOOK_HOOKNUM, big(kHooks[static_cast<std::size_t>(chain.hook)]));
    request.put(NFTA_HOOK_PRIORITY, big(chain.translates ? kSourceNatPriority : kFilterPriority));
    request.end(hook);
    request.put(NFTA_CHAIN_POLICY, big(NF_ACCEPT));
    request.put_text(NFTA_CHAIN_TYPE, chain.translates ? "nat" : "filter");
    add(std::move(request));
    for (const FilterRule& rule : chain.rules) add_rule(name, rule);
  }

  // All at once; the kernel answers to each with an error, and to the last with or without one.
  base::Result<void> send(int fd) {
    const std::uint32_t last = number_;
    add(bare(NFNL_MSG_BATCH_END, 0, NFNL_SUBSYS_NFTABLES));
    if (::send(fd, bytes_.data(), bytes_.size(), 0) < 0) return failed(errno);
    alignas(nlmsghdr) std::array<std::byte, 16'384> answer;
    while (true) {
      const ssize_t got = ::recv(fd, answer.data(), answer.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed(errno);
      std::size_t at = 0;
      while (at + sizeof(nlmsghdr) + sizeof(nlmsgerr) <= static_cast<std::size_t>(got)) {
        nlmsghdr head;
        nlmsgerr error;
        std::memcpy(&head, &answer[at], sizeof head);
        std::memcpy(&error, &answer[at + sizeof head], sizeof error);
        if (head.nlmsg_type == NLMSG_ERROR && error.error != 0) return failed(-error.error);
        if (head.nlmsg_seq == last) return {};
        at += NLMSG_ALIGN(std::max<std::size_t>(head.nlmsg_len, sizeof head));
      }
    }
  }

 private:
  NetlinkRequest bare(std::uint16_t type, std::uint8_t family, std::uint16_t resource) {
    NetlinkRequest request(type, 0);
    request.header(nfgenmsg{family, NFNETLINK_V0, htons(resource)});
    return request;
  }
  NetlinkRequest of_table(std::uint16_t message) {
    NetlinkRequest request(nf_tables(message), NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);
    request.header(nfgenmsg{family_, NFNETLINK_V0, 0});
    return request;
  }
  void add_rule(const std::string& chain, const FilterRule& rule) {
    NetlinkRequest request = of_table(NFT_MSG_NEWRULE);
    request.put_text(NFTA_RULE_TABLE, table_).put_text(NFTA_RULE_CHAIN, chain);
    {
      Expressions expressions(request);
      expressions.device(NFT_META_IIFNAME, NFT_CMP_EQ, rule.in);
      expressions.device(NFT_META_OIFNAME, NFT_CMP_EQ, rule.out);
      expressions.device(NFT_META_OIFNAME, NFT_CMP_NEQ, rule.not_out);
      if (rule.icmpv6) expressions.icmpv6(rule.icmpv6->first, rule.icmpv6->second);
      if (rule.of_known_connection) expressions.known_connection();
      expressions.decide(rule.verdict);
    }
    add(std::move(request));
  }
  void add(NetlinkRequest request) {
    const auto message = request.finish(++number_);
    bytes_.insert(bytes_.end(), message.begin(), message.end());
  }
  std::unexpected<base::Error> failed(int error) const {
    return base::fail(
        fmt::format("Can't enter the packet filter's table {}: {}.", table_, std::strerror(error)));
  }

  std::uint8_t family_;
  std::string table_;
  std::vector<std::byte> bytes_;
  std::uint32_t number_ = 0;
};

}  // namespace

base::Result<void> add_filter(const Namespace& where, FilterFamily family, const std::string& table,
                              const std::vector<FilterChain>& chains) {
  auto inside = InNamespace::enter(where);
  if (!inside) return std::unexpected(inside.error());
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0) return base::fail(fmt::format("No netlink socket of netfilter: {}.", std::strerror(errno)));
  Batch batch(family, table);
  for (std::size_t c = 0; c < chains.size(); ++c) batch.add_chain(fmt::format("c{}", c), chains[c]);
  auto entered = batch.send(fd);
  ::close(fd);
  return entered;
}

}  // namespace sekimori::sys
