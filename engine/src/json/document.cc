#include "json/document.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <vector>

#include "base/hash.h"
#include "base/thread_kept.h"
#include "json/scan.h"

namespace tiercache {
namespace {

namespace dom = simdjson::dom;

// Deeper documents are left to the exact check, so that this one may recurse.
constexpr std::size_t kMaxFastDepth = 256;
// A parser takes about 15 times as much memory as its document. One that has grown beyond this is
// not kept.
constexpr std::size_t kMaxKeptCapacity = 256 << 10;

// True if there are `size` or more digits in a row somewhere. Looks at every `size`th byte first.
bool has_digits_in_a_row(std::string_view text, std::size_t size) {
  for (std::size_t at = size - 1; at < text.size(); at += size) {
    std::size_t begin = at + 1;
    while (begin > 0 && is_digit(text[begin - 1])) --begin;
    std::size_t end = at + 1;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (begin <= at && end - begin >= size) return true;
  }
  return false;
}

// Returns false if no number of the text has an exponent that could make it zero, or give a zero
// many places: 0e-9999, 1e-9999. May return true because of what a string holds.
bool may_have_tiny_number(std::string_view text) {
  for (std::size_t at = 1; at + 1 < text.size(); ++at) {
    if (text[at] != 'e' && text[at] != 'E') continue;
    if (is_digit(text[at - 1]) && (text[at - 1] == '0' || text[at + 1] == '-')) return true;
  }
  return false;
}

// Checks a parsed document. A yes is certain; a no means only that the exact check must decide.
class FastWalk {
 public:
  FastWalk(std::string_view text, const DocumentRules& rules, std::vector<std::uint64_t>& hashes)
      : text_(text),
        rules_(rules),
        max_depth_(std::min(rules.max_depth, kMaxFastDepth)),
        may_grow_by_(rules.max_bytes - text.size()),
        hashes_(hashes) {}

  bool accepts(dom::element value, std::size_t depth = 0) {
    switch (value.type()) {
      case dom::element_type::OBJECT:
        return depth < max_depth_ && accepts_object(dom::object(value), depth + 1);
      case dom::element_type::ARRAY:
        return depth < max_depth_ && accepts_array(dom::array(value), depth + 1);
      case dom::element_type::DOUBLE:
        return accepts_number(double(value));
      default:
        return true;
    }
  }

 private:
  bool accepts_array(dom::array array, std::size_t depth) {
    for (dom::element value : array) {
      if (!accepts(value, depth)) return false;
    }
    return true;
  }

  bool accepts_object(dom::object object, std::size_t depth) {
    if (!names_differ(object)) return false;
    for (dom::key_value_pair member : object) {
      if (!accepts(member.value, depth)) return false;
    }
    return true;
  }

  // Names are compared by hash; two of one hash are left to the exact check. Sorting the hashes
  // bounds the time whatever the names are.
  bool names_differ(dom::object object) {
    hashes_.clear();
    for (dom::key_value_pair member : object) hashes_.push_back(hash64(member.key));
    std::sort(hashes_.begin(), hashes_.end());
    return std::adjacent_find(hashes_.begin(), hashes_.end()) == hashes_.end();
  }

  bool accepts_number(double value) {
    const bool any = !rules_.refuse_unbounded_numbers && !rules_.numbers_written_out;
    if (value == 0) return any || zeros_are_plain();
    if (rules_.refuse_unbounded_numbers && !surely_fits_numeric(value)) return false;
    return !rules_.numbers_written_out || surely_stays_small(value);
  }

  // A number that is written out has the digits of its text, plus zeros between the first of them
  // and the point: as many as its decimal logarithm, which is at most 0.302 times the binary one.
  bool surely_stays_small(double value) {
    const auto digits = static_cast<std::size_t>(std::abs(std::ilogb(value)) * 302 / 1000 + 4);
    if (digits > may_grow_by_) return false;
    may_grow_by_ -= digits;
    return true;
  }

  // True if every number that reads as zero is written with zeros alone, without an exponent.
  bool zeros_are_plain() {
    if (!zeros_are_plain_) zeros_are_plain_ = !may_have_tiny_number(text_);
    return *zeros_are_plain_;
  }

  // If there are no thousands of digits in a row, only a tiny value can be written with too many
  // places after the point; a finite one never has too many before it.
  static bool surely_fits_numeric(double value) { return std::fabs(value) > 1e-290; }

  const std::string_view text_;
  const DocumentRules& rules_;
  const std::size_t max_depth_;
  std::size_t may_grow_by_;
  std::optional<bool> zeros_are_plain_;
  std::vector<std::uint64_t>& hashes_;
};

// What each thread keeps from one check to the next.
struct FastState {
  dom::parser parser;
  std::vector<std::uint64_t> hashes;

  void shrink() {
    if (parser.capacity() > kMaxKeptCapacity) parser = dom::parser();
    if (hashes.capacity() > kMaxKeptCapacity / sizeof(std::uint64_t)) hashes = {};
  }
};

bool surely_acceptable(std::string_view text, const DocumentRules& rules) {
  if (text.empty() || text.size() > rules.max_bytes) return false;
  if (rules.refuse_nul_escape && text.find("\\u0000") != std::string_view::npos) return false;
  if (rules.refuse_unbounded_numbers && has_digits_in_a_row(text, 4096)) return false;
  ThreadKept<FastState> state;
  dom::element root;
  const bool parsed = state->parser.parse(text.data(), text.size()).get(root) == simdjson::SUCCESS;
  const bool accepted = parsed && FastWalk(text, rules, state->hashes).accepts(root);
  state->shrink();
  return accepted;
}

}  // namespace

std::string DocumentFault::to_string() const {
  return why + " at line " + std::to_string(line) + ", column " + std::to_string(column) +
         " (byte " + std::to_string(offset) + ")";
}

std::optional<DocumentFault> check_document(std::string_view text, const DocumentRules& rules) {
  if (surely_acceptable(text, rules)) return std::nullopt;
  return scan_document(text, rules);
}

}  // namespace tiercache
