// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

namespace mpdist::train {

/// The TOML of one config with the `--set table.key=value` overrides applied, and where every key came from. Keys are
/// named by their path, "optimizer.lr" or, in a list of tables, "optimizer.groups[0].pattern". An override replaces a
/// whole list, or a key of an element that the config has. Syntax errors are UsageError.
class ConfigSource {
 public:
  /// `origin` stands for the file in messages.
  ConfigSource(const std::string& text, std::string origin, const std::vector<std::string>& overrides);

  const toml::table& root() const { return root_; }
  /// The value of an override as it was typed; null for a key that the file gave.
  const std::string* override_text(const std::string& path) const;
  /// The value at a path; null where there is none.
  const toml::node* find(std::string_view path) const;
  bool contains(std::string_view path) const { return find(path) != nullptr; }

  /// Where a value came from: "train.toml:12:7" or "--set optimizer.lr=x"; of the table around it where there is none.
  std::string place(const std::string& path) const;
  /// Throws UsageError "train.toml:12:7: optimizer.lr: problem", or "--set optimizer.lr=x: ...", pointing at the value;
  /// at the table that should have it where there is none.
  [[noreturn]] void fail(const std::string& path, std::string_view problem) const;
  /// The same, pointing at the key.
  [[noreturn]] void fail_at_key(const std::string& path, const toml::key& key, std::string_view problem) const;

 private:
  struct Override {
    std::string argument, value;  ///< "optimizer.lr=x", "x"
  };
  void apply(const std::string& argument);
  std::string place(const std::string& path, const toml::source_region& region) const;

  std::string origin_;
  toml::table root_;
  std::map<std::string, Override> overrides_;
};

}  // namespace mpdist::train
