// What a live switch that suppresses (switching/suppression.h) reads of ARP and Neighbor Discovery, and the
// frames in which it answers.
#pragma once

#include <optional>

#include "lab/live_switch.h"
#include "wire/bytes.h"

namespace sekimori::lab {

// None: it is neither, or not whole.
std::optional<LiveSwitch::About> read_about(wire::Bytes frame);

// Replaces `out` by the answer to that question: the address that it asks for is at `mac`, which is the
// answer's source as well. Empty when it is no question.
void write_answer(wire::Bytes question, model::Mac mac, wire::Buffer& out);

}  // namespace sekimori::lab
