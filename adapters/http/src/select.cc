#include "select.h"

#include <simdjson.h>

#include <charconv>
#include <span>
#include <stdexcept>

namespace tiercache::http {

namespace ondemand = simdjson::ondemand;
using simdjson::error_code;

namespace {

constexpr std::size_t kMostTokens = 64;

// Throws an error of simdjson's from where it was found.
void check(error_code error) {
  if (error != simdjson::SUCCESS) {
    throw std::runtime_error(std::string("the answer is not valid JSON: ") +
                             simdjson::error_message(error));
  }
}

std::string unescaped(std::string_view token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      text += token[i];
      continue;
    }
    const char next = ++i < token.size() ? token[i] : '\0';
    if (next != '0' && next != '1') throw std::invalid_argument("'~' must be written ~0, '/' ~1");
    text += next == '0' ? '~' : '/';
  }
  return text;
}

// Nullopt for a token that is not an index: "-", "01", a name.
std::optional<std::size_t> index_of(const std::string& token) {
  if (token.size() > 1 && token.front() == '0') return std::nullopt;
  std::size_t index = 0;
  const char* end = token.data() + token.size();
  const auto [rest, error] = std::from_chars(token.data(), end, index);
  if (error != std::errc() || rest != end) return std::nullopt;
  return index;
}

// Walks to the part, and then on to the end, so that nothing around the part is believed without
// having been read.
class Search {
 public:
  std::optional<std::string> run(std::string_view document, std::span<const std::string> tokens) {
    const simdjson::padded_string padded(document);
    ondemand::parser parser;
    ondemand::document root;
    check(parser.iterate(padded).get(root));
    ondemand::json_type type{};
    check(root.type().get(type));
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      check(root.get_object().get(object));
      in_object(object, tokens);
    } else if (type == ondemand::json_type::array) {
      ondemand::array array;
      check(root.get_array().get(array));
      in_array(array, tokens);
    } else {
      return std::nullopt;
    }
    if (root.current_location().error() != simdjson::OUT_OF_BOUNDS) {
      throw std::runtime_error("the answer is more than one JSON value");
    }
    return std::move(found_);
  }

 private:
  void in_value(ondemand::value value, std::span<const std::string> tokens) {
    ondemand::json_type type{};
    check(value.type().get(type));
    if (tokens.empty()) return take(value, type);
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      check(value.get_object().get(object));
      in_object(object, tokens);
    } else if (type == ondemand::json_type::array) {
      ondemand::array array;
      check(value.get_array().get(array));
      in_array(array, tokens);
    }
  }

  void in_object(ondemand::object object, std::span<const std::string> tokens) {
    bool seen = false;
    for (auto item : object) {
      ondemand::field field;
      check(std::move(item).get(field));
      std::string_view name;
      check(field.unescaped_key().get(name));
      if (name != tokens.front()) continue;
      if (seen) throw std::runtime_error("the answer names a selected member twice");
      seen = true;
      in_value(field.value(), tokens.subspan(1));
    }
  }

  void in_array(ondemand::array array, std::span<const std::string> tokens) {
    const auto wanted = index_of(tokens.front());
    std::size_t index = 0;
    for (auto item : array) {
      ondemand::value value;
      check(std::move(item).get(value));
      if (index++ == wanted) in_value(value, tokens.subspan(1));
    }
  }

  void take(ondemand::value value, ondemand::json_type type) {
    std::string_view text;
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      check(value.get_object().get(object));
      check(object.raw_json().get(text));
    } else if (type == ondemand::json_type::array) {
      ondemand::array array;
      check(value.get_array().get(array));
      check(array.raw_json().get(text));
    } else {
      text = value.raw_json_token();
    }
    // The token of a scalar includes the white space behind it.
    text.remove_suffix(text.size() - 1 - text.find_last_not_of(" \t\r\n"));
    found_ = std::string(text);
  }

  std::optional<std::string> found_;
};

}  // namespace

JsonPointer::JsonPointer(std::string_view text) {
  if (text.empty()) return;
  if (!text.starts_with('/')) throw std::invalid_argument("a JSON pointer begins with '/'");
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::size_t end = std::min(text.find('/'), text.size());
    tokens_.push_back(unescaped(text.substr(0, end)));
    text.remove_prefix(end);
  }
  if (tokens_.size() > kMostTokens) throw std::invalid_argument("more than 64 steps");
}

std::optional<std::string> JsonPointer::find_in(std::string_view document) const {
  if (tokens_.empty()) return std::string(document);
  return Search().run(document, tokens_);
}

}  // namespace tiercache::http
