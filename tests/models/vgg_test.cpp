// SPDX-License-Identifier: Apache-2.0
#include "src/models/vgg.hpp"

#include <gtest/gtest.h>

#include "tests/support/model.hpp"
#include "tests/support/network.hpp"

namespace mpdist {
namespace {

constexpr double kStep = 2e-4, kRelative = 3e-2;

/// A narrow VGG for 3 classes in a network under test.
struct NarrowVgg {
  test::Network network;
  std::unique_ptr<models::Model> model;
  NarrowVgg(Shape image, bool norm, const std::string& classifier = "auto") {
    model = test::make_model("vgg", network.store, image, 3, [&](Options& options) {
      test::set_option<std::int64_t>(options, "depth", 11);
      test::set_option<std::int64_t>(options, "width", 4);
      if (classifier == "published" || (classifier == "auto" && image[0] >= 64))
        test::set_option<std::int64_t>(options, "hidden", 8);
      test::set_option(options, "norm", norm);
      test::set_option(options, "classifier", classifier);
    });
    network.forward = [this](const nn::Pass& pass, const Tensor& x) { return model->forward(pass, x); };
    network.finish(image);
  }
  Shape head() const { return network.store.find("fc1.weight")->shape; }
};

TEST(Vgg, MatchesFiniteDifferencesOnBothClassifiers) {
  NarrowVgg single({28, 28, 1}, false);
  single.network.check_directional_derivatives(kStep, kRelative);
  NarrowVgg published({28, 28, 1}, false, "published");
  published.network.check_directional_derivatives(kStep, kRelative);
}

TEST(Vgg, MatchesFiniteDifferencesWithBatchNorm) {
  NarrowVgg vgg({28, 28, 1}, true);
  vgg.network.check_directional_derivatives(kStep, kRelative);
}

/// The last map has 32 channels here: 1x1 pixel on small images, a fifth halving leaves 2x2 of 64 and 7x7 of 224.
TEST(Vgg, TheClassifierFollowsTheImageSize) {
  EXPECT_EQ(NarrowVgg({8, 8, 1}, false).head(), (Shape{3, 32}));
  EXPECT_EQ(NarrowVgg({28, 28, 1}, false).head(), (Shape{3, 32}));
  EXPECT_EQ(NarrowVgg({32, 32, 3}, false).head(), (Shape{3, 32}));
  EXPECT_EQ(NarrowVgg({64, 64, 3}, false).head(), (Shape{8, 4 * 32}));
  EXPECT_EQ(NarrowVgg({64, 64, 3}, false, "single").head(), (Shape{3, 4 * 32}));
  EXPECT_EQ(NarrowVgg({224, 224, 3}, false).head(), (Shape{8, 49 * 32}));
}

TEST(Vgg, AHiddenWidthThatNothingHasIsRefused) {
  ParameterStore store;
  const auto make = [&](Shape image) {
    test::make_model("vgg", store, image, 10,
                     [&](Options& options) { test::set_option<std::int64_t>(options, "hidden", 8); });
  };
  EXPECT_THROW(make({32, 32, 3}), UsageError);
}

TEST(Vgg, OtherDepthsAreRefused) {
  ParameterStore store;
  const auto make = [&](std::int64_t depth) {
    test::make_model("vgg", store, {32, 32, 3}, 10,
                     [&](Options& options) { test::set_option(options, "depth", depth); });
  };
  EXPECT_THROW(make(12), UsageError);
}

}  // namespace
}  // namespace mpdist
