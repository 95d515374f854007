#include "structure/invariants.h"

#include <algorithm>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

namespace tiercache::structure {

namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" *`");
  const auto last = text.find_last_not_of(" *`");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

std::vector<std::string> cells(const std::string& row) {
  std::vector<std::string> found;
  std::istringstream in(row.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) found.push_back(trimmed(cell));
  return found;
}

std::optional<int> invariant_named(const std::string& cell) {
  static const std::regex name(R"(I(\d{1,2}))");
  std::smatch found;
  if (!std::regex_match(cell, found, name)) return std::nullopt;
  return std::stoi(found[1]);
}

// Nullopt when the cell says neither.
std::optional<bool> state_of(const std::string& cell) {
  if (cell.starts_with("stands")) return true;
  if (cell.starts_with("not yet")) return false;
  return std::nullopt;
}

}  // namespace

TestsByInvariant tests_by_invariant(const std::vector<SourceFile>& files) {
  static const std::regex test(R"(\b(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\))");
  static const std::regex name(R"(_I(\d{1,2})(?![0-9A-Za-z]))");
  TestsByInvariant result;
  for (const SourceFile& file : files) {
    const std::string text = joined(file.lines);
    for (std::sregex_iterator t(text.begin(), text.end(), test), end; t != end; ++t) {
      const std::string test_name = (*t)[2];
      for (std::sregex_iterator n(test_name.begin(), test_name.end(), name); n != end; ++n) {
        result[std::stoi((*n)[1])].push_back((*t)[1].str() + "." + test_name);
      }
    }
  }
  return result;
}

Claims read_claims(const SourceFile& readme) {
  Claims claims;
  std::set<int> named;
  std::size_t state_column = 0;
  for (std::size_t i = 0; i < readme.lines.size(); ++i) {
    const std::string& line = readme.lines[i];
    if (!line.starts_with("|")) continue;
    const auto row = cells(line);
    const auto header = std::find(row.begin(), row.end(), "State");
    if (header != row.end()) state_column = static_cast<std::size_t>(header - row.begin());
    const auto invariant = invariant_named(row.front());
    if (!invariant) continue;
    const auto state =
        state_column > 0 && state_column < row.size() ? state_of(row[state_column]) : std::nullopt;
    named.insert(*invariant);
    if (state) {
      claims.stands[*invariant] = *state;
    } else {
      claims.findings.push_back({readme.path, static_cast<int>(i) + 1,
                                 "the State cell begins with neither \"stands\" nor \"not yet\""});
    }
  }
  for (int number = 1; number <= kInvariants; ++number) {
    if (named.contains(number)) continue;
    claims.findings.push_back({readme.path, 0, "has no row for I" + std::to_string(number)});
  }
  return claims;
}

ProofsByInvariant read_proofs(const SourceFile& reliability) {
  static const std::regex link(R"(\]\(\.\./([^)#]+)\))");
  ProofsByInvariant proofs;
  for (const std::string& line : reliability.lines) {
    if (!line.starts_with("|")) continue;
    const auto row = cells(line);
    const auto invariant = invariant_named(row.front());
    if (!invariant) continue;
    const std::string& proved_by = row.back();
    for (std::sregex_iterator l(proved_by.begin(), proved_by.end(), link), end; l != end; ++l) {
      proofs[*invariant].push_back((*l)[1]);
    }
  }
  return proofs;
}

std::vector<Finding> empty_proofs(const ProofsByInvariant& proofs,
                                  const std::vector<SourceFile>& files) {
  static const std::regex a_test(R"(\b(?:TYPED_)?TEST(?:_F|_P)?\()");
  std::vector<Finding> findings;
  for (const auto& [number, paths] : proofs) {
    for (const std::string& path : paths) {
      const auto file = std::find_if(files.begin(), files.end(),
                                     [&](const SourceFile& f) { return f.path == path; });
      const std::string name = "I" + std::to_string(number);
      if (file == files.end()) {
        findings.push_back({path, 0, "is said to prove " + name + ", and is not there"});
      } else if (std::regex_search(joined(file->lines), a_test) &&
                 !tests_by_invariant({*file}).contains(number)) {
        findings.push_back({path, 0, "is said to prove " + name + ", and no test in it names it"});
      }
    }
  }
  return findings;
}

}  // namespace tiercache::structure
