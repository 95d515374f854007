// The changes to one source file, which nest as its expressions do.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace tiercache::mutation {

// Whoever adds edits goes from the outer expression to the inner ones. No edit adds a line.
class Edits {
 public:
  // Puts text around [begin, end), offsets in bytes.
  void wrap(unsigned begin, unsigned end, const std::string& before, const std::string& after);
  // Puts text at an offset, within what is there already.
  void insert(unsigned at, const std::string& text);
  // Takes [begin, end) out; nothing may be inserted between.
  void replace(unsigned begin, unsigned end, const std::string& by);

  std::string applied_to(const std::string& text) const;
  bool empty() const { return places_.empty(); }

 private:
  struct Place {
    std::vector<std::string> closing;  // inner ones last, written in reverse
    std::vector<std::string> opening;  // outer ones first
    unsigned taken_out = 0;
  };

  std::map<unsigned, Place> places_;
};

}  // namespace tiercache::mutation
