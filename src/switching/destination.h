// What the destination of a frame is to a switch that knows its NICs by registration.
#pragma once

#include "model/model.h"

namespace sekimori::switching {

enum class Destination : std::uint8_t {
  kGroup,       // broadcast or multicast
  kTheHost,     // registered at the host's own port
  kThisGuest,   // registered at the guest port in question (asked for a guest port only)
  kOtherGuest,  // registered at another guest port of this switch
  kElsewhere,   // not known here
};

// A frame that came in at a port of role `in` and might leave at another, of role `out`.
struct Passage {
  model::PortRole in, out;
  Destination destination;
  // It came in from outside and bears the address of a guest of this switch: something reflected it. Then,
  // whether that is the guest at the port in question.
  bool reflected = false, from_this_guest = false;
};

}  // namespace sekimori::switching
