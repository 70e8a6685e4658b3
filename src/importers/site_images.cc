// What a guest boots from in a lab: `image: guest.qcow2`, or a mapping.
#include <fmt/format.h>

#include <string>

#include "importers/site_reader.h"

namespace sekimori::importers {

// As the caller can open it: what is written is relative to the site file.
std::string SiteReader::image_file(NodeId node, std::string_view what) {
  const auto written = in_.word(node, what);
  if (!written) return "";
  const std::string& site = model().source;
  const auto slash = site.rfind('/');
  const bool is_relative = written->front() != '/' && slash != site.npos;
  return (is_relative ? site.substr(0, slash + 1) : "") + std::string(*written);
}

model::ImageId SiteReader::read_image(NodeId node) {
  if (!node.valid()) return {};
  model::Image image;
  if (in_.tree().is_text(node)) {
    image.disk = image_file(node, "a disk image");
  } else {
    const Fields fields = in_.fields(node, sections::kImage, "{kernel: vmlinuz, initrd: initrd.img}");
    if (!fields.node().valid()) return {};
    image.disk = image_file(fields["disk"], "a disk image");
    image.kernel = image_file(fields["kernel"], "a kernel");
    image.initrd = image_file(fields["initrd"], "an initial RAM disk");
    set(image.append, in_.word(fields["append"], "words for the kernel's command line"));
    set(image.memory, in_.bytes(fields["memory"], kMemoryBounds));
    if (fields.has("disk") == fields.has("kernel"))
      in_.wrong(node, "an image is a `disk` or a `kernel`, one of the two");
    for (const char* key : {"initrd", "append"}) {
      if (fields.has(key) && !fields.has("kernel"))
        in_.wrong(fields[key], fmt::format("`{}` goes with a `kernel`, and here is none", key));
    }
  }
  model().images.push_back(std::move(image));
  return model::ImageId(model().images.size() - 1);
}

}  // namespace sekimori::importers
