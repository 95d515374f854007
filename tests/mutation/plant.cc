// Plants mutants, one small mistake each (planter.h), in the sources of a copied tree: all of them
// at once, each behind a question whether it is awake (mutant.h). So the tree is compiled once, and
// a mutant costs only the tests that reach it (hunt.cc).
//
//   plant --build DIR --tree DIR --list FILE ROOM...
//
// A ROOM is a folder below the tree, "engine/src/journal". DIR of --build has
// compile_commands.json. The list gets a JSON array: number, room, file, line, kind, what the line
// was, what was changed.
#include <clang/Frontend/FrontendActions.h>
#include <clang/Tooling/JSONCompilationDatabase.h>
#include <clang/Tooling/Tooling.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "planter.h"

namespace tiercache::mutation {
namespace {

namespace fs = std::filesystem;

class Consumer : public clang::ASTConsumer {
 public:
  explicit Consumer(Garden& garden) : garden_(garden) {}
  void HandleTranslationUnit(clang::ASTContext& context) override {
    if (context.getDiagnostics().hasErrorOccurred()) return;
    plant(context, garden_);
  }

 private:
  Garden& garden_;
};

class Action : public clang::ASTFrontendAction {
 public:
  explicit Action(Garden& garden) : garden_(garden) {}
  std::unique_ptr<clang::ASTConsumer> CreateASTConsumer(clang::CompilerInstance&,
                                                        llvm::StringRef) override {
    return std::make_unique<Consumer>(garden_);
  }

 private:
  Garden& garden_;
};

class ActionFactory : public clang::tooling::FrontendActionFactory {
 public:
  explicit ActionFactory(Garden& garden) : garden_(garden) {}
  std::unique_ptr<clang::FrontendAction> create() override {
    return std::make_unique<Action>(garden_);
  }

 private:
  Garden& garden_;
};

// As clang takes it: without ccache, and without what only gcc knows.
clang::tooling::CommandLineArguments for_clang(const clang::tooling::CommandLineArguments& given,
                                               llvm::StringRef) {
  clang::tooling::CommandLineArguments taken;
  for (const std::string& argument : given) {
    if (argument.ends_with("ccache") || argument.starts_with("-W")) continue;
    taken.push_back(argument);
  }
  taken.insert(taken.begin() + 1, {"-w", "-resource-dir", TIERCACHE_CLANG_RESOURCES});
  return taken;
}

int run(const fs::path& build, const fs::path& list, Garden& garden) {
  std::string why;
  const auto commands =
      clang::tooling::JSONCompilationDatabase::loadFromDirectory(build.string(), why);
  if (!commands) {
    std::cerr << "plant: " << why << "\n";
    return 2;
  }
  std::vector<std::string> files;
  for (const std::string& file : commands->getAllFiles()) {
    if (garden.room_of(fs::weakly_canonical(file).string())) files.push_back(file);
  }
  std::sort(files.begin(), files.end());
  clang::tooling::ClangTool tool(*commands, files);
  tool.clearArgumentsAdjusters();
  tool.appendArgumentsAdjuster(clang::tooling::getClangStripDependencyFileAdjuster());
  tool.appendArgumentsAdjuster(clang::tooling::getClangStripOutputAdjuster());
  tool.appendArgumentsAdjuster(clang::tooling::getClangSyntaxOnlyAdjuster());
  tool.appendArgumentsAdjuster(for_clang);
  ActionFactory factory(garden);
  if (tool.run(&factory) != 0) return 1;
  std::cout << garden.write(list) << "\n";
  return 0;
}

}  // namespace
}  // namespace tiercache::mutation

int main(int argc, char** argv) {
  using namespace tiercache::mutation;
  fs::path build, tree, list;
  std::vector<std::string> rooms;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--build" && i + 1 < argc) {
      build = argv[++i];
    } else if (argument == "--tree" && i + 1 < argc) {
      tree = fs::canonical(argv[++i]);
    } else if (argument == "--list" && i + 1 < argc) {
      list = argv[++i];
    } else {
      rooms.push_back(argument);
    }
  }
  if (build.empty() || list.empty() || tree.empty() || rooms.empty()) {
    std::cerr << "usage: plant --build DIR --tree DIR --list FILE ROOM...\n";
    return 2;
  }
  Garden garden(tree, rooms);
  return run(build, list, garden);
}
