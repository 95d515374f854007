#include "json/scan.h"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tiercache {
namespace {

// A member name as messages show it: escaped, and cut where it is long.
std::string shown(std::string_view name) {
  constexpr std::size_t kMaxShown = 64;
  std::string text;
  if (name.size() <= kMaxShown) {
    append_json_string(name, &text);
    return text;
  }
  std::size_t end = kMaxShown;
  while ((static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;
  append_json_string(name.substr(0, end), &text);
  return text + "...";
}

// One walk over one value. The containers that are open are kept in a stack on the heap.
class ValueScan {
 public:
  ValueScan(JsonReader& reader, const DocumentRules& rules) : reader_(reader), rules_(rules) {}

  bool run() {
    while (true) {
      bool opened = false;
      if (!read_value(&opened)) return false;
      if (opened) continue;
      if (!leave_finished()) return false;
      if (open_.empty()) return true;
    }
  }

 private:
  // A tree instead of a hash table, so that names made to collide cannot slow it down.
  using Names = std::set<std::string>;

  // Reads a whole scalar or empty container. Of any other container it reads what comes before the
  // first value, and sets `*opened`.
  bool read_value(bool* opened) {
    reader_.skip_space();
    switch (reader_.peek()) {
      case '{':
        return open(std::make_unique<Names>(), '}', opened) && (!*opened || read_name());
      case '[':
        return open(nullptr, ']', opened);
      case '"':
        return reader_.read_string(nullptr) && check_nul();
      case 't':
      case 'f':
      case 'n':
        return reader_.skip_literal();
      default:
        return read_number();
    }
  }

  bool open(std::unique_ptr<Names> names, char closer, bool* opened) {
    if (open_.size() >= rules_.max_depth) {
      return reader_.fail("nested deeper than " + std::to_string(rules_.max_depth));
    }
    reader_.take(reader_.peek());
    reader_.skip_space();
    *opened = !reader_.take(closer);
    if (*opened) open_.push_back(std::move(names));
    return true;
  }

  // Called behind a value: closes the containers that end here, until a comma (and the next
  // member's name) or the end of the text.
  bool leave_finished() {
    while (!open_.empty()) {
      const bool object = open_.back() != nullptr;
      reader_.skip_space();
      if (reader_.take(',')) return !object || read_name();
      if (!reader_.expect(object ? '}' : ']',
                          object ? "expected ',' or '}'" : "expected ',' or ']'"))
        return false;
      open_.pop_back();
    }
    return true;
  }

  bool read_name() {
    reader_.skip_space();
    const std::size_t begin = reader_.offset();
    if (reader_.peek() != '"') {
      return reader_.fail(reader_.at_end() ? "the document ends too early"
                                           : "expected a member name in double quotes");
    }
    std::string name;
    if (!reader_.read_string(&name) || !check_nul()) return false;
    const auto [it, is_new] = open_.back()->insert(std::move(name));
    if (!is_new) return reader_.fail("duplicate member " + shown(*it), begin);
    return reader_.expect(':', "expected ':'");
  }

  bool read_number() {
    const std::size_t begin = reader_.offset();
    if (reader_.at_end()) return reader_.fail("the document ends too early");
    const char first = reader_.peek();
    if (first != '-' && (first < '0' || first > '9')) return reader_.fail("expected a value");
    std::string_view token;
    if (!reader_.read_number(&token)) return false;
    if (rules_.refuse_unbounded_numbers && !fits_numeric(token)) {
      return reader_.fail("a number beyond what the store holds", begin);
    }
    return !rules_.numbers_written_out || count_written_out(token, begin);
  }

  // Adds up by how much the text grows when its numbers are written out and everything else stays
  // as it is.
  bool count_written_out(std::string_view token, std::size_t begin) {
    const std::uint64_t bytes = bytes_written_out(token);
    if (bytes > token.size()) growth_ += bytes - token.size();
    if (reader_.size() + growth_ <= rules_.max_bytes) return true;
    return reader_.fail(
        "with the numbers up to here written out, as the store keeps them, the text is larger than "
        "the limit of " +
            std::to_string(rules_.max_bytes) + " bytes",
        begin);
  }

  bool check_nul() {
    if (!rules_.refuse_nul_escape || reader_.nul_escape_at() == JsonReader::kNowhere) return true;
    return reader_.fail("\\u0000, which the store cannot hold", reader_.nul_escape_at());
  }

  JsonReader& reader_;
  const DocumentRules& rules_;
  std::vector<std::unique_ptr<Names>> open_;  // null for an array
  std::uint64_t growth_ = 0;
};

DocumentFault fault_at(std::string_view text, std::size_t offset, std::string why) {
  DocumentFault fault{std::move(why), offset, 1, 1};
  const std::string_view before = text.substr(0, offset);
  for (char c : before) fault.line += c == '\n' ? 1 : 0;
  const auto line_end = before.rfind('\n');
  fault.column = 1 + (line_end == std::string_view::npos ? offset : offset - line_end - 1);
  return fault;
}

bool scan_whole(JsonReader& reader, const DocumentRules& rules) {
  reader.skip_space();
  if (reader.at_end()) return reader.fail("the document is empty");
  if (!scan_value(reader, rules)) return false;
  reader.skip_space();
  return reader.at_end() || reader.fail("something follows the end of the document");
}

}  // namespace

bool scan_value(JsonReader& reader, const DocumentRules& rules) {
  return ValueScan(reader, rules).run();
}

std::optional<DocumentFault> scan_document(std::string_view text, const DocumentRules& rules) {
  if (text.size() > rules.max_bytes) {
    return fault_at(text, rules.max_bytes,
                    "the document's " + std::to_string(text.size()) +
                        " bytes are more than the limit of " + std::to_string(rules.max_bytes));
  }
  if (text.starts_with("\xEF\xBB\xBF")) return fault_at(text, 0, "a byte order mark is not JSON");
  JsonReader reader(text);
  if (scan_whole(reader, rules)) return std::nullopt;
  return fault_at(text, reader.fault_offset(), reader.why());
}

}  // namespace tiercache
