// Observations as they are looked at: from the places of their interfaces, and beside what is declared.
#pragma once

#include <optional>

#include "watch/case.h"
#include "watch/site.h"

namespace sekimori::watch {

class Viewed {
 public:
  // `at`: where the capture was taken; none: inferred.
  Viewed(const Observations& o, std::optional<Place> at, const Declared& declared)
      : site_(declared.model != nullptr ? std::optional<Site>(std::in_place, declared, o) : std::nullopt),
        case_(o, views(o, at), site_ ? &*site_ : nullptr) {}
  Viewed(const Viewed&) = delete;
  Viewed& operator=(const Viewed&) = delete;

  const Case& operator*() const { return case_; }

 private:
  std::vector<View> views(const Observations& o, std::optional<Place> at) const {
    auto views = views_of(o, at);
    if (site_) place_by(*site_, o, views);
    return views;
  }

  std::optional<Site> site_;
  Case case_;
};

}  // namespace sekimori::watch
