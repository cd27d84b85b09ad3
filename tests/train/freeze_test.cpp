// SPDX-License-Identifier: Apache-2.0
// model.freeze and optimizer.groups over whole steps on one rank.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "src/core/error.hpp"
#include "tests/train/step_harness.hpp"

namespace mpdist {
namespace {

using test::StepHarness;
using test::values_of;

StepHarness make(const std::string& model_keys, const std::string& optimizer_keys = "weight_decay = 0.01",
                 const std::string& fault = "") {
  return StepHarness(
      "[run]\nsteps = 100\n[batch]\nglobal = 32\nshards = 4\n[precision]\ncompute = \"fp16\"\nloss_scale = 1024.0\n"
      "[model]\nname = \"mlp\"\nhidden = [16, 12]\n" +
          model_keys + "\n[data]\nformat = \"synthetic\"\n[optimizer]\nema_decay = 0.9\n" + optimizer_keys,
      {4, 4, 1}, 5, fault);
}

StepHarness make_mlp(const std::string& model_keys) {
  return make(model_keys);
}

std::vector<double> master(const StepHarness& h, const char* name) {
  return values_of(h.state->store.master(*h.state->store.find(name)));
}

StepHarness make_resnet(const std::string& model_keys) {
  return StepHarness(
      "[run]\nsteps = 100\n[batch]\nglobal = 8\nshards = 2\n[precision]\ncompute = \"fp16\"\nloss_scale = 64.0\n"
      "[model]\nname = \"resnet\"\ndepth = 20\nwidth = 4\n" +
          model_keys + "\n[data]\nformat = \"synthetic\"\n",
      {8, 8, 1}, 5);
}

TEST(Freeze, FrozenParametersStayAndTheOthersLearnAsBefore) {
  const std::pair<StepHarness (*)(const std::string&), const char*> cases[] = {
      {make_mlp, "[\"fc1.*\"]"},       {make_mlp, "[\"fc2.weight\", \"*.bias\"]"},
      {make_resnet, "[\"stem*\"]"},    {make_resnet, "[\"stem*\", \"stage1*\", \"stage2*\"]"},
      {make_resnet, "[\"*.weight\"]"}, {make_resnet, "[\"*.gamma\", \"*.beta\"]"},
      {make_resnet, "[\"stage*\"]"}};
  for (const auto& [make_network, patterns] : cases) {
    StepHarness all = make_network(""), some = make_network(std::string("freeze = ") + patterns);
    const auto initial = some.everything();
    std::vector<std::vector<double>> before;
    for (const Parameter& p : some.state->store.registered()) before.push_back(master(some, p.name.c_str()));
    all.step();
    some.step();
    std::size_t k = 0;
    for (const Parameter& p : some.state->store.registered()) {
      const std::vector<double> now = master(some, p.name.c_str());
      EXPECT_EQ(now, p.frozen ? before[k] : master(all, p.name.c_str())) << p.name << " " << patterns;
      EXPECT_EQ(now == before[k], p.frozen) << p.name << " " << patterns;
      ++k;
    }
    EXPECT_NE(some.everything(), initial);
  }
}

TEST(Freeze, NoSlotNoAverageNoGradientOfFrozenParametersChanges) {
  StepHarness h = make("freeze = [\"fc1.*\"]");
  const auto path = [](const checkpoint::NamedTensor& t) { return t.path; };
  std::vector<std::string> paths;
  for (const checkpoint::NamedTensor& t : train::state_tensors(*h.state)) paths.push_back(path(t));
  const auto has = [&](const char* name) { return std::count(paths.begin(), paths.end(), name); };
  EXPECT_EQ(has("master/fc1.weight"), 1);
  EXPECT_EQ(has("ema/fc1.weight"), 1);
  EXPECT_EQ(has("optimizer/momentum/fc1.weight"), 0);
  EXPECT_EQ(has("optimizer/momentum/fc2.weight"), 1);
  for (int i = 0; i < 3; ++i) h.step(h.batch(i), true);  // with an audit
  const Parameter& frozen = *h.state->store.find("fc1.weight");
  EXPECT_EQ(values_of(ParameterStore::slice(h.state->ema->average(), frozen)), master(h, "fc1.weight"));
  EXPECT_LT(h.runner->reducer().wire_bytes(), 2 * h.state->store.elements());
}

TEST(Freeze, ACheckpointRestoresAFrozenRun) {
  StepHarness saved = make("freeze = [\"fc1.*\"]"), restored = make("freeze = [\"fc1.*\"]");
  for (int i = 0; i < 3; ++i) saved.step();
  from_checkpoint(*restored.state, to_checkpoint(*saved.state, saved.config, {.samples = 1000}), "a file",
                  restored.stream);
  for (int i = 0; i < 2; ++i) saved.step(), restored.step();
  EXPECT_EQ(restored.everything(), saved.everything());
}

TEST(Freeze, AnOverflowIsNamedByItsTensor) {
  StepHarness h = make("freeze = [\"fc1.*\"]", "", "overflow:step=1:rank=0:shard=2:tensor=fc2.weight");
  h.step();
  const train::StepReport report = h.step();
  EXPECT_EQ(report.diagnosis.tensor, "fc2.weight");
  EXPECT_THROW(train::check_faults(train::parse_faults("overflow:step=1:rank=0:tensor=fc1.weight"), h.state->store, 1),
               UsageError);
}

TEST(Groups, ARateOfZeroStopsAParameterAndAFactorScalesItsFirstStep) {
  StepHarness plain = make("", "momentum = 0.0\nweight_decay = 0.0"),
              grouped = make("",
                             "momentum = 0.0\nweight_decay = 0.0\n[[optimizer.groups]]\npattern = \"fc1.*\"\n"
                             "lr_scale = 0\n[[optimizer.groups]]\npattern = \"*.weight\"\nlr_scale = 2");
  const std::vector<double> frozen = master(grouped, "fc1.weight"), before = master(grouped, "fc2.weight");
  plain.step();
  grouped.step();
  EXPECT_EQ(master(grouped, "fc1.weight"), frozen);
  EXPECT_EQ(master(grouped, "fc2.bias"), master(plain, "fc2.bias"));
  const std::vector<double> once = master(plain, "fc2.weight"), twice = master(grouped, "fc2.weight");
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_NEAR(twice[i] - before[i], 2 * (once[i] - before[i]), 0x1p-22 * (1 + std::abs(before[i]))) << i;
  }
}

}  // namespace
}  // namespace mpdist
