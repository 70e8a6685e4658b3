// make_capture [--name=number ...] > FILE: a capture of known contents (made_capture.h), for
// compare_captures.py and for whoever wants one.
#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

#include "bench/made_capture.h"

namespace {

using sekimori::bench::Traffic;

bool set(Traffic& t, std::string_view name, std::uint64_t value) {
  const auto small = static_cast<std::uint32_t>(value);
  if (name == "--frames") return t.frames = value, value > 0;
  if (name == "--stations") return t.stations = small, true;
  if (name == "--vlans") return t.vlans = small, value <= 1000;
  if (name == "--flows") return t.flows = small, value > 0;
  if (name == "--step-ns") return t.step_ns = small, true;
  if (name == "--access") return t.access = value != 0, true;
  if (name == "--flood-every") return t.flood_every = small, true;
  if (name == "--seed") return t.seed = value, true;
  return false;
}

bool set(Traffic& t, std::string_view argument) {
  const std::size_t equals = argument.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view digits = argument.substr(equals + 1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc{} && end == digits.data() + digits.size() &&
         set(t, argument.substr(0, equals), value);
}

}  // namespace

int main(int argc, char** argv) {
  Traffic traffic;
  for (int i = 1; i < argc; ++i) {
    if (set(traffic, argv[i])) continue;
    std::fprintf(stderr,
                 "make_capture: what is '%s'? Known: --frames= --stations= --vlans= --flows= --step-ns= "
                 "--access=0|1 --flood-every= --seed=, each with a number; the capture goes to stdout\n",
                 argv[i]);
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IONBF, 0);  // it is written in large pieces
  const auto done = sekimori::bench::write_capture(traffic, sekimori::wire::stream_sink(stdout, "stdout"));
  if (done) return 0;
  std::fprintf(stderr, "make_capture: %s\n", done.error().what.c_str());
  return 3;
}
