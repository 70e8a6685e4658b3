// Asking a silent receiver: the pure part of --probe, what to ask, when, and what the outcome decides.
//
// A port sees unicast for X, and never X. The question is an ordinary one that every station asks all day: by
// ARP or Neighbor Discovery, to all on the link, who has X's IP address. Two things are watched then: who
// answers, and what becomes of the flood.
//
//   Within a VLAN three ports of a spanning tree, of the sender A, of the receiver X and ours, have exactly
//   one switch J where the ways between them meet. A's frames reach us because J floods (or a switch on the
//   way to J does), and an answer of X to us passes J. So:
//
//   X answers, the flood ends     J learns. X lives, is reachable, and had merely not been heard at J. When
//   the
//                                 flood comes back without another word of X, J has forgotten it: the time
//                                 since its last frame is J's ageing time, or longer by what X sent past J
//                                 unheard here. Silent receiver or leak is NOT decided by that: a guest
//                                 behind a leaking host answers us over the wire like any other, and is
//                                 learnt like any other. What tells a leak is that X answers A meanwhile, and
//                                 its answers are not seen at J: acknowledgement numbers that grow. The
//                                 detectors know that (flood.h), and now know from this answer that J learns,
//                                 which rules out the other reading.
//   X answers, the flood goes on  J did not learn from a frame that passed it: it does not learn, its table
//   is
//                                 full, or X's frames are in another VLAN there than those for X.
//   X's address is told in a frame from another Ethernet source
//                                 it hides its address: no switch can ever learn it.
//   only another MAC answers      the IP address has moved; the senders' neighbour entry is out of date.
//   (Unless
//                                 that MAC answers for several addresses: proxy ARP.)
//   both answer                   two stations have the address.
//   nobody answers                three questions are enough: ARP passes host firewalls. X is off or gone, or
//   kept
//                                 apart from us (isolated port, private VLAN), which looks the same from
//                                 here. If acknowledgements show that it lives, its frames do not come this
//                                 way at all.
//   the flood ends by itself      before or without an answer: nothing is decided.
//
// Whether a flood "ended" must not be a matter of its rhythm. Its largest gap is measured for some seconds
// before the question, in which the receiver must not have spoken, and only a pause of several such gaps
// counts; bursts that are further apart than that can deceive, so the gap is told. "Goes on" is claimed only
// when frames come without a pause and within a second of the answer, as no switch forgets that fast. Between
// the two nothing is decided. Frames in flight when the answer comes don't count.
//
// Who is asked: receivers of floods that go on, whose IP address stands in the flooded frames (one address;
// with several it is a router, and they are not its own) and is known to be on this link. Nobody is asked
// again who has answered, so that the flood is not kept away by us, nor its rhythm ours. In a VLAN the
// question is tagged as the flood is; we have no address there, so ARP asks as RFC 5227 has it, from none.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "findings/finding.h"
#include "watch/observations.h"
#include "watch/place.h"
#include "watch/site.h"
#include "wire/ethernet.h"

namespace sekimori::watch {

// A flood that may be asked about, from a detection.
struct ProbeTarget {
  Mac mac{};
  std::uint16_t vlan = 0;            // 0: untagged
  std::uint64_t flood = 0;           // its first frame, which its finding shows, too
  bool alive = false;                // the frames show that it answers somebody
  std::vector<IpAddress> on_link{};  // addresses that somebody on the link has told or asked for
};
// Floods for certain, most frames first; not those within two tags, or a tunnel.
std::vector<ProbeTarget> probe_targets(const Observations& o, std::optional<Place> at,
                                       const Declared& declared = {});

enum class ProbeVerdict : std::uint8_t {
  kOpen,        // not asked, or too early to tell
  kLearnt,      // answered, and the flood ended
  kNotLearnt,   // answered, and the flood goes on
  kMasked,      // its address is told from another Ethernet source
  kMoved,       // another MAC answers, and only that
  kTwo,         // it and another answer
  kUnanswered,  // nobody answers, and the flood goes on
  kEnded,       // the flood ended by itself
};
std::string_view to_text(ProbeVerdict verdict);

class Probe {
 public:
  static constexpr std::size_t kMostStations = 8;
  static constexpr unsigned kMostQuestions = 3;  // to one station; none after an answer
  static constexpr Nanos kPause = kSecond;       // between any two questions
  static constexpr Nanos kPatience = kSecond;    // for an answer

  // `us` sends the questions. `on_link` tells whether an address belongs to the untagged VLAN of this link,
  // by our own prefixes.
  using OnLink = std::function<bool(const IpAddress&)>;
  Probe(Mac us, OnLink on_link) : us_(us), on_link_(std::move(on_link)) {}

  struct Question {
    Mac mac{};
    std::uint16_t vlan = 0;
    IpAddress ip{};
  };
  struct Answer {
    FrameRef frame;
    Mac source{}, told{};  // of the frame, and as X's address in it
  };
  struct Station {
    ProbeTarget target;
    std::optional<IpAddress> ip;
    bool several = false;  // IP addresses: a router
    // The flood before the question, since the receiver was last heard.
    FrameRef first, last;
    std::uint64_t frames = 0;
    Nanos largest_gap = 0;
    std::uint64_t strays = 0;  // right after the answer
    // Questions and answers.
    unsigned questions = 0;
    FrameRef first_question, last_question;
    Nanos asked_at = 0;  // as told to due()
    std::optional<Answer> own, other;
    Nanos last_heard = 0;  // the station itself
    // The flood after the answer, or after the first question while there is none.
    FrameRef back;
    Nanos quiet = 0;  // before it was back, since the station was last heard
    std::uint64_t after = 0;
    // What the user was told last.
    ProbeVerdict told = ProbeVerdict::kOpen;
    bool told_back = false;
  };

  // What the latest detection has found.
  void targets(std::span<const ProbeTarget> targets);
  // Every frame, in order.
  void frame(const wire::Frame& frame) {
    if (!stations_.empty()) look(frame);
  }
  // The question to be sent now, if any; it counts as sent.
  std::optional<Question> due(Nanos now);

  std::span<Station> stations() { return stations_; }
  ProbeVerdict judge(const Station& station, Nanos now) const;
  // The outcomes, into the findings that they are about and the remarks.
  void tell(const Observations& o, Nanos now, findings::Report& report) const;

 private:
  void look(const wire::Frame& frame);
  void flooded(Station& station, FrameRef ref, const wire::Ethernet& header, wire::Bytes bytes);
  void answered(FrameRef ref, const wire::Ethernet& header, wire::Bytes bytes);
  bool is_on_link(const Station& station) const;
  std::string why_not_asked(const Station& station) const;

  Mac us_{};
  OnLink on_link_;
  std::vector<Station> stations_;
  Nanos next_question_ = INT64_MIN;
};

// "It is there, and the switches learn it ...": what the outcome of one station comes to, for people.
std::string in_words(const Probe::Station& station, ProbeVerdict verdict, Nanos now);

}  // namespace sekimori::watch
