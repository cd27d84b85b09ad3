// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace mpdist {

/// What one config key is, beside its name and its place in a struct.
struct KeyDoc {
  std::string help;                       ///< one line
  std::string unit = {};                  ///< "s", "MiB"; empty where it has none
  std::vector<std::string> allowed = {};  ///< the allowed words of a string key; empty: any
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  bool minimum_excluded = false;  ///< the value must be above `minimum`
  bool power_of_two = false;
  bool required = false;
  bool resume_may_change = false;       ///< a resumed run may use another value
  bool maximum_excluded = false;        ///< the value must be below `maximum`
  std::size_t length = 0;               ///< exact number of elements of a list; 0: any
  std::vector<std::string> words = {};  ///< words that a numeric-or-word key (Word) takes beside a number
};

/// A key that is a number or one of a few words, as loss_scale = "dynamic" | 1024.0. `word` is empty where it is a
/// number.
struct NumberOrWord {
  double number = 0;
  std::string word;
  bool operator==(const NumberOrWord&) const = default;
};

struct Options;
class Schema;

/// A list of tables, as [[optimizer.groups]]. Each element has the keys of its own Options. Where there are several
/// kinds of elements, the element's key `selector` ("type") chooses one by name. Options of a kind may hold a TableList
/// again. Copies share the elements.
class TableList {
 public:
  struct Kind {
    std::string name;
    std::function<std::unique_ptr<Options>()> options;
  };
  struct Element {
    std::string kind;
    std::shared_ptr<Options> options;
    std::string place;  ///< where the config has it, "train.toml:12:1"; empty without a config
  };
  /// A function and no vector, so that a list may stand in the options of its own kinds.
  using Kinds = const std::vector<Kind>& (*)();

  TableList(std::string selector, Kinds every) : selector_(std::move(selector)), kinds_(every) {}
  /// A list whose elements are all a T.
  template <class T>
  static TableList of() {
    return {"", +[]() -> const std::vector<Kind>& {
              static const std::vector<Kind> only = {{"", [] { return std::make_unique<T>(); }}};
              return only;
            }};
  }

  const std::string& selector() const { return selector_; }  ///< empty: one kind
  Kinds kinds() const { return kinds_; }
  /// The keys of one element, the selector first. Valid as long as the element.
  Schema schema_of(Element& element) const;

  std::vector<Element> elements = {};

 private:
  std::string selector_;
  Kinds kinds_;
};

/// One key bound to the variable that holds its value; the variable's value before parsing is the default.
struct Key {
  std::string name;
  std::variant<bool*, std::int64_t*, double*, std::string*, NumberOrWord*, std::vector<std::int64_t>*,
               std::vector<double>*, std::vector<std::string>*, TableList*>
      value;
  KeyDoc doc;
};

/// The keys of one config table. An options struct lists its keys once, in `describe(Schema&)`; parsing, printing,
/// range checks and help all read that list.
class Schema {
 public:
  template <class T>
  Schema& key(std::string name, T& value, KeyDoc doc) {
    keys_.push_back({std::move(name), &value, std::move(doc)});
    return *this;
  }
  const std::vector<Key>& keys() const { return keys_; }

 private:
  std::vector<Key> keys_;
};

/// Keys that belong to one model, data format, optimizer or schedule. Derived structs add members and describe them.
struct Options {
  virtual ~Options() = default;
  virtual void describe(Schema& schema) = 0;
};

inline Schema TableList::schema_of(Element& element) const {
  Schema schema;
  if (!selector_.empty()) {
    KeyDoc doc{.help = "selects the element's own keys", .required = true};
    for (const Kind& kind : kinds_()) doc.allowed.push_back(kind.name);
    schema.key(selector_, element.kind, std::move(doc));
  }
  if (element.options) element.options->describe(schema);
  return schema;
}

}  // namespace mpdist
