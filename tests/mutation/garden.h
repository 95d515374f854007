// What is planted so far, in all files of the rooms.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "edits.h"

namespace tiercache::mutation {

// Part of a file, in bytes.
struct Range {
  std::string path;
  unsigned begin = 0, end = 0;
};

class Garden {
 public:
  // A room is a folder below the tree. Both stay where they are.
  Garden(std::filesystem::path tree, std::vector<std::string> rooms)
      : tree_(std::move(tree)), rooms_(std::move(rooms)) {}

  // A file is planted while the first translation unit is read that has it.
  bool takes(const std::string& path) const { return room_of(path) && !done_.contains(path); }
  void done_with(const std::set<std::string>& paths) { done_.insert(paths.begin(), paths.end()); }

  // The number of a new mutant, which lies here, and what it changes.
  std::string add(const Range& where, const std::string& kind, const std::string& change);

  Edits& edits(const std::string& path) { return edits_[path]; }
  // What the file was before anything was planted.
  const std::string& text_of(const std::string& path);
  std::string text(const Range& range);

  std::optional<std::string> room_of(const std::string& path) const;
  // Changes the files of the tree and lists the mutants; says how many.
  std::string write(const std::filesystem::path& list);

 private:
  struct Mutant {
    std::string room, file, kind, was, change;
    unsigned line = 0;
  };

  const std::filesystem::path tree_;
  const std::vector<std::string> rooms_;
  std::vector<Mutant> mutants_;
  std::map<std::string, Edits> edits_;        // by path
  std::map<std::string, std::string> texts_;  // by path
  std::set<std::string> done_;
};

}  // namespace tiercache::mutation
