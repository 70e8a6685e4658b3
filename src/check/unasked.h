// The streams of what stations say unasked, and of what they say of their groups when a querier asks.
#pragma once

#include "check/groups.h"
#include "check/streams.h"

namespace sekimori::check {

// Announcements (RFC 5227, RFC 4861 section 7.2.6), router advertisements (RFC 4861 section 6.2.1), hellos of
// VRRP and HSRP, group queries and reports. `is_certain`: no bridge keeps announcements to itself.
void add_unasked(const model::Model& model, const Forest& forest, const Groups& groups, bool is_certain,
                 std::vector<Stream>& streams);

}  // namespace sekimori::check
