// SPDX-License-Identifier: Apache-2.0
#include "src/train/config_source.hpp"

#include <fmt/format.h>

#include "src/core/error.hpp"
#include "src/train/schema_toml.hpp"

namespace mpdist::train {
namespace {

toml::table parse(const std::string& text, const std::string& origin) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    const toml::source_position at = error.source().begin;
    throw UsageError(fmt::format("{}:{}:{}: {}", origin, at.line, at.column, error.description()));
  }
}

/// The value of an override: TOML, or a bare word, which is a string ("runs/a", "fp16").
toml::table parse_value(const std::string& argument, const std::string& value) {
  try {
    toml::table table = toml::parse("value = " + value + "\n");
    if (table.size() == 1) return table;
  } catch (const toml::parse_error& error) {
    const bool meant_as_toml =
        !value.empty() && std::string_view("\"'[{").find(value.front()) != std::string_view::npos;
    if (meant_as_toml) throw UsageError(fmt::format("--set {}: {}", argument, error.description()));
  }
  return parse("value = " + quoted(value), "--set " + argument);
}

}  // namespace

ConfigSource::ConfigSource(const std::string& text, std::string origin, const std::vector<std::string>& overrides)
    : origin_(std::move(origin)), root_(parse(text, origin_)) {
  for (const std::string& argument : overrides) apply(argument);
}

void ConfigSource::apply(const std::string& argument) {
  const std::size_t equals = argument.find('=');
  const std::size_t dot = argument.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot == 0 || dot + 1 >= equals) {
    throw UsageError(fmt::format("--set {}: expected table.key=value, as --set optimizer.lr=0.05", argument));
  }
  const std::string table = argument.substr(0, dot);
  const std::string key = argument.substr(dot + 1, equals - dot - 1);
  const std::string value = argument.substr(equals + 1);
  toml::table parsed = parse_value(argument, value);
  if (!root_.contains(table)) root_.insert(table, toml::table());
  overrides_[table + "." + key] = {argument, value};
  if (toml::table* found = root_.get_as<toml::table>(table)) found->insert_or_assign(key, *parsed.get("value"));
}

const std::string* ConfigSource::override_text(const std::string& path) const {
  const auto found = overrides_.find(path);
  return found == overrides_.end() ? nullptr : &found->second.value;
}

const toml::node* ConfigSource::find(const std::string& path) const {
  const std::size_t dot = path.find('.');
  const toml::node* node = root_.get(path.substr(0, dot));
  if (dot == std::string::npos || !node) return node;
  const toml::table* table = node->as_table();
  return table ? table->get(path.substr(dot + 1)) : nullptr;
}

std::string ConfigSource::place(const std::string& path, const toml::source_region& region) const {
  const auto found = overrides_.find(path);
  if (found != overrides_.end()) return "--set " + found->second.argument;
  if (region.begin.line == 0) {  // a default, or a table that an override made
    const auto first = overrides_.lower_bound(path + ".");
    const bool made =
        path.find('.') == std::string::npos && first != overrides_.end() && first->first.starts_with(path + ".");
    return made ? "--set " + first->second.argument : origin_;
  }
  return fmt::format("{}:{}:{}", origin_, region.begin.line, region.begin.column);
}

void ConfigSource::fail(const std::string& path, std::string_view problem) const {
  const toml::node* node = find(path);
  throw UsageError(
      fmt::format("{}: {}: {}", place(path, node ? node->source() : toml::source_region{}), path, problem));
}

void ConfigSource::fail_at_key(const std::string& path, const toml::key& key, std::string_view problem) const {
  throw UsageError(fmt::format("{}: {}: {}", place(path, key.source()), path, problem));
}

}  // namespace mpdist::train
