// Requests that have a name, so that they may be sent again: what a registry keeps of them.
//
// Whoever asked and got no answer can't know whether it was done. A name (an idempotency key, as in
// https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/) makes asking again safe: the
// store keeps, in the transaction that allocates, the name with what was asked and answered. Both stores keep
// the same record, as JSON.
//
// The answer is given again only as long as it is true. Addresses that were released since may be somebody
// else's by now.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "macs/registry.h"

namespace sekimori::macs {

// 1 to 200 printable ASCII characters.
bool is_key(std::string_view text);

std::string to_record(const Request& request, const std::vector<Grant>& grants);

// The answer once more, or why not. `what_is` looks an address up.
Outcome<std::vector<Grant>> answer_again(const Request& request, const std::string& record,
                                         Registry& what_is);

}  // namespace sekimori::macs
