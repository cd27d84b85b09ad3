// SPDX-License-Identifier: Apache-2.0
#include "src/train/schema_toml.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "src/train/suggest.hpp"

namespace mpdist::train {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

/// What was found, for a message: "the string 'abc'", "a table".
std::string found_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return fmt::format("the string '{}'", text->get());
  if (node.is_table()) return "a table";
  if (node.is_array()) return "a list";
  std::ostringstream out;
  node.visit([&](const auto& value) { out << value; });
  return out.str();
}

std::string joined(const std::vector<std::string>& words) {
  return words.empty() ? "" : fmt::format("'{}'", fmt::join(words, "', '"));
}

bool is_power_of_two(double value) {
  int exponent = 0;
  return value > 0 && std::frexp(value, &exponent) == 0.5;
}

/// Reads one node into variables of one key; remembers who asks, for the messages.
class Reader {
 public:
  Reader(std::string path, const Key& key, const ConfigSource& source)
      : path_(std::move(path)), key_(key), source_(source) {}

  void read(const toml::node& node, bool& value) const {
    if (!node.is_boolean()) wrong_type("true or false", node);
    value = node.as_boolean()->get();
  }

  void read(const toml::node& node, std::int64_t& value) const {
    if (!node.is_integer()) wrong_type("an integer", node);
    const std::int64_t number = node.as_integer()->get();
    check_number(static_cast<double>(number), fmt::to_string(number));
    value = number;
  }

  void read(const toml::node& node, double& value) const {
    if (!node.is_number()) wrong_type("a number", node);
    // toml++ has no double for integers beyond 2^53
    const double number =
        node.is_integer() ? static_cast<double>(node.as_integer()->get()) : node.as_floating_point()->get();
    check_number(number, found_text(node));
    value = number;
  }

  void read(const toml::node& node, std::string& value) const {
    const std::string* typed = source_.override_text(path_);
    const bool bare = typed && !node.is_string() && !node.is_array() && !node.is_table();
    if (!bare && !node.is_string()) wrong_type("a string", node);
    const std::string text = bare ? *typed : node.as_string()->get();
    check_word(text, key_.doc.allowed);
    value = text;
  }

  void read(const toml::node& node, NumberOrWord& value) const {
    NumberOrWord read_value;
    if (node.is_string()) {
      read_value.word = node.as_string()->get();
      check_word(read_value.word, key_.doc.words);
    } else {
      if (!node.is_number()) wrong_type(fmt::format("a number or one of {}", joined(key_.doc.words)), node);
      read(node, read_value.number);
    }
    value = read_value;
  }

  void read(const toml::node& node, TableList& value) const {
    const toml::array* array = node.as_array();
    if (!array) wrong_type(fmt::format("a list of tables, each below [[{}]]", path_), node);
    value.elements.assign(array->size(), {});
    for (std::size_t i = 0; i < array->size(); ++i) {
      const std::string path = fmt::format("{}[{}]", path_, i);
      if (!(*array)[i].is_table()) {
        source_.fail(path,
                     fmt::format("expected a table, as one below [[{}]]; found {}", path_, found_text((*array)[i])));
      }
      TableList::Element& element = value.elements[i];
      element.place = source_.place(path);
      if (!value.selector().empty()) read_key(path, value.schema_of(element).keys().front(), source_);
      for (const TableList::Kind& kind : value.kinds()()) {
        if (kind.name == element.kind) element.options = kind.options();
      }
      read_table(path, value.schema_of(element), source_);
    }
  }

  template <class T>
  void read(const toml::node& node, std::vector<T>& value) const {
    const toml::array* array = node.as_array();
    if (!array) wrong_type("a list", node);
    if (key_.doc.length != 0 && array->size() != key_.doc.length) {
      source_.fail(path_, fmt::format("expected {} values, found {}", key_.doc.length, array->size()));
    }
    std::vector<T> values(array->size());
    for (std::size_t i = 0; i < values.size(); ++i) read((*array)[i], values[i]);
    if (!key_.doc.allowed.empty() && std::set<T>(values.begin(), values.end()).size() != values.size()) {
      source_.fail(path_, "expected each word at most once");
    }
    value = values;
  }

 private:
  [[noreturn]] void wrong_type(std::string_view expected, const toml::node& node) const {
    source_.fail(path_, fmt::format("expected {}, found {}", expected, found_text(node)));
  }

  void check_number(double number, const std::string& found) const {
    const KeyDoc& doc = key_.doc;
    const bool low = number < doc.minimum || (doc.minimum_excluded && number == doc.minimum);
    const bool high = number > doc.maximum || (doc.maximum_excluded && number == doc.maximum);
    if (!std::isfinite(number)) source_.fail(path_, fmt::format("expected a finite number, found {}", found));
    if (low || high || (doc.power_of_two && !is_power_of_two(number))) {
      source_.fail(path_, fmt::format("expected a value {}, found {}", allowed_text(doc), found));
    }
  }

  void check_word(const std::string& word, const std::vector<std::string>& allowed) const {
    if (allowed.empty() || std::find(allowed.begin(), allowed.end(), word) != allowed.end()) return;
    const std::string near = nearest(word, allowed);
    source_.fail(path_, fmt::format("expected one of {}, found '{}'{}", joined(allowed), word,
                                    near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
  }

  std::string path_;
  const Key& key_;
  const ConfigSource& source_;
};

std::string number_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

/// "{pattern = "*", lr_scale = 0.1}"
std::string element_text(const TableList& list, TableList::Element element) {
  std::vector<std::string> texts;
  const Schema schema = list.schema_of(element);
  for (const Key& key : schema.keys()) texts.push_back(fmt::format("{} = {}", key.name, value_text(key)));
  return fmt::format("{{{}}}", fmt::join(texts, ", "));
}

template <class T, class F>
std::string list_text(const std::vector<T>& values, F element_text) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const T& value : values) texts.push_back(element_text(value));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

}  // namespace

void read_key(const std::string& table, const Key& key, const ConfigSource& source) {
  const std::string path = table + "." + key.name;
  const toml::node* node = source.find(path);
  if (!node) {
    if (!key.doc.required) return;
    const std::string allowed =
        key.doc.allowed.empty() ? "" : fmt::format(" (known: {})", fmt::join(key.doc.allowed, ", "));
    source.fail(path, "missing; it has no default" + allowed);
  }
  std::visit([&](auto* value) { Reader(path, key, source).read(*node, *value); }, key.value);
}

void read_table(const std::string& table, const Schema& schema, const ConfigSource& source) {
  std::vector<std::string> known;
  for (const Key& key : schema.keys()) known.push_back(key.name);
  if (const toml::node* values = source.find(table)) {
    for (const auto& [name, node] : *values->as_table()) {
      if (std::find(known.begin(), known.end(), name.str()) != known.end()) continue;
      source.fail_at_key(fmt::format("{}.{}", table, name.str()), name, "unknown key" + suggestion(name.str(), known));
    }
  }
  for (const Key& key : schema.keys()) read_key(table, key, source);
}

std::string keys_text(const std::string& table, const Schema& schema) {
  std::string text, lists;
  for (const Key& key : schema.keys()) {
    TableList* const* list = std::get_if<TableList*>(&key.value);
    if (!list || (*list)->elements.empty()) {
      text += fmt::format("{} = {}\n", key.name, value_text(key));
      continue;
    }
    const std::string name = table + "." + key.name;
    for (TableList::Element& element : (*list)->elements) {
      lists += fmt::format("\n[[{}]]\n{}", name, keys_text(name, (*list)->schema_of(element)));
    }
  }
  return text + lists;
}

std::string value_text(const Key& key) {
  const auto integer = [](std::int64_t value) { return fmt::to_string(value); };
  return std::visit(Overloaded{
                        [](const bool* value) { return std::string(*value ? "true" : "false"); },
                        [&](const std::int64_t* value) { return integer(*value); },
                        [](const double* value) { return number_text(*value); },
                        [](const std::string* value) { return quoted(*value); },
                        [](const NumberOrWord* value) {
                          return value->word.empty() ? number_text(value->number) : quoted(value->word);
                        },
                        [&](const std::vector<std::int64_t>* value) { return list_text(*value, integer); },
                        [](const std::vector<double>* value) { return list_text(*value, number_text); },
                        [](const std::vector<std::string>* value) { return list_text(*value, quoted); },
                        [](const TableList* value) {
                          return list_text(value->elements, [&](const auto& e) { return element_text(*value, e); });
                        },
                    },
                    key.value);
}

std::string_view type_text(const Key& key) {
  constexpr std::string_view kTypes[] = {"boolean",         "integer",         "number",
                                         "string",          "number or word",  "list of integers",
                                         "list of numbers", "list of strings", "list of tables"};
  return kTypes[key.value.index()];
}

std::string allowed_text(const KeyDoc& doc) {
  if (!doc.allowed.empty()) return "one of " + joined(doc.allowed);
  std::vector<std::string> parts;
  const bool low = std::isfinite(doc.minimum), high = std::isfinite(doc.maximum);
  if (low && high) {
    parts.push_back(fmt::format("in {}{}, {}{}", doc.minimum_excluded ? "(" : "[", doc.minimum, doc.maximum,
                                doc.maximum_excluded ? ")" : "]"));
  } else if (low) {
    parts.push_back(fmt::format("{} {}", doc.minimum_excluded ? ">" : ">=", doc.minimum));
  } else if (high) {
    parts.push_back(fmt::format("{} {}", doc.maximum_excluded ? "<" : "<=", doc.maximum));
  }
  if (doc.power_of_two) parts.push_back("a power of two");
  if (!doc.words.empty()) parts.push_back("or " + joined(doc.words));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace mpdist::train
