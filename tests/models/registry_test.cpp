// SPDX-License-Identifier: Apache-2.0
#include "src/models/registry.hpp"

#include <gtest/gtest.h>

#include "tests/support/model.hpp"

namespace mpdist {
namespace {

struct OwnOptions : Options {
  std::int64_t width = 3;
  void describe(Schema& schema) override { schema.key("width", width, {.help = "of the layer"}); }
};

struct OwnModel : models::Model {
  OwnModel(const OwnOptions& options, ParameterStore& store, Shape image, std::int64_t classes) {
    store.add("own", "weight", {classes, options.width * image.elements()}, ParameterRole::weight, Initializer::zeros);
  }
  nn::Variable forward(const nn::Pass&, const Tensor& images) const override { return {images}; }
};

TEST(Models, AnAddedModelIsFoundAndBuiltWithItsOptions) {
  models::add(models::entry<OwnModel, OwnOptions>("own", "help"));
  ParameterStore store;
  test::make_model("own", store, {2, 2, 1}, 5,
                   [](Options& options) { test::set_option<std::int64_t>(options, "width", 4); });
  EXPECT_EQ(store.trainable(), 5 * 4 * 4);
}

TEST(Models, ANameIsTakenOnce) {
  EXPECT_THROW(models::add(models::entry<OwnModel, OwnOptions>("mlp", "help")), InvalidArgument);
}

}  // namespace
}  // namespace mpdist
