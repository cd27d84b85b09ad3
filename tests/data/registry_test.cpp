// SPDX-License-Identifier: Apache-2.0
#include "data/registry.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "data/formats/synthetic.hpp"

namespace mpdist::data {
namespace {

const Format& format_named(const std::string& name) {
  return *std::ranges::find_if(formats(), [&](const Format& format) { return format.name == name; });
}

TEST(Formats, HaveUniqueNamesAndDescribeTheirKeys) {
  std::set<std::string> names;
  for (const Format& format : formats()) {
    EXPECT_TRUE(names.insert(format.name).second) << format.name;
    EXPECT_FALSE(format.help.empty());
    Schema schema;
    const auto options = format.options();
    options->describe(schema);
    std::set<std::string> keys;
    for (const Key& key : schema.keys()) {
      EXPECT_TRUE(keys.insert(key.name).second) << key.name;
      EXPECT_FALSE(key.doc.help.empty()) << key.name;
    }
  }
  EXPECT_EQ(names, (std::set<std::string>{"cifar10", "hdf5", "idx", "images", "synthetic"}));
}

TEST(Formats, OpenWithTheirOwnOptions) {
  const Format& format = format_named("synthetic");
  const auto options = format.options();
  Schema schema;
  options->describe(schema);
  for (const Key& key : schema.keys()) {
    if (key.name == "test_size") *std::get<std::int64_t*>(key.value) = 77;
  }
  const Datasets sets = format.open(*options, "", 3);
  EXPECT_EQ(sets.test->size(), 77);
  EXPECT_EQ(sets.train->digest(), open_synthetic({}, 3).train->digest()) << "the seed is passed on";
}

TEST(Formats, IdxPassesThePathOn) {
  const Format& format = format_named("idx");
  EXPECT_THROW(format.open(*format.options(), "/nonexistent", 1), UsageError);
}

}  // namespace
}  // namespace mpdist::data
