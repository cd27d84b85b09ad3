// SPDX-License-Identifier: Apache-2.0
// Ten steps of each optimizer against PyTorch's, or the paper's formula in double precision
// (tests/fixtures/optimizers.py), to 1e-6 relative.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "src/optim/adamw.hpp"
#include "src/optim/lamb.hpp"
#include "src/optim/lars.hpp"
#include "src/optim/lion.hpp"
#include "src/optim/rmsprop.hpp"
#include "src/optim/sgd.hpp"
#include "tests/optim/small_store.hpp"

namespace mpdist::optim {
namespace {

const nlohmann::json& fixture() {
  static const nlohmann::json json = nlohmann::json::parse(std::ifstream(MPDIST_FIXTURES "/optimizers.json"));
  return json;
}

using Make = std::unique_ptr<Optimizer> (*)(ParameterStore&);

struct PeerCase {
  const char* name;
  Make make;
};

void PrintTo(const PeerCase& peer, std::ostream* out) {
  *out << peer.name;
}

std::unique_ptr<Optimizer> sgd(ParameterStore& store, double momentum, bool nesterov, double decay) {
  SgdOptions options;
  options.momentum = momentum;
  options.nesterov = nesterov;
  return make_sgd(options, {.weight_decay = decay, .decay = "coupled"}, store);
}

std::unique_ptr<Optimizer> adam(ParameterStore& store, const std::string& decay) {
  return make_adamw(AdamwOptions(), {.weight_decay = 0.1, .decay = decay}, store);
}

std::unique_ptr<Optimizer> rmsprop(ParameterStore& store, double alpha, double momentum, bool centered, double decay) {
  RmspropOptions options;
  options.alpha = alpha;
  options.momentum = momentum;
  options.centered = centered;
  return make_rmsprop(options, {.weight_decay = decay, .decay = "coupled"}, store);
}

std::unique_ptr<Optimizer> lars(ParameterStore& store) {
  LarsOptions options;
  options.trust = 0.02;
  return make_lars(options, {.weight_decay = 0.1, .decay = "coupled"}, store);
}

const PeerCase kCases[] = {
    {"sgd_plain", [](ParameterStore& s) { return sgd(s, 0, false, 0); }},
    {"sgd_momentum", [](ParameterStore& s) { return sgd(s, 0.9, false, 0); }},
    {"sgd_nesterov", [](ParameterStore& s) { return sgd(s, 0.9, true, 0); }},
    {"sgd_coupled", [](ParameterStore& s) { return sgd(s, 0.9, false, 0.1); }},
    {"sgd_nesterov_coupled", [](ParameterStore& s) { return sgd(s, 0.9, true, 0.1); }},
    {"adamw", [](ParameterStore& s) { return adam(s, "decoupled"); }},
    {"adam_coupled", [](ParameterStore& s) { return adam(s, "coupled"); }},
    {"rmsprop_plain", [](ParameterStore& s) { return rmsprop(s, 0.99, 0, false, 0); }},
    {"rmsprop_momentum_coupled", [](ParameterStore& s) { return rmsprop(s, 0.9, 0.9, false, 0.1); }},
    {"rmsprop_centered", [](ParameterStore& s) { return rmsprop(s, 0.9, 0, true, 0); }},
    {"rmsprop_centered_momentum", [](ParameterStore& s) { return rmsprop(s, 0.9, 0.5, true, 0); }},
    {"lion", [](ParameterStore& s) { return make_lion(LionOptions(), {.weight_decay = 0.1}, s); }},
    {"lars", [](ParameterStore& s) { return lars(s); }},
    {"lamb", [](ParameterStore& s) { return make_lamb(LambOptions(), {.weight_decay = 0.1}, s); }},
};

class OptimizerPeer : public testing::TestWithParam<PeerCase> {};

TEST_P(OptimizerPeer, TenStepsAgree) {
  const auto initial = fixture().at("initial").get<std::vector<float>>();
  const auto gradients = fixture().at("gradients").get<std::vector<std::vector<float>>>();
  const auto after = fixture().at("after").at(GetParam().name).get<std::vector<std::vector<float>>>();
  ASSERT_EQ(after.size(), 10u);
  SmallStore small(static_cast<std::int64_t>(initial.size()));
  std::copy(initial.begin(), initial.end(), small.master("fc.weight").begin());
  const auto optimizer = GetParam().make(small.store);
  for (std::size_t step = 0; step < after.size(); ++step) {
    const auto gradient = small.gradient_of<float>("fc.weight");
    for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = gradients[step][i] * 4096;
    optimizer->update(small.stream, {.gradient = small.gradient,
                                     .unscale = 1.0 / 4096,
                                     .lr = fixture().at("lr").get<float>(),
                                     .step = static_cast<std::int64_t>(step) + 1});
    for (std::size_t i = 0; i < initial.size(); ++i) {
      const float expected = after[step][i];
      EXPECT_NEAR(small.master("fc.weight")[i], expected, 1e-6 * std::max(1.0F, std::abs(expected)))
          << "step " << step << " element " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fixture, OptimizerPeer, testing::ValuesIn(kCases),
                         [](const auto& peer) { return std::string(peer.param.name); });

TEST(OptimizerPeer, EveryCaseOfTheFixtureIsTested) {
  EXPECT_EQ(fixture().at("after").size(), std::size(kCases));
}

}  // namespace
}  // namespace mpdist::optim
