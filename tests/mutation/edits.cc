#include "edits.h"

namespace tiercache::mutation {

void Edits::wrap(unsigned begin, unsigned end, const std::string& before,
                 const std::string& after) {
  places_[begin].opening.push_back(before);
  places_[end].closing.push_back(after);
}

void Edits::insert(unsigned at, const std::string& text) {
  places_[at].opening.push_back(text);
}

void Edits::replace(unsigned begin, unsigned end, const std::string& by) {
  Place& place = places_[begin];
  place.opening.push_back(by);
  place.taken_out = end - begin;
}

std::string Edits::applied_to(const std::string& text) const {
  std::string changed;
  unsigned copied = 0;
  for (const auto& [offset, place] : places_) {
    changed.append(text, copied, offset - copied);
    for (auto closing = place.closing.rbegin(); closing != place.closing.rend(); ++closing) {
      changed += *closing;
    }
    for (const std::string& opening : place.opening) changed += opening;
    copied = offset + place.taken_out;
  }
  changed.append(text, copied);
  return changed;
}

}  // namespace tiercache::mutation
