// Makes a site file smaller while something about it stays as it is: what a seed that fails is reported by.
#pragma once

#include <functional>
#include <string>

namespace sekimori::agreement {

// Takes away, one after the other and again until nothing more can go: lines (flows, links, machines with all
// lines that name them), then settings and members of {...} and [...] within the lines. `holds` says whether
// what is left is still worth having; it is asked about texts that are no site files, too, and must say no.
std::string minimise(const std::string& text, const std::function<bool(const std::string&)>& holds);

}  // namespace sekimori::agreement
