// Reads a header a character at a time and keeps what is nested in what: a declaration ends at its
// semicolon or behind its body, and bodies are passed over. What comes out is the text of one
// declaration after the other, with the lines on which it begins and ends.
#include "structure/comments.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <regex>
#include <string>
#include <string_view>
#include <utility>

namespace tiercache::structure {

namespace {

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::string bare(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return std::string(text);
}

// The comment that the line is, or empty.
std::string comment_of(const std::string& line) {
  const std::string text = bare(line);
  return text.starts_with("//") ? text : std::string();
}

// Without template arguments and parameters, in which commas and parentheses mean something else.
std::string without_angles(const std::string& text) {
  std::string out;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool follows_name = i > 0 && is_word(text[i - 1]) && !out.ends_with("operator");
    if (text[i] == '<' && (depth > 0 || follows_name || out.ends_with("template "))) {
      ++depth;
    } else if (text[i] == '>' && depth > 0) {
      --depth;
    } else if (depth == 0) {
      out += text[i];
    }
  }
  return out;
}

// What is declared, and what stands before the name.
struct Name {
  std::string before;
  std::string name;
};

Name last_word(const std::string& text) {
  const std::string head = bare(text);
  std::size_t begin = head.size();
  while (begin > 0 && is_word(head[begin - 1])) --begin;
  return {head.substr(0, begin), head.substr(begin)};
}

// Of several fields in one declaration the first.
Name name_of(const std::string& declaration) {
  const std::string head = without_angles(declaration);
  if (head.starts_with("using ")) {
    return {"using ", bare(head.substr(6, head.find('=') - 6))};
  }
  const std::size_t at = head.find("operator");
  if (at != std::string::npos) {
    return {head.substr(0, at), bare(head.substr(at, head.find('(', at) - at))};
  }
  const std::size_t begin = head.starts_with("[[") ? head.find("]]") + 2 : 0;
  return last_word(head.substr(begin, head.find_first_of("=({[;,", begin) - begin));
}

// The name of the type whose members follow; empty where none do.
std::string type_begun_by(const std::string& declaration) {
  const std::string head = without_angles(declaration);
  static const std::regex type(
      R"(^(?:template )?\s*(?:requires [\w:]+ )?(?:enum class|enum|class|struct|union))"
      R"( (\w+)[^()=]*$)");
  std::smatch found;
  return std::regex_match(head, found, type) ? found[1].str() : std::string();
}

bool is_class(const std::string& declaration) {
  const std::string head = without_angles(declaration);
  return head.starts_with("class ") || head.starts_with("template class ");
}

bool needs_no_comment(const std::string& declaration, const Name& name) {
  static const std::regex other(R"(^(friend|static_assert|using namespace|extern template)\b)");
  static const std::regex forward(
      R"(^(template\b.*)?(class|struct|union|enum|enum class) \w+( : [\w:]+)?$)");
  static const std::regex says_it_all(R"(= (default|delete)$|\boverride\b)");
  if (name.name.empty() || name.name.starts_with("TEST")) return true;
  if (name.before.ends_with('~') || name.before.ends_with("::")) return true;
  return std::regex_search(declaration, other) || std::regex_search(declaration, forward) ||
         std::regex_search(declaration, says_it_all);
}

// Of a declaration in which a brace opens: it is an initialiser's, behind which more may come.
bool is_initialised(const std::string& declaration) {
  const std::string head = without_angles(declaration);
  const std::size_t equals = head.find('=');
  return equals < head.find('(') && !head.substr(0, equals).ends_with("operator");
}

// The raw lines of a file beside their code.
class Lines {
 public:
  explicit Lines(const SourceFile& file)
      : raw_(file.lines), code_(without_comments_and_literals(file.lines)) {
    bool continued = false;
    for (std::string& line : code_) {
      const bool directive = continued || bare(line).starts_with('#');
      continued = directive && line.ends_with('\\');
      if (directive) line.clear();
    }
  }

  const std::vector<std::string>& code() const { return code_; }
  // The comment lines directly above, indented like this one.
  std::vector<std::string> above(std::size_t line) const {
    std::vector<std::string> comments;
    const std::size_t indent = raw_[line].find_first_not_of(' ');
    for (std::size_t at = line; at > 0; --at) {
      const std::string text = comment_of(raw_[at - 1]);
      if (text.empty() || text.starts_with("// ---")) break;
      if (raw_[at - 1].find_first_not_of(' ') != indent) break;
      comments.push_back(text);
    }
    return comments;
  }
  // A comment begins behind the line's code where cutting the line there leaves the code whole.
  bool has_comment_behind(std::size_t line) const {
    const std::string code = bare(code_[line]);
    if (code.empty()) return false;
    const std::string& raw = raw_[line];
    for (std::size_t at = raw.find("//"); at != std::string::npos; at = raw.find("//", at + 1)) {
      const auto before = without_comments_and_literals({raw.substr(0, at)});
      if (bare(before.front()) == code) return true;
    }
    return false;
  }

 private:
  const std::vector<std::string>& raw_;
  std::vector<std::string> code_;
};

class HeaderReader {
 public:
  explicit HeaderReader(const SourceFile& file) : file_(file), lines_(file) {}

  std::vector<Finding> read() {
    for (line_ = 0; line_ < lines_.code().size(); ++line_) {
      for (const char c : lines_.code()[line_]) take(c);
      take(' ');
    }
    if (behind_braces_) end_declaration(line_before_);
    if (scopes_.size() != 1) findings_.push_back({file_.path, 0, "its braces do not match"});
    return std::move(findings_);
  }

 private:
  struct Scope {
    enum class Kind { space, type, enumerators };
    Kind kind = Kind::space;
    bool is_public = true;
    std::vector<std::string> above = {};  // the comment of the type
    // The declaration before.
    std::string last_name = {};
    bool last_commented = false;
    std::size_t last_line = 0;
  };

  void take(char c) {
    if (in_braces_ > 0) {
      in_braces_ += (c == '{' ? 1 : 0) - (c == '}' ? 1 : 0);
      if (!is_space(c)) line_before_ = line_;
      behind_braces_ = in_braces_ == 0;
      return;
    }
    // Behind a body there is nothing; behind an initialiser the declaration goes on.
    if (behind_braces_ && !is_space(c)) {
      behind_braces_ = false;
      const bool goes_on = c == ';' || c == ',' || c == '{' || is_initialised(text_);
      if (!goes_on) end_declaration(line_before_);
    }
    if (text_.empty()) {
      if (is_space(c)) return;
      begin_ = line_;
      end_ = kOpen;
      first_on_line_ = line_before_ != line_;
    }
    if (!take_nested(c)) take_outer(c);
    if (!is_space(c)) line_before_ = line_;
  }

  // True while something in parentheses or brackets goes on.
  bool take_nested(char c) {
    const bool brace = nested_ > 0;
    if (c == '(' || c == '[' || (brace && c == '{')) ++nested_;
    const bool inside = nested_ > 0;
    if (c == ')' || c == ']' || (brace && c == '}')) --nested_;
    if (inside) text_ += c;
    return inside;
  }

  void take_outer(char c) {
    Scope& scope = scopes_.back();
    if (c == '{') return open();
    if (c == '}') return close();
    if (c == ';') return end_declaration(line_);
    if (c == ',' && scope.kind == Scope::Kind::enumerators) return end_declaration(line_);
    if (c == ':' && (text_ == "public" || text_ == "protected" || text_ == "private")) {
      scope.is_public = text_ == "public";
      return text_.clear();
    }
    if (!is_space(c) || !text_.ends_with(' ')) text_ += is_space(c) ? ' ' : c;
  }

  void open() {
    text_ = bare(text_);
    if (text_.starts_with("namespace")) {
      scopes_.push_back(
          {.is_public = text_ != "namespace" && text_.find("detail") == std::string::npos});
    } else if (const std::string type = type_begun_by(text_); !type.empty()) {
      end_ = line_;
      record(type);
      scopes_.push_back(
          {.kind = text_.starts_with("enum ") ? Scope::Kind::enumerators : Scope::Kind::type,
           .is_public = !is_class(text_),
           .above = lines_.above(begin_)});
    } else {
      if (end_ == kOpen) end_ = line_;
      text_ += "{}";
      in_braces_ = 1;
      return;
    }
    text_.clear();
  }

  void close() {
    if (scopes_.back().kind == Scope::Kind::enumerators) end_declaration(line_before_);
    text_.clear();
    if (scopes_.size() > 1) scopes_.pop_back();
  }

  void end_declaration(std::size_t line) {
    if (end_ == kOpen) end_ = line;
    const std::string declaration = bare(std::exchange(text_, {}));
    const Name name = name_of(declaration);
    if (!needs_no_comment(declaration, name)) record(name.name);
    scopes_.back().last_line = line;
  }

  void record(const std::string& name) {
    Scope& scope = scopes_.back();
    const bool overload =
        name == scope.last_name && scope.last_commented && begin_ == scope.last_line + 1;
    const bool commented = overload || is_in_table(scope, name) || has_comment();
    if (!commented && is_seen()) {
      findings_.push_back({file_.path, static_cast<int>(begin_) + 1, name + " has no comment"});
    }
    scope.last_name = name;
    scope.last_commented = commented;
  }

  bool has_comment() const {
    if (first_on_line_ && !lines_.above(begin_).empty()) return true;
    for (std::size_t line = begin_; line <= end_; ++line) {
      if (lines_.has_comment_behind(line)) return true;
    }
    return false;
  }
  static bool is_in_table(const Scope& scope, const std::string& name) {
    return std::any_of(scope.above.begin(), scope.above.end(), [&](const std::string& line) {
      return line.starts_with("// | " + name + " ");
    });
  }
  bool is_seen() const {
    return std::all_of(scopes_.begin(), scopes_.end(),
                       [](const Scope& scope) { return scope.is_public; });
  }

  static constexpr std::size_t kOpen = SIZE_MAX;
  const SourceFile& file_;
  const Lines lines_;
  std::vector<Scope> scopes_{1};
  std::vector<Finding> findings_;
  std::string text_;         // of the declaration so far, bodies left out
  std::size_t begin_ = 0;    // its first line
  std::size_t end_ = kOpen;  // where its body begins, or its last line
  std::size_t line_ = 0;
  std::size_t line_before_ = kOpen;  // of the character before that was no space
  bool first_on_line_ = true;        // nothing is declared before it on its first line
  int nested_ = 0;                   // parentheses and brackets
  int in_braces_ = 0;
  bool behind_braces_ = false;
};

}  // namespace

std::vector<SourceFile> read_public_headers() {
  std::vector<SourceFile> headers;
  for (const char* directory : {"engine", "adapters"}) {
    for (SourceFile& file : read_files(directory, {".h"})) {
      const bool is_public = file.path.find("/include/") != std::string::npos &&
                             file.path.find("/detail/") == std::string::npos;
      if (is_public) headers.push_back(std::move(file));
    }
  }
  return headers;
}

std::vector<Finding> uncommented_declarations(const SourceFile& file) {
  return HeaderReader(file).read();
}

std::vector<Finding> torn_initialisers(const SourceFile& file) {
  const Lines lines(file);
  std::vector<Finding> findings;
  for (std::size_t i = 0; i + 1 < lines.code().size(); ++i) {
    if (!bare(lines.code()[i]).ends_with('=') || !lines.has_comment_behind(i + 1)) continue;
    findings.push_back({file.path, static_cast<int>(i) + 1, "put the comment above"});
  }
  return findings;
}

std::vector<Finding> odd_rulers(const SourceFile& file) {
  static const std::regex ruler(R"(^//\s*([-=*~#])\1\1)");
  static const std::regex good(R"(^// --- [^-](?:(?!---).)* ---$)");
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const std::string comment = comment_of(file.lines[i]);
    if (comment.empty() || !std::regex_search(comment, ruler)) continue;
    if (std::regex_search(comment, good)) continue;
    findings.push_back({file.path, static_cast<int>(i) + 1, "a ruler is \"// --- Words ---\""});
  }
  return findings;
}

}  // namespace tiercache::structure
