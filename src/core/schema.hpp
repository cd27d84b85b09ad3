// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
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

/// One key bound to the variable that holds its value; the variable's value before parsing is the default.
struct Key {
  std::string name;
  std::variant<bool*, std::int64_t*, double*, std::string*, NumberOrWord*, std::vector<std::int64_t>*,
               std::vector<double>*, std::vector<std::string>*>
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

}  // namespace mpdist
