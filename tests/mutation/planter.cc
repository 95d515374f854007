#include "planter.h"

#include <clang/AST/RecursiveASTVisitor.h>
#include <clang/Lex/Lexer.h>

#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace tiercache::mutation {
namespace {

namespace fs = std::filesystem;

const clang::Expr* bare(const clang::Expr* expression) {
  return expression->IgnoreUnlessSpelledInSource();
}

class Planter : public clang::RecursiveASTVisitor<Planter> {
 public:
  Planter(clang::ASTContext& context, Garden& garden)
      : context_(context), sources_(context.getSourceManager()), garden_(garden) {}

  void plant() { TraverseDecl(context_.getTranslationUnitDecl()); }
  const std::set<std::string>& files() const { return files_; }

  bool TraverseDecl(clang::Decl* decl) {
    if (decl == nullptr) return true;
    if (!clang::isa<clang::TranslationUnitDecl>(decl) && !ours(decl->getLocation())) {
      // A namespace may be opened elsewhere first; everything else outside is left alone.
      if (!clang::isa<clang::NamespaceDecl>(decl) && !clang::isa<clang::LinkageSpecDecl>(decl)) {
        return true;
      }
      if (sources_.isInSystemHeader(decl->getLocation())) return true;
    }
    if (const auto* variable = clang::dyn_cast<clang::VarDecl>(decl)) {
      if (variable->isConstexpr()) return true;
    }
    if (clang::isa<clang::StaticAssertDecl>(decl) || clang::isa<clang::EnumDecl>(decl)) return true;
    return RecursiveASTVisitor::TraverseDecl(decl);
  }

  // The function whose body is looked at, for what its answers are.
  bool TraverseFunctionDecl(clang::FunctionDecl* f) {
    return within(f, [&] { return RecursiveASTVisitor::TraverseFunctionDecl(f); });
  }
  bool TraverseCXXMethodDecl(clang::CXXMethodDecl* f) {
    return within(f, [&] { return RecursiveASTVisitor::TraverseCXXMethodDecl(f); });
  }
  bool TraverseLambdaExpr(clang::LambdaExpr* lambda) {
    return within(lambda->getCallOperator(),
                  [&] { return RecursiveASTVisitor::TraverseLambdaExpr(lambda); });
  }

  bool VisitCompoundStmt(clang::CompoundStmt* block) {
    std::vector<const clang::Stmt*> run;
    std::string last;
    for (const clang::Stmt* statement : block->body()) {
      const std::string function = changes_by(statement);
      if (function.empty() || function == last) {
        plant_order(run);
        run.clear();
      }
      if (!function.empty()) run.push_back(statement);
      last = function;
    }
    plant_order(run);
    for (const clang::Stmt* statement : block->body()) plant_call(statement);
    return true;
  }
  bool VisitIfStmt(clang::IfStmt* branch) {
    if (branch->isConstexpr()) return true;
    if (const clang::VarDecl* variable = branch->getConditionVariable()) {
      plant_never(variable);
    } else {
      plant_condition(branch->getCond());
    }
    plant_call(branch->getThen());
    if (branch->getElse() != nullptr) plant_call(branch->getElse());
    return true;
  }
  bool VisitConditionalOperator(clang::ConditionalOperator* choice) {
    plant_condition(choice->getCond());
    return true;
  }
  bool VisitWhileStmt(clang::WhileStmt* loop) {
    plant_call(loop->getBody());
    plant_no_loop(loop->getBody());
    return true;
  }
  bool VisitForStmt(clang::ForStmt* loop) {
    plant_call(loop->getBody());
    plant_no_loop(loop->getBody());
    return true;
  }
  bool VisitCXXForRangeStmt(clang::CXXForRangeStmt* loop) {
    plant_call(loop->getBody());
    plant_no_loop(loop->getBody());
    return true;
  }
  bool VisitBinaryOperator(clang::BinaryOperator* operation) {
    const auto code = operation->getOpcode();
    if (code == clang::BO_LAnd || code == clang::BO_LOr) {
      plant_operand(operation->getLHS(), code);
      plant_operand(operation->getRHS(), code);
    } else if (operation->isComparisonOp() || code == clang::BO_Add || code == clang::BO_Sub) {
      if (operation->isAdditiveOp() && !numbers(operation->getLHS(), operation->getRHS()))
        return true;
      plant_operator(operation, operation->getLHS(), operation->getRHS(),
                     operation->getOperatorLoc(), operation->getOpcodeStr().str());
    }
    return true;
  }
  bool VisitCXXOperatorCallExpr(clang::CXXOperatorCallExpr* operation) {
    if (operation->getNumArgs() != 2) return true;
    const std::string sign = clang::getOperatorSpelling(operation->getOperator());
    if ((sign == "+" || sign == "-") && !durations(operation)) return true;
    plant_operator(operation, operation->getArg(0), operation->getArg(1),
                   operation->getOperatorLoc(), sign);
    return true;
  }
  bool VisitCXXRewrittenBinaryOperator(clang::CXXRewrittenBinaryOperator* operation) {
    plant_operator(operation, operation->getLHS(), operation->getRHS(), operation->getOperatorLoc(),
                   operation->getOpcodeStr().str());
    return true;
  }
  bool VisitReturnStmt(clang::ReturnStmt* statement) {
    if (answers_bool_ && statement->getRetValue() != nullptr)
      plant_answer(statement->getRetValue());
    return true;
  }
  bool VisitCallExpr(clang::CallExpr* call) {
    plant_extreme(call);
    return true;
  }

 private:
  template <class Go>
  bool within(clang::FunctionDecl* function, Go go) {
    const bool before = answers_bool_;
    answers_bool_ = function->getReturnType()->isBooleanType();
    const bool going_on = go();
    answers_bool_ = before;
    return going_on;
  }

  // Whether a place is in a file of the rooms that no earlier translation unit had.
  bool ours(clang::SourceLocation at) {
    if (at.isInvalid() || at.isMacroID()) return false;
    return !path_of(at).empty();
  }
  std::string path_of(clang::SourceLocation at) {
    const clang::FileID id = sources_.getFileID(at);
    const auto known = paths_.find(id);
    if (known != paths_.end()) return known->second;
    std::string path;
    if (const auto* entry = sources_.getFileEntryForID(id)) {
      path = fs::weakly_canonical(entry->tryGetRealPathName().str()).string();
    }
    if (!garden_.takes(path)) path.clear();
    if (!path.empty()) files_.insert(path);
    paths_.emplace(id, path);
    return path;
  }

  // Nullopt where macros take part.
  std::optional<Range> range(clang::SourceRange source) {
    if (source.isInvalid() || source.getBegin().isMacroID() || source.getEnd().isMacroID())
      return std::nullopt;
    const std::string path = path_of(source.getBegin());
    if (path.empty() || path != path_of(source.getEnd())) return std::nullopt;
    const auto end =
        clang::Lexer::getLocForEndOfToken(source.getEnd(), 0, sources_, context_.getLangOpts());
    if (end.isInvalid()) return std::nullopt;
    return Range{path, sources_.getFileOffset(source.getBegin()), sources_.getFileOffset(end)};
  }
  std::string text(const Range& range) { return garden_.text(range); }

  // A new mutant's question, "::tiercache_mutation::mutant(17)".
  std::string question(const Range& where, const char* kind, const std::string& change) {
    return "::tiercache_mutation::mutant(" + garden_.add(where, kind, change) + ")";
  }
  Edits& edits(const Range& range) { return garden_.edits(range.path); }

  void plant_condition(const clang::Expr* condition) {
    if (condition == nullptr || clang::isa<clang::CXXBoolLiteralExpr>(bare(condition))) return;
    const auto where = range(condition->getSourceRange());
    if (!where) return;
    whole_conditions_.insert(bare(condition));
    const std::string source = text(*where);
    std::string before = "(", after = ")";
    // Leaving out an operand is more than saying always of `and`, or never of `or`.
    const auto joined = joined_by(condition);
    if (joined != clang::BO_LOr) {
      before = "(!" + question(*where, "condition", "never: " + source) + " && (" + before;
      after += "))";
    }
    if (joined != clang::BO_LAnd) {
      before = "(" + question(*where, "condition", "always, not: " + source) + " || (" + before;
      after += "))";
    }
    edits(*where).wrap(where->begin, where->end, before, after);
  }
  static std::optional<clang::BinaryOperatorKind> joined_by(const clang::Expr* condition) {
    const auto* operation =
        clang::dyn_cast<clang::BinaryOperator>(condition->IgnoreParenImpCasts());
    if (operation == nullptr || !operation->isLogicalOp()) return std::nullopt;
    return operation->getOpcode();
  }
  // if (const auto x = f()) becomes if (const auto x = f(); !mutant && x).
  void plant_never(const clang::VarDecl* variable) {
    const auto where = range(variable->getSourceRange());
    if (!where || variable->getNameAsString().empty()) return;
    edits(*where).wrap(where->begin, where->end, "",
                       "; !" + question(*where, "condition", "never: " + text(*where)) + " && " +
                           variable->getNameAsString());
  }
  void plant_operand(const clang::Expr* operand, clang::BinaryOperatorKind code) {
    const auto* inner = clang::dyn_cast<clang::BinaryOperator>(operand->IgnoreParenImpCasts());
    if (inner != nullptr && inner->getOpcode() == code) return;
    const auto where = range(operand->getSourceRange());
    if (!where) return;
    whole_conditions_.insert(bare(operand));
    const std::string asked = question(*where, "operand", "left out: " + text(*where));
    edits(*where).wrap(where->begin, where->end,
                       code == clang::BO_LAnd ? "(" + asked + " || (" : "(!" + asked + " && (",
                       "))");
  }

  void plant_operator(const clang::Expr* whole, const clang::Expr* left, const clang::Expr* right,
                      clang::SourceLocation sign_at, const std::string& sign) {
    struct Form {
      const char *kind, *function, *becomes;
    };
    static const std::map<std::string, Form> forms = {
        {"<", {"boundary", "less", "<="}},    {"<=", {"boundary", "less_equal", "<"}},
        {">", {"boundary", "greater", ">="}}, {">=", {"boundary", "greater_equal", ">"}},
        {"==", {"equality", "equal", "!="}},  {"!=", {"equality", "not_equal", "=="}},
        {"+", {"sum", "plus", "-"}},          {"-", {"sum", "minus", "+"}}};
    const auto form = forms.find(sign);
    if (form == forms.end()) return;
    if (std::string(form->second.kind) == "equality" && whole_conditions_.contains(bare(whole)))
      return;
    if (about_order(left) || about_order(right) || braced(left) || braced(right)) return;
    const auto where = range(whole->getSourceRange());
    const auto sign_range = range({sign_at, sign_at});
    if (!where || !sign_range || text(*sign_range) != sign) return;
    if (sign_range->begin <= where->begin || sign_range->end >= where->end) return;
    const std::string it =
        garden_.add(*where, form->second.kind, text(*where) + " with " + form->second.becomes);
    edits(*where).wrap(
        where->begin, where->end,
        std::string("::tiercache_mutation::") + form->second.function + "(" + it + ", ", ")");
    edits(*where).replace(sign_range->begin, sign_range->end, ",");
  }
  // (a <=> b) < 0 takes a literal zero, and no other.
  static bool about_order(const clang::Expr* operand) {
    return operand->getType().getAsString().find("ordering") != std::string::npos ||
           operand->getType().getAsString().find("__unspec") != std::string::npos;
  }
  static bool braced(const clang::Expr* operand) {
    return clang::isa<clang::InitListExpr>(bare(operand));
  }
  static bool numbers(const clang::Expr* left, const clang::Expr* right) {
    const auto arithmetic = [](const clang::Expr* e) {
      return !e->isTypeDependent() && e->getType()->isArithmeticType();
    };
    return arithmetic(left) && arithmetic(right);
  }
  static bool durations(const clang::CXXOperatorCallExpr* operation) {
    if (operation->isTypeDependent()) return false;
    const auto canonical = [](const clang::Expr* e) {
      return e->getType().getCanonicalType().getUnqualifiedType().getAsString();
    };
    const auto of = [&](const clang::Expr* e, const char* what) {
      return canonical(e).find(what) != std::string::npos &&
             canonical(e).find("chrono::") != std::string::npos;
    };
    return of(operation->getArg(1), "chrono::duration<") &&
           !of(operation->getArg(1), "time_point") && (of(operation->getArg(0), "chrono::"));
  }

  void plant_answer(const clang::Expr* value) {
    const clang::Expr* inner = value->IgnoreParenImpCasts();
    if (value->isTypeDependent() || clang::isa<clang::InitListExpr>(inner)) return;
    if (const auto* operation = clang::dyn_cast<clang::BinaryOperator>(inner)) {
      if (operation->isLogicalOp()) return;
    }
    const auto where = range(value->getSourceRange());
    if (!where) return;
    whole_conditions_.insert(bare(value));
    edits(*where).wrap(
        where->begin, where->end,
        "(" + question(*where, "answer", "not: " + text(*where)) + " != static_cast<bool>(", "))");
  }

  static const clang::Expr* as_expression(const clang::Stmt* statement) {
    const auto* expression = clang::dyn_cast_or_null<clang::Expr>(statement);
    return expression == nullptr ? nullptr : expression->IgnoreUnlessSpelledInSource();
  }
  static bool acts(const clang::Stmt* statement) {
    const clang::Expr* expression = as_expression(statement);
    if (expression == nullptr) return false;
    if (const auto* operation = clang::dyn_cast<clang::BinaryOperator>(expression))
      return operation->isAssignmentOp();
    if (const auto* operation = clang::dyn_cast<clang::UnaryOperator>(expression))
      return operation->isIncrementDecrementOp();
    return clang::isa<clang::CallExpr>(expression) || clang::isa<clang::CXXDeleteExpr>(expression);
  }
  // Whether leaving a statement out, or moving it, changes no more than what a human is told, or
  // how much memory is taken at once.
  bool only_tells(const clang::Stmt* statement) {
    const auto where = range(statement->getSourceRange());
    if (!where) return true;
    const std::string source = text(*where);
    return source.find(".info(LogTopic") != std::string::npos ||
           source.find("->info(LogTopic") != std::string::npos ||
           source.find(".reserve(") != std::string::npos;
  }
  void plant_call(const clang::Stmt* statement) {
    if (!acts(statement) || only_tells(statement)) return;
    const auto where = range(statement->getSourceRange());
    if (!where) return;
    edits(*where).wrap(where->begin, where->end,
                       question(*where, "call", "left out: " + text(*where)) +
                           " ? static_cast<void>(0) : static_cast<void>(",
                       ")");
  }

  // The function of ours that a statement calls, where it is no more than a call of one that
  // changes something: what may change places with its neighbour, if that calls another. Of
  // conditions, containers and two calls of one function the order is hardly ever what matters.
  std::string changes_by(const clang::Stmt* statement) {
    const auto* call = clang::dyn_cast_or_null<clang::CallExpr>(as_expression(statement));
    if (call == nullptr || clang::isa<clang::CXXOperatorCallExpr>(call) || only_tells(statement)) {
      return {};
    }
    const auto* callee = clang::dyn_cast_or_null<clang::FunctionDecl>(call->getCalleeDecl());
    if (callee == nullptr || callee->isInStdNamespace()) return {};
    const auto* method = clang::dyn_cast<clang::CXXMethodDecl>(callee);
    if (method != nullptr && (method->isConst() || method->getParent()->isInStdNamespace())) {
      return {};
    }
    return callee->getQualifiedNameAsString();
  }
  std::optional<Range> whole_statement(const clang::Stmt* statement) {
    auto where = range(statement->getSourceRange());
    if (!where) return where;
    const std::string& source = garden_.text_of(where->path);
    const auto semicolon = source.find_first_not_of(" \n", where->end);
    if (semicolon != std::string::npos && source[semicolon] == ';') {
      where->end = static_cast<unsigned>(semicolon) + 1;
    } else if (source[where->end - 1] != '}') {
      return std::nullopt;
    }
    return where;
  }
  void plant_order(const std::vector<const clang::Stmt*>& run) {
    std::vector<Range> places;
    for (const clang::Stmt* statement : run) {
      const auto where = whole_statement(statement);
      if (!where) return;
      places.push_back(*where);
    }
    if (places.size() < 2) return;
    std::string before;
    for (std::size_t i = 0; i + 1 < places.size(); ++i) {
      before +=
          "if (" + question(places[i], "order", "after the next: " + text(places[i])) + ") { ";
      for (std::size_t k = 0; k < places.size(); ++k) {
        before += on_one_line(text(places[k == i ? i + 1 : k == i + 1 ? i : k])) + " ";
      }
      before += "} else ";
    }
    edits(places[0]).wrap(places.front().begin, places.back().end, before + "{ ", " }");
  }
  // Comments to the line's end would swallow what follows.
  static std::string on_one_line(const std::string& source) {
    std::istringstream lines(source);
    std::string line, joined;
    while (std::getline(lines, line)) {
      const auto comment = line.find(" // ");
      const auto start = line.find_first_not_of(' ');
      if (start != std::string::npos && line.compare(start, 2, "//") == 0) continue;
      joined += (joined.empty() ? "" : " ") + line.substr(0, comment);
    }
    return joined;
  }

  void plant_no_loop(const clang::Stmt* body) {
    const auto* block = clang::dyn_cast_or_null<clang::CompoundStmt>(body);
    if (block == nullptr) return;
    const auto where = range(block->getSourceRange());
    if (!where) return;
    edits(*where).insert(where->begin + 1,
                         " if (" + question(*where, "loop", "never runs") + ") break;");
  }

  void plant_extreme(const clang::CallExpr* call) {
    const clang::FunctionDecl* callee = call->getDirectCallee();
    if (callee == nullptr || call->getNumArgs() != 2) return;
    const std::string name = callee->getQualifiedNameAsString();
    if (name != "std::max" && name != "std::min") return;
    const auto whole = range(call->getSourceRange());
    const auto named = range({call->getBeginLoc(), call->getBeginLoc()});
    if (!whole || !named || text(*whole).rfind(name, 0) != 0) return;
    const std::string& source = garden_.text_of(whole->path);
    const auto parenthesis = source.find('(', whole->begin);
    const std::string it = garden_.add(*whole, "extreme", text(*whole) + ", not the " + name);
    edits(*whole).replace(whole->begin, whole->begin + 3, "::tiercache_mutation");
    edits(*whole).insert(static_cast<unsigned>(parenthesis) + 1, it + ", ");
  }

  clang::ASTContext& context_;
  const clang::SourceManager& sources_;
  Garden& garden_;
  std::set<std::string> files_;
  std::map<clang::FileID, std::string> paths_;
  std::set<const clang::Expr*> whole_conditions_;
  bool answers_bool_ = false;
};

}  // namespace

void plant(clang::ASTContext& context, Garden& garden) {
  Planter planter(context, garden);
  planter.plant();
  garden.done_with(planter.files());
}

}  // namespace tiercache::mutation
