// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "src/core/schema.hpp"
#include "src/train/config_source.hpp"

namespace mpdist::train {

/// Reads the keys of one table ("optimizer", "optimizer.groups[0]") into the variables of its schema. UsageError for an
/// unknown key (with the nearest known one), a missing required key, a wrong type, a value out of range or not allowed.
/// A whole number is fine for a key that takes fractions, not the reverse; NaN and infinity are refused. In an
/// override, a string key takes its text without quotes.
void read_table(const std::string& table, const Schema& schema, const ConfigSource& source);

/// Reads one key if it is there; UsageError as above.
void read_key(const std::string& table, const Key& key, const ConfigSource& source);

/// The present values of all keys of [table] as TOML, a line each, then the elements of its lists below [[table.list]].
std::string keys_text(const std::string& table, const Schema& schema);
/// The key's present value as TOML in one line: `0.1`, `"fp16"`, `[32, 64]`, `[{pattern = "*"}]`. Numbers are the
/// shortest text that reads back as the same bits.
std::string value_text(const Key& key);
/// "integer", "number", "string", "number or word", "list of integers", ...
std::string_view type_text(const Key& key);
/// What values are allowed: "> 0", "in [0, 1)", "one of 'a', 'b'"; empty when all of the type are.
std::string allowed_text(const KeyDoc& doc);

/// `text` as a TOML basic string.
std::string quoted(std::string_view text);

}  // namespace mpdist::train
