// Cut and changed captures: nothing is read past what was captured (run under the address sanitizer), and a
// cut header is missing, never wrong. The fuzzers in tests/fuzz go further, for longer.
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "base/random.h"
#include "wire/test_support.h"
#include "wire/test_touch.h"

namespace sekimori::wire {
namespace {

// On the heap and of exactly that size, so that the sanitizer sees one byte too many.
struct Exact {
  explicit Exact(Bytes from) : octets(std::make_unique<std::uint8_t[]>(from.size())), size(from.size()) {
    std::copy(from.begin(), from.end(), octets.get());
  }
  Bytes bytes() const { return {octets.get(), size}; }
  std::unique_ptr<std::uint8_t[]> octets;
  std::size_t size;
};

void touch_file(std::string_view file) {
  const Exact exact(Bytes(reinterpret_cast<const std::uint8_t*>(file.data()), file.size()));
  testing::touch_capture(memory_source(exact.bytes()));
}

class Robustness : public ::testing::TestWithParam<std::string> {};

TEST_P(Robustness, CutFrames) {
  auto reader = CaptureReader::open_file(GetParam());
  ASSERT_TRUE(reader) << reader.error().what;
  std::set<std::size_t> sizes;  // a frame of each size: enough kinds, and not ten thousand alike
  for (Frame frame; reader->next(frame);) {
    if (!sizes.insert(frame.bytes.size()).second && frame.number > 100) continue;
    const Packet whole = decode(frame.link_type, frame.bytes);
    for (std::size_t size = 0; size < frame.bytes.size(); ++size) {
      const Exact exact(frame.bytes.first(size));
      const Packet cut = decode(frame.link_type, exact.bytes());
      testing::touch(cut);
      const auto missing_or_same = [](const auto& part, const auto& all) {
        return part.index() == 0 || part.index() == all.index();
      };
      ASSERT_TRUE(missing_or_same(cut.link, whole.link)) << frame.number << " at " << size;
      ASSERT_TRUE(missing_or_same(cut.network, whole.network)) << frame.number << " at " << size;
      ASSERT_TRUE(missing_or_same(cut.transport, whole.transport)) << frame.number << " at " << size;
      ASSERT_TRUE(missing_or_same(cut.application, whole.application)) << frame.number << " at " << size;
      ASSERT_TRUE(!cut.tunnel || whole.tunnel) << frame.number << " at " << size;
    }
  }
}

TEST_P(Robustness, CutFiles) {
  const std::string file = testing::read_whole(GetParam());
  const std::size_t dense = std::min<std::size_t>(file.size(), 400);
  for (std::size_t size = 0; size < dense; ++size) touch_file(std::string_view(file).substr(0, size));
  base::Random random(1);
  for (int i = 0; i < 20; ++i) touch_file(std::string_view(file).substr(0, random.below(file.size())));
}

TEST_P(Robustness, ChangedFiles) {
  const std::string file = testing::read_whole(GetParam());
  base::Random random(2);
  const std::size_t rounds = std::clamp<std::size_t>(4'000'000 / file.size(), 20, 500);
  for (std::size_t i = 0; i < rounds; ++i) {
    std::string changed = file;
    const std::uint64_t edits = 1 + random.below(8);
    // Half of the edits hit the start, where the lengths are that matter most.
    for (std::uint64_t edit = 0; edit < edits; ++edit) {
      const std::size_t range = edit % 2 == 0 ? changed.size() : std::min<std::size_t>(changed.size(), 200);
      changed[random.below(range)] = static_cast<char>(random.below(4) == 0 ? 0xff : random.next());
    }
    touch_file(changed);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Robustness, ::testing::ValuesIn(testing::sample_captures()),
                         [](const auto& param) { return testing::test_name(param.param); });

}  // namespace
}  // namespace sekimori::wire
