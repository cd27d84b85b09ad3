// SPDX-License-Identifier: Apache-2.0
#include "src/train/config_source.hpp"

#include <charconv>

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

/// The node at "optimizer.groups[0].pattern"; null where there is none.
template <class Node>
Node* walk(Node* node, std::string_view path) {
  while (node && !path.empty()) {
    const std::size_t end = std::min(path.find_first_of(".[", 1), path.size());
    const std::string_view part = path.substr(0, end);
    if (part.front() == '[') {
      std::size_t index = 0;
      if (part.size() < 3) return nullptr;  // at least "[0]"
      const char* last = part.data() + part.size() - 1;
      const auto [stop, error] = std::from_chars(part.data() + 1, last, index);
      auto* array = node->as_array();
      node = array && error == std::errc() && stop == last && *last == ']' ? array->get(index) : nullptr;
    } else {
      auto* table = node->as_table();
      node = table ? table->get(part.substr(part.front() == '.' ? 1 : 0)) : nullptr;
    }
    path.remove_prefix(end);
  }
  return node;
}

/// Whether `path` is the value at `outer` or lies in it.
bool covers(std::string_view outer, std::string_view path) {
  return path.starts_with(outer) &&
         (path.size() == outer.size() || path[outer.size()] == '.' || path[outer.size()] == '[');
}

}  // namespace

ConfigSource::ConfigSource(const std::string& text, std::string origin, const std::vector<std::string>& overrides)
    : origin_(std::move(origin)), root_(parse(text, origin_)) {
  for (const std::string& argument : overrides) apply(argument);
}

void ConfigSource::apply(const std::string& argument) {
  const std::size_t equals = argument.find('=');
  const std::string path = argument.substr(0, equals);
  const std::size_t last = path.rfind('.');
  const bool in_element = last != std::string::npos && path.find('[') < last;
  const std::size_t dot = in_element ? last : path.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot == 0 || dot + 1 >= equals) {
    throw UsageError(fmt::format("--set {}: expected table.key=value, as --set optimizer.lr=0.05", argument));
  }
  const std::string table = path.substr(0, dot), value = argument.substr(equals + 1);
  toml::table parsed = parse_value(argument, value);
  if (!in_element && !root_.contains(table)) root_.insert(table, toml::table());
  toml::node* found = walk<toml::node>(&root_, table);
  if (in_element && !(found && found->is_table())) {
    throw UsageError(fmt::format("--set {}: the config has no {}; expected an element that it has, counted from 0",
                                 argument, table));
  }
  std::erase_if(overrides_, [&](const auto& earlier) { return covers(path, earlier.first); });
  overrides_[path] = {argument, value};
  if (found && found->is_table()) found->as_table()->insert_or_assign(path.substr(dot + 1), *parsed.get("value"));
}

const std::string* ConfigSource::override_text(const std::string& path) const {
  const auto found = overrides_.find(path);
  return found == overrides_.end() ? nullptr : &found->second.value;
}

const toml::node* ConfigSource::find(std::string_view path) const {
  return walk<const toml::node>(&root_, path);
}

std::string ConfigSource::place(const std::string& path, const toml::source_region& region) const {
  const Override* inner = nullptr;  // sorted by path: the last that covers is the innermost
  for (const auto& [at, override] : overrides_) {
    if (covers(at, path)) inner = &override;
  }
  if (inner) return "--set " + inner->argument;
  if (region.begin.line == 0) {  // a default, or a table that an override made
    const auto first = overrides_.lower_bound(path + ".");
    const bool made =
        path.find('.') == std::string::npos && first != overrides_.end() && first->first.starts_with(path + ".");
    return made ? "--set " + first->second.argument : origin_;
  }
  return fmt::format("{}:{}:{}", origin_, region.begin.line, region.begin.column);
}

std::string ConfigSource::place(const std::string& path) const {
  std::string_view at = path;
  while (!at.empty() && !find(at)) {
    const std::size_t end = at.find_last_of(".[");
    at = at.substr(0, end == std::string_view::npos ? 0 : end);
  }
  return place(path, at.empty() ? toml::source_region{} : find(at)->source());
}

void ConfigSource::fail(const std::string& path, std::string_view problem) const {
  throw UsageError(fmt::format("{}: {}: {}", place(path), path, problem));
}

void ConfigSource::fail_at_key(const std::string& path, const toml::key& key, std::string_view problem) const {
  throw UsageError(fmt::format("{}: {}: {}", place(path, key.source()), path, problem));
}

}  // namespace mpdist::train
