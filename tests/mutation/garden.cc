#include "garden.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

namespace tiercache::mutation {
namespace {

std::string one_line(const std::string& text) {
  std::istringstream words(text);
  std::string word, line;
  while (words >> word) line += (line.empty() ? "" : " ") + word;
  return line;
}

std::string line_at(const std::string& text, std::size_t offset) {
  const auto before = offset == 0 ? std::string::npos : text.rfind('\n', offset - 1);
  const auto begin = before == std::string::npos ? 0 : before + 1;
  return text.substr(begin, text.find('\n', offset) - begin);
}

}  // namespace

std::optional<std::string> Garden::room_of(const std::string& path) const {
  for (const std::string& room : rooms_) {
    if (path.starts_with((tree_ / room).string() + "/")) return room;
  }
  return std::nullopt;
}

const std::string& Garden::text_of(const std::string& path) {
  auto known = texts_.find(path);
  if (known == texts_.end()) {
    std::ifstream file(path, std::ios::binary);
    known = texts_.emplace(path, std::string(std::istreambuf_iterator<char>(file), {})).first;
  }
  return known->second;
}

std::string Garden::text(const Range& range) {
  return text_of(range.path).substr(range.begin, range.end - range.begin);
}

std::string Garden::add(const Range& where, const std::string& kind, const std::string& change) {
  const std::string& whole = text_of(where.path);
  const auto lines_before = std::count(whole.begin(), whole.begin() + where.begin, '\n');
  mutants_.push_back({*room_of(where.path), std::filesystem::relative(where.path, tree_).string(),
                      kind, one_line(line_at(whole, where.begin)), one_line(change),
                      1 + static_cast<unsigned>(lines_before)});
  return std::to_string(mutants_.size() - 1);
}

std::string Garden::write(const std::filesystem::path& list) {
  for (const auto& [path, edits] : edits_) {
    const std::string planted = edits.applied_to(text_of(path));
    std::ofstream(path, std::ios::binary) << planted;
  }
  auto entries = nlohmann::json::array();
  for (std::size_t i = 0; i < mutants_.size(); ++i) {
    const Mutant& mutant = mutants_[i];
    entries.push_back({{"number", i},
                       {"room", mutant.room},
                       {"file", mutant.file},
                       {"line", mutant.line},
                       {"kind", mutant.kind},
                       {"was", mutant.was},
                       {"change", mutant.change}});
  }
  std::ofstream(list) << entries.dump(1) << "\n";
  return std::to_string(mutants_.size()) + " mutants planted in " + std::to_string(edits_.size()) +
         " files";
}

}  // namespace tiercache::mutation
