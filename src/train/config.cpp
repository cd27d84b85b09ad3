// SPDX-License-Identifier: Apache-2.0
#include "src/train/config.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include <fmt/format.h>

#include "src/core/error.hpp"
#include "src/train/config_tables.hpp"
#include "src/train/config_validate.hpp"
#include "src/train/registry.hpp"
#include "src/train/schema_toml.hpp"
#include "src/train/suggest.hpp"

namespace mpdist::train {
namespace {

/// Refuses tables that nobody reads, and values where a table belongs.
void check_tables(const std::vector<Table>& all, const ConfigSource& source) {
  std::vector<std::string> known;
  known.reserve(all.size());
  for (const Table& table : all) known.push_back(table.name);
  for (const auto& [name, node] : source.root()) {
    const std::string path(name.str());
    if (std::find(known.begin(), known.end(), path) != known.end()) {
      if (!node.is_table()) source.fail_at_key(path, name, fmt::format("expected a table, [{}]", path));
      continue;
    }
    for (const Table& table : all) {
      for (const Key& key : table.schema.keys()) {
        if (!node.is_table() && key.name == path) {
          source.fail_at_key(path, name, fmt::format("stands outside any table; it belongs below [{}]", table.name));
        }
      }
    }
    source.fail_at_key(path, name, (node.is_table() ? "unknown table" : "unknown key") + suggestion(path, known));
  }
}

/// Reads the words that select models, formats, ... and makes their options, so that their keys are known.
void select(Config& config, const ConfigSource& source) {
  for (const Choice& choice : choices(config)) {
    const Key name{choice.key,
                   &choice.selected->name,
                   {.help = {}, .allowed = choice.names(), .required = choice.selected->name.empty()}};
    read_key(choice.table, name, source);
    choice.selected->options = entry_named(choice.entries, choice.selected->name).options();
  }
}

/// An override of one of run.epochs and run.steps stands for both, so that `--set run.steps=50` shortens any run.
std::vector<std::string> with_one_length(const std::vector<std::string>& overrides) {
  const auto sets = [&](std::string_view key) {
    return std::any_of(overrides.begin(), overrides.end(), [&](const std::string& o) { return o.starts_with(key); });
  };
  std::vector<std::string> all = overrides;
  if (sets("run.steps=") && !sets("run.epochs=")) all.push_back("run.epochs=0");
  if (sets("run.epochs=") && !sets("run.steps=")) all.push_back("run.steps=0");
  return all;
}

/// The lines of a table's keys and, below a list of tables, of its elements' keys of every kind. `outer`: the lists
/// around this table; where a list stands in an element of its own kinds, they are not told again.
void append_lines(std::vector<KeyLine>& lines, const std::string& table, const std::string& owner, const Schema& schema,
                  const std::vector<TableList::Kinds>& outer = {}) {
  for (const Key& key : schema.keys()) {
    lines.push_back({.key = table + "." + key.name,
                     .owner = owner,
                     .type = std::string(type_text(key)),
                     .default_value = key.doc.required ? "" : value_text(key),
                     .unit = key.doc.unit,
                     .allowed = allowed_text(key.doc),
                     .help = key.doc.help,
                     .resume_may_change = key.doc.resume_may_change});
    TableList* const* list = std::get_if<TableList*>(&key.value);
    if (!list || std::find(outer.begin(), outer.end(), (*list)->kinds()) != outer.end()) continue;
    std::vector<TableList::Kinds> around = outer;
    around.push_back((*list)->kinds());
    const std::string element_table = table + "." + key.name + "[]";
    TableList::Element none;
    append_lines(lines, element_table, owner, (*list)->schema_of(none));  // the selector, if there is one
    for (const TableList::Kind& kind : (*list)->kinds()()) {
      const std::unique_ptr<Options> options = kind.options();
      Schema own;
      options->describe(own);
      const std::string separator = owner.empty() || kind.name.empty() ? "" : ": ";
      append_lines(lines, element_table, owner + separator + kind.name, own, around);
    }
  }
}

/// One value of the config; a list of tables stands as its length, then each element's values.
struct FlatValue {
  std::string path, text;
  bool resume_may_change = false;
};

void flatten(std::vector<FlatValue>& all, const std::string& table, const Schema& schema, bool may_change) {
  for (const Key& key : schema.keys()) {
    const std::string path = table + "." + key.name;
    const bool key_may_change = may_change || key.doc.resume_may_change;
    TableList* const* list = std::get_if<TableList*>(&key.value);
    if (!list) {
      all.push_back({path, value_text(key), key_may_change});
      continue;
    }
    std::vector<TableList::Element>& elements = (*list)->elements;
    all.push_back({path, fmt::format("{} table{}", elements.size(), elements.size() == 1 ? "" : "s"), key_may_change});
    for (std::size_t i = 0; i < elements.size(); ++i) {
      flatten(all, fmt::format("{}[{}]", path, i), (*list)->schema_of(elements[i]), key_may_change);
    }
  }
}

std::vector<FlatValue> flat_values(const Config& config) {
  Config copy = config;  // a schema binds variables that may be written; this one is only read
  std::vector<FlatValue> all;
  for (const Table& table : tables(copy)) flatten(all, table.name, table.schema, false);
  return all;
}

}  // namespace

std::string read_config_text(const std::string& path) {
  constexpr std::size_t kLargest = 1 << 20;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    throw UsageError(path + ": expected a config file, found a directory");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UsageError(fmt::format("{}: cannot read the config: {}", path, std::strerror(errno)));
  std::string text(kLargest + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (file.bad()) throw UsageError(path + ": cannot read the config");
  if (text.size() > kLargest) throw UsageError(path + ": larger than 1 MiB; expected a config in TOML");
  if (text.find('\0') != std::string::npos) throw UsageError(path + ": a binary file; expected a config in TOML");
  return text;
}

Config parse_config(const std::string& text, const std::string& origin, const std::vector<std::string>& overrides) {
  const ConfigSource source(text, origin, with_one_length(overrides));
  Config config;
  check_tables(tables(config), source);
  select(config, source);
  for (const Table& table : tables(config)) read_table(table.name, table.schema, source);
  validate(config, source);
  return config;
}

std::string to_toml(const Config& config) {
  Config copy = config;
  std::string text;
  for (const Table& table : tables(copy)) {
    text += fmt::format("{}[{}]\n{}", text.empty() ? "" : "\n", table.name, keys_text(table.name, table.schema));
  }
  return text;
}

std::vector<std::pair<std::string, std::string>> key_values(const Config& config) {
  std::vector<std::pair<std::string, std::string>> values;
  for (const FlatValue& value : flat_values(config)) values.emplace_back(value.path, value.text);
  return values;
}

std::vector<std::string> fixed_differences(const Config& saved, const Config& now) {
  const auto before_all = key_values(saved);
  const std::map<std::string, std::string> saved_values(before_all.begin(), before_all.end());
  std::vector<std::string> differences;
  for (const FlatValue& value : flat_values(now)) {
    // None: an own key of another choice, or of an element that was not there; the choice's or the list's line tells.
    const auto before = saved_values.find(value.path);
    if (value.resume_may_change || before == saved_values.end() || before->second == value.text) continue;
    differences.push_back(
        fmt::format("{}: {} in the checkpoint, {} in the config", value.path, before->second, value.text));
  }
  return differences;
}

std::vector<KeyLine> all_keys() {
  Config config;
  std::vector<KeyLine> lines;
  const std::vector<Choice> selectable = choices(config);
  for (const Table& table : tables(config)) {
    append_lines(lines, table.name, "", table.schema);
    for (const Choice& choice : selectable) {
      if (choice.table != table.name) continue;
      for (const Choice::Entry& entry : choice.entries) {
        const std::unique_ptr<Options> options = entry.options();
        Schema own;
        options->describe(own);
        append_lines(lines, table.name, entry.name, own);
      }
    }
  }
  return lines;
}

std::string RunConfig::output_directory() const {
  std::string directory = output;
  const std::string placeholder = "{name}";
  for (std::size_t at = 0; (at = directory.find(placeholder, at)) != std::string::npos; at += name.size()) {
    directory.replace(at, placeholder.size(), name);
  }
  return directory;
}

DType PrecisionConfig::compute_type() const {
  if (compute == "fp16") return DType::fp16;
  return compute == "bf16" ? DType::bf16 : DType::fp32;
}

precision::LossScalerOptions PrecisionConfig::scaler_options() const {
  precision::LossScalerOptions options = scaler;
  options.dynamic = compute_type() == DType::fp16 && loss_scale.word == "dynamic";
  if (!options.dynamic) options.initial = compute_type() == DType::fp16 ? loss_scale.number : 1.0;
  return options;
}

DType CommConfig::wire_type(DType compute) const {
  if (wire == "auto") return compute == DType::fp16 ? DType::fp16 : DType::fp32;
  if (wire == "fp16") return DType::fp16;
  return wire == "bf16" ? DType::bf16 : DType::fp32;
}

}  // namespace mpdist::train
