// SPDX-License-Identifier: Apache-2.0
// Every layer and model through the tape: directional derivatives by central differences, types, and dropout's keys.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/models/model.hpp"
#include "src/models/registry.hpp"
#include "src/nn/activation.hpp"
#include "src/nn/batch_norm.hpp"
#include "src/nn/conv2d.hpp"
#include "src/nn/join.hpp"
#include "src/nn/linear.hpp"
#include "src/nn/loss.hpp"
#include "src/nn/pooling.hpp"
#include "src/precision/policy.hpp"
#include "tests/support/fill.hpp"
#include "tests/support/network.hpp"

namespace mpdist {
namespace {

using test::Network;

TEST(Layers, LinearMatchesFiniteDifferences) {
  Network n;
  const nn::Linear hidden(n.store, "hidden", 20, 9, true), head(n.store, "head", 9, 3, false);
  n.forward = [&](const nn::Pass& p, const Tensor& x) { return head(p, hidden(p, {x})); };
  n.finish({20});
  n.check_directional_derivatives();
}

TEST(Layers, ConvolutionsWithStridePaddingAndGroupsMatchFiniteDifferences) {
  Network n;
  const nn::Conv2d first(n.store, "first",
                         {.in = 2, .out = 8, .kernel = 3, .geometry = {.stride = 2, .padding = 1}, .relu = true});
  const nn::Conv2d second(n.store, "second", {.in = 8, .out = 4, .kernel = 3, .geometry = {.padding = 0, .groups = 2}});
  const nn::Linear head(n.store, "head", 4 * 3 * 3, 3, false);
  const std::string flat = "flat";
  n.forward = [&](const nn::Pass& p, const Tensor& x) {
    return head(p, nn::flatten(p, flat, second(p, first(p, {x}))));
  };
  n.finish({9, 9, 2});
  n.check_directional_derivatives();
}

TEST(Layers, PoolingsActivationsAndDropoutMatchFiniteDifferences) {
  Network n;
  const nn::Conv2d first(n.store, "first", {.in = 1, .out = 4, .kernel = 3, .geometry = {.padding = 1}});
  const nn::Linear head(n.store, "head", 4 * 2 * 2, 3, false);
  const std::string relu = "relu", gelu = "gelu", drop = "drop", pool = "pool", mean = "mean", flat = "flat";
  n.forward = [&](const nn::Pass& p, const Tensor& x) {
    nn::Variable y = nn::gelu(p, gelu, first(p, {x}));
    y = nn::max_pool(p, pool, y, {.window = 2, .stride = 2});
    y = nn::average_pool(p, mean, nn::relu(p, relu, y), {.window = 2, .stride = 2});
    return head(p, nn::dropout(p, drop, nn::flatten(p, flat, y), 0.25F));
  };
  n.finish({8, 8, 1});
  n.check_directional_derivatives();
}

TEST(Layers, BatchNormWithResidualMatchesFiniteDifferences) {
  Network n;
  const nn::Conv2d stem(n.store, "stem", {.in = 2, .out = 4, .kernel = 3, .geometry = {.padding = 1}, .bias = false});
  const nn::BatchNorm norm1(n.store, "norm1", 4, true);
  const nn::Conv2d inner(n.store, "inner", {.in = 4, .out = 4, .kernel = 3, .geometry = {.padding = 1}, .bias = false});
  const nn::BatchNorm norm2(n.store, "norm2", 4, true);
  const nn::Linear head(n.store, "head", 4, 3, false);
  const std::string mean = "mean";
  n.forward = [&](const nn::Pass& p, const Tensor& x) {
    const nn::Variable y = norm1(p, stem(p, {x}));
    return head(p, nn::global_average_pool(p, mean, norm2(p, inner(p, y), y)));
  };
  n.finish({6, 6, 2});
  n.check_directional_derivatives();
}

TEST(Layers, SumsAndConcatenationsMatchFiniteDifferences) {
  Network n;
  const nn::Conv2d left(n.store, "left", {.in = 2, .out = 4, .kernel = 3, .geometry = {.padding = 1}});
  const nn::Conv2d right(n.store, "right", {.in = 2, .out = 4, .kernel = 1});
  const nn::Linear head(n.store, "head", 4 + 4 + 2, 3, false);
  const std::string sum = "sum", twice = "twice", all = "all", mean = "mean";
  n.forward = [&](const nn::Pass& p, const Tensor& x) {
    const nn::Variable a = left(p, {x}), b = nn::add(p, sum, a, right(p, {x}));
    return head(p, nn::global_average_pool(p, mean, nn::concat(p, all, {b, nn::add(p, twice, a, a), {x}})));
  };
  n.finish({6, 6, 2});
  n.check_directional_derivatives();
}

/// What a pass leaves is the batch's mean and unbiased variance; evaluation uses the running ones and leaves nothing.
TEST(Layers, BatchNormLeavesTheShardsStatistics) {
  Network n;
  const nn::BatchNorm norm(n.store, "norm", 2, false);
  const nn::Linear head(n.store, "head", 2, 3, false);
  n.forward = [&](const nn::Pass& p, const Tensor& x) { return head(p, norm(p, {x})); };
  n.finish({2});
  for (int i = 0; i < 6; ++i) {
    test::set_value(n.images, 2 * i, static_cast<float>(i));
    test::set_value(n.images, 2 * i + 1, 3.0F);
  }
  n.training_loss();
  EXPECT_EQ(test::values_of(n.statistics), (std::vector<double>{2.5, 3, 3.5, 0}));
  const std::vector<double> running = test::values_of(n.store.statistics());
  EXPECT_EQ(running, (std::vector<double>{0, 0, 1, 1}));
  const double evaluated = n.loss();
  n.store.statistics().data<float>()[0] = 1;
  EXPECT_NE(n.loss(), evaluated);
}

/// Builds a registered model with its default options changed by `change`.
struct ModelUnderTest {
  std::unique_ptr<Options> options;
  std::unique_ptr<models::Model> model;
  ModelUnderTest(Network& n, const std::string& name, Shape image, std::vector<std::int64_t> widths, double dropout) {
    for (const models::ModelEntry& entry : models::models()) {
      if (entry.name != name) continue;
      options = entry.options();
      Schema schema;
      options->describe(schema);
      for (const Key& key : schema.keys()) {
        if (key.name == "dropout") *std::get<double*>(key.value) = dropout;
        if (key.name == "channels" || key.name == "hidden") {
          if (auto* list = std::get_if<std::vector<std::int64_t>*>(&key.value)) **list = widths;
          if (auto* number = std::get_if<std::int64_t*>(&key.value)) **number = 16;
        }
      }
      model = entry.make(*options, n.store, image, 3);
    }
    n.forward = [this](const nn::Pass& p, const Tensor& x) { return model->forward(p, x); };
  }
};

TEST(Models, MlpMatchesFiniteDifferences) {
  Network n;
  const ModelUnderTest m(n, "mlp", {4, 4, 1}, {12, 10}, 0.1);
  n.finish({4, 4, 1});
  EXPECT_EQ(n.store.trainable(), 16 * 12 + 12 + 12 * 10 + 10 + 10 * 3 + 3);
  n.check_directional_derivatives();
}

TEST(Models, CnnMatchesFiniteDifferences) {
  Network n;
  const ModelUnderTest m(n, "cnn", {8, 8, 1}, {4, 6}, 0.1);
  n.finish({8, 8, 1});
  EXPECT_EQ(n.store.trainable(), 4 * 9 + 4 + 6 * 9 * 4 + 6 + 16 * 24 + 16 + 3 * 16 + 3);
  n.check_directional_derivatives();
}

precision::OperationClass class_of(const std::string& operation) {
  using enum precision::OperationClass;
  static const std::map<std::string, precision::OperationClass> classes = {
      {"linear", matmul},      {"conv2d", convolution},  {"relu", activation},
      {"gelu", activation},    {"max_pool", activation}, {"average_pool", activation},
      {"flatten", activation}, {"dropout", activation},  {"softmax_cross_entropy", loss}};
  return classes.at(operation);
}

/// Every activation is stored in the type that the policy's table says, every gradient of one in the compute type; its
/// bits are therefore values of that type.
class TypeObserver : public nn::Observer {
 public:
  explicit TypeObserver(DType type) : type_(type) {}
  void activation(const std::string& layer, const char* operation, const Tensor& value) override {
    EXPECT_EQ(value.dtype(), precision::Policy{type_}.result_type(class_of(operation))) << layer;
    ++seen;
  }
  void activation_gradient(const std::string& layer, const char*, const Tensor& gradient) override {
    EXPECT_EQ(gradient.dtype(), type_) << layer;
    ++seen;
  }
  int seen = 0;

 private:
  DType type_;
};

TEST(Models, ActivationsAndTheirGradientsHaveTheTypesOfThePolicy) {
  for (DType type : test::kComputeTypes) {
    Network n;
    const ModelUnderTest m(n, "cnn", {8, 8, 1}, {4, 6}, 0.1);
    n.finish({8, 8, 1}, type);
    TypeObserver observer(type);
    n.gradients(&observer);
    EXPECT_EQ(observer.seen, 8 + 1 + 8);
    EXPECT_EQ(n.store.working().dtype(), precision::Policy{type}.operation_type(precision::OperationClass::matmul));
    EXPECT_EQ(n.store.master().dtype(), DType::fp32);
  }
}

/// The mask follows the position in the global batch and the attempted step, not where the rows lie.
TEST(Dropout, MaskBelongsToPositionAndStep) {
  Stream stream;
  ParameterStore store;
  store.finalize(DType::fp32, 1);
  Tensor x({8, 40}, DType::fp32, MemoryKind::data);
  std::fill_n(x.data<float>(), x.elements(), 1.0F);
  const std::string name = "drop";
  const auto run = [&](std::int64_t attempted, std::int64_t first, std::int64_t begin, std::int64_t end,
                       std::uint64_t seed) {
    nn::Tape tape(stream, store, [](const Parameter&, const Tensor&) {});
    const nn::Pass pass{.stream = stream,
                        .parameters = store,
                        .tape = &tape,
                        .seed = seed,
                        .attempted = attempted,
                        .first_position = first};
    return test::values_of(nn::dropout(pass, name, {x.rows(begin, end)}, 0.5F).value);
  };
  const std::vector<double> whole = run(3, 0, 0, 8, 1), tail = run(3, 5, 0, 3, 1);
  EXPECT_EQ(std::vector<double>(whole.begin() + 5 * 40, whole.end()), tail);
  EXPECT_NE(run(4, 0, 0, 8, 1), whole);
  EXPECT_NE(run(3, 0, 0, 8, 2), whole);
  double kept = 0;
  for (double v : whole) kept += v / 2;
  EXPECT_NEAR(kept, 160, 40);
}

}  // namespace
}  // namespace mpdist
