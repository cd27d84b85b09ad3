// SPDX-License-Identifier: Apache-2.0
// Parameters of the networks as their papers and the frameworks' model zoos count them.
#include <gtest/gtest.h>

#include "tests/support/model.hpp"

namespace mpdist {
namespace {

struct Published {
  const char* model;
  std::int64_t depth;
  Shape image;
  std::int64_t classes;
  bool norm;  ///< of vgg
  std::int64_t parameters;
};

const Shape kImageNet = {224, 224, 3}, kCifar = {32, 32, 3};

// torchvision's counts. Its VGG networks with batch norm keep the convolutions' biases, which the norm cancels: ours
// have none, that is one parameter fewer a channel (2752, 2944, 4224, 5504 channels).
const Published kPublished[] = {
    {"vgg", 11, kImageNet, 1000, false, 132863336},
    {"vgg", 13, kImageNet, 1000, false, 133047848},
    {"vgg", 16, kImageNet, 1000, false, 138357544},
    {"vgg", 19, kImageNet, 1000, false, 143667240},
    {"vgg", 11, kImageNet, 1000, true, 132868840 - 2752},
    {"vgg", 13, kImageNet, 1000, true, 133053736 - 2944},
    {"vgg", 16, kImageNet, 1000, true, 138365992 - 4224},
    {"vgg", 19, kImageNet, 1000, true, 143678248 - 5504},
    // The form for CIFAR with one linear layer: 14.7 M, as the public re-implementations have it.
    {"vgg", 16, kCifar, 10, false, 14719818},
    {"resnet", 18, kImageNet, 1000, false, 11689512},
    {"resnet", 34, kImageNet, 1000, false, 21797672},
    {"resnet", 50, kImageNet, 1000, false, 25557032},
    {"resnet", 101, kImageNet, 1000, false, 44549160},
};

class PublishedSizes : public testing::TestWithParam<Published> {};

TEST_P(PublishedSizes, AreTheSumOfTheParameters) {
  const Published& published = GetParam();
  ParameterStore store;
  test::make_model(published.model, store, published.image, published.classes, [&](Options& options) {
    test::set_option(options, "depth", published.depth);
    if (published.norm) test::set_option(options, "norm", true);
  });
  EXPECT_EQ(store.trainable(), published.parameters);
}

std::string name_of_case(const testing::TestParamInfo<Published>& info) {
  return fmt::format("{}{}{}_{}", info.param.model, info.param.depth, info.param.norm ? "_norm" : "",
                     info.param.image[0]);
}
INSTANTIATE_TEST_SUITE_P(Models, PublishedSizes, testing::ValuesIn(kPublished), name_of_case);

}  // namespace
}  // namespace mpdist
