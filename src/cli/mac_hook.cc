#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "cli/mac.h"
#include "macs/libvirt_hook.h"

namespace sekimori::cli {
namespace {

// What a hook prints goes into libvirt's log and, when it refuses, to the user.
Step<int> hook_libvirt(const MacHookArguments& a) {
  const auto word = [&](std::size_t i) { return i < a.words.size() ? std::string_view(a.words[i]) : ""; };
  if (a.words.size() < 3)
    return stop(kBadInput,
                "mac hook libvirt needs the words libvirt calls a hook with: GUEST prepare begin -");
  if (word(1) != "prepare" || word(2) != "begin") return kClean;  // nothing else can be refused
  std::string xml(macs::kMostDomainBytes + 1, '\0');
  std::cin.read(xml.data(), static_cast<std::streamsize>(xml.size()));
  xml.resize(static_cast<std::size_t>(std::cin.gcount()));
  const auto domain = macs::read_domain(xml);
  if (!domain) return stop(kBadInput, fmt::format("{}: {}", word(0), domain.error().what));
  auto registry = open_registry(a.registry);
  if (!registry) return std::unexpected(registry.error());
  const auto list = macs::objections(*domain, **registry);
  if (!list) return std::unexpected(stop_of(list.error()));
  for (const std::string& line : *list) complain(line);
  return list->empty() ? kClean : kFindings;
}

}  // namespace

int mac_hook_libvirt(const MacHookArguments& arguments) {
  const auto exit = hook_libvirt(arguments);
  if (exit) return arguments.warn_only ? int{kClean} : *exit;
  const int code = complain(exit.error());
  // A guest must not stay down because a registry does.
  return arguments.warn_only || !arguments.strict ? int{kClean} : code;
}

}  // namespace sekimori::cli
