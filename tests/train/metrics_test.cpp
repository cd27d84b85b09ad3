// SPDX-License-Identifier: Apache-2.0
#include "src/train/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "src/core/error.hpp"
#include "src/train/manifest.hpp"

namespace mpdist::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Metrics : public testing::Test {
 protected:
  Metrics() {
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  ~Metrics() override { fs::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string content(const std::string& name) const {
    std::ostringstream all;
    all << std::ifstream(path(name)).rdbuf();
    return all.str();
  }
  std::vector<json> lines(const std::string& name = "metrics.jsonl") const {
    std::vector<json> all;
    std::ifstream file(path(name));
    for (std::string line; std::getline(file, line);) all.push_back(json::parse(line));
    return all;
  }
  void put(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }

  const std::string directory_ =
      testing::TempDir() + "mpdist_metrics_" + testing::UnitTest::GetInstance()->current_test_info()->name();
};

StepRecord some_step(std::int64_t step, std::int64_t attempted) {
  return {.step = step,
          .attempted = attempted,
          .epoch = 0.5,
          .loss = 1.25,
          .accuracy = 0.75,
          .lr = 0.1,
          .loss_scale = 1024,
          .skipped = attempted - step,
          .saturated = 3,
          .grad_norm = 2.5,
          .step_ms = 12.5,
          .samples_per_s = 800,
          .data_wait_fraction = 0.125,
          .samples_per_rank = {64, 64},
          .bytes_sent_per_rank = {4096, 2048}};
}

TEST_F(Metrics, AStepHasTheKeysOfTheDesign) {
  MetricsWriter(directory_).step(some_step(7, 9));
  const json expected{{"event", "step"},
                      {"step", 7},
                      {"attempted", 9},
                      {"epoch", 0.5},
                      {"loss", 1.25},
                      {"accuracy", 0.75},
                      {"lr", 0.1},
                      {"loss_scale", 1024.0},
                      {"skipped", 2},
                      {"saturated", 3},
                      {"grad_norm", 2.5},
                      {"step_ms", 12.5},
                      {"samples_per_s", 800.0},
                      {"data_wait_fraction", 0.125},
                      {"samples_per_rank", {64, 64}},
                      {"bytes_sent_per_rank", {4096, 2048}}};
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_EQ(lines()[0], expected);
}

TEST_F(Metrics, TelemetryGivesTheRangesOfEveryTensor) {
  precision::TensorRange weight{.name = "fc.weight"}, nothing{.name = "fc", .operation = "linear"};
  weight.counts.finite[static_cast<std::size_t>(-16 - kernels::ExponentCounts::kLowest)] = 1;
  weight.counts.finite[static_cast<std::size_t>(-14 - kernels::ExponentCounts::kLowest)] = 2;
  weight.counts.zero = nothing.counts.zero = 1;
  const precision::TensorRange gradients[] = {weight}, activations[] = {nothing};
  MetricsWriter(directory_)
      .telemetry({.step = 3,
                  .attempted = 4,
                  .loss_scale = 1024,
                  .compute = "fp16",
                  .wire = "fp32",
                  .gradients = gradients,
                  .activation_gradients = activations});
  const json all = lines().at(0);
  EXPECT_EQ(all.at("gradient_type"), "fp32");
  EXPECT_EQ(all.at("recommended_scale"), 16777216);
  EXPECT_EQ(all.at("gradients"), json::array({{{"tensor", "fc.weight"},
                                               {"elements", 4},
                                               {"zero_percent", 25.0},
                                               {"subnormal_percent", 25.0},
                                               {"lost_at_scale_1_percent", 50.0},
                                               {"nonfinite", 0},
                                               {"headroom_doublings", 29},
                                               {"recommended_scale", 16777216.0},
                                               {"lowest_exponent", -16},
                                               {"lowest_exponent_unscaled", -26},
                                               {"counts_per_exponent", {1, 0, 2}}}}));
  const json empty = all.at("activation_gradients").at(0);
  EXPECT_EQ(empty.at("operation"), "linear");
  EXPECT_TRUE(empty.at("headroom_doublings").is_null());
  EXPECT_EQ(empty.at("counts_per_exponent"), json::array());
}

TEST_F(Metrics, EveryEventIsOneLineWithItsKeys) {
  MetricsWriter writer(directory_);
  writer.start({.name = "run",
                .compute = "fp16",
                .ranks = 4,
                .nodes = 2,
                .global_batch = 128,
                .shards = 8,
                .parameters = 10,
                .training_samples = 60000,
                .evaluation_samples = 10000});
  writer.overflow({.step = 1,
                   .attempted = 2,
                   .where = "backward",
                   .tensor = "conv2.weight",
                   .layer = "conv2",
                   .host = "a",
                   .rank = 1,
                   .shard = 3,
                   .loss_scale = 8,
                   .next_loss_scale = 4,
                   .diagnosis = "why"});
  writer.evaluate({.step = 3, .attempted = 4, .loss = 0.5, .accuracy = 0.925, .samples = 10000});
  writer.checkpoint({.step = 3, .attempted = 4, .path = "checkpoints/step_3.h5"});
  writer.end({.step = 3,
              .attempted = 4,
              .skipped = 1,
              .reason = "done",
              .wall_s = 2.5,
              .peak_bytes = {{MemoryKind::parameters, 100}, {MemoryKind::activations, 200}}});
  const std::vector<json> all = lines();
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all[0], (json{{"event", "start"},
                          {"step", 0},
                          {"attempted", 0},
                          {"resumed_from", nullptr},
                          {"name", "run"},
                          {"compute", "fp16"},
                          {"ranks", 4},
                          {"nodes", 2},
                          {"threads_per_rank", 1},
                          {"global_batch", 128},
                          {"shards", 8},
                          {"parameters", 10},
                          {"training_samples", 60000},
                          {"evaluation_samples", 10000}}));
  EXPECT_EQ(all[1], (json{{"event", "overflow"},
                          {"step", 1},
                          {"attempted", 2},
                          {"where", "backward"},
                          {"tensor", "conv2.weight"},
                          {"layer", "conv2"},
                          {"rank", 1},
                          {"host", "a"},
                          {"shard", 3},
                          {"loss_scale", 8.0},
                          {"next_loss_scale", 4.0},
                          {"diagnosis", "why"}}));
  EXPECT_EQ(all[2], (json{{"event", "evaluate"},
                          {"step", 3},
                          {"attempted", 4},
                          {"loss", 0.5},
                          {"accuracy", 0.925},
                          {"samples", 10000}}));
  EXPECT_EQ(all[3], (json{{"event", "checkpoint"}, {"step", 3}, {"attempted", 4}, {"path", "checkpoints/step_3.h5"}}));
  EXPECT_EQ(all[4], (json{{"event", "end"},
                          {"step", 3},
                          {"attempted", 4},
                          {"skipped", 1},
                          {"reason", "done"},
                          {"wall_s", 2.5},
                          {"peak_bytes", {{"parameters", 100}, {"activations", 200}}}}));
}

TEST_F(Metrics, NumbersThatAreNotFiniteAndUnknownPlacesAreNull) {
  MetricsWriter writer(directory_);
  StepRecord step = some_step(1, 1);
  step.loss = std::nan("");
  step.grad_norm = std::numeric_limits<double>::infinity();
  writer.step(step);
  writer.overflow({.where = "sum", .tensor = "fc.weight"});
  EXPECT_TRUE(lines()[0].at("loss").is_null());
  EXPECT_TRUE(lines()[0].at("grad_norm").is_null());
  for (const char* key : {"rank", "shard", "host", "layer"}) EXPECT_TRUE(lines()[1].at(key).is_null()) << key;
}

TEST_F(Metrics, ALineIsReadableAsSoonAsItIsWritten) {
  MetricsWriter writer(directory_);
  writer.step(some_step(1, 1));
  EXPECT_EQ(lines().size(), 1u);
  writer.step(some_step(2, 2));
  EXPECT_EQ(lines().size(), 2u);
}

TEST_F(Metrics, APathThatIsNoUtf8IsWritten) {
  MetricsWriter(directory_).checkpoint({.path = "runs/\xff/step_1.h5"});
  EXPECT_EQ(lines().size(), 1u);
}

TEST_F(Metrics, ANewWriterAppends) {
  MetricsWriter(directory_).step(some_step(1, 1));
  MetricsWriter(directory_).step(some_step(2, 2));
  EXPECT_EQ(lines().size(), 2u);
}

TEST_F(Metrics, CutKeepsTheCheckpointAndMovesWhatCameAfter) {
  {
    MetricsWriter writer(directory_);
    writer.start({});
    for (int i = 1; i <= 3; ++i) writer.step(some_step(i, i));
    writer.checkpoint({.step = 3, .attempted = 3});
    writer.overflow({.step = 3, .attempted = 4});  // a skipped batch after it: the same step
    writer.step(some_step(4, 5));
  }
  const std::string before = content("metrics.jsonl");
  MetricsWriter writer(directory_);
  writer.cut_after(3, 3);
  const std::string kept = content("metrics.jsonl"), lost = content("metrics.lost.jsonl");
  EXPECT_EQ(kept + lost, before);
  EXPECT_EQ(lines().size(), 5u);
  EXPECT_EQ(lines().back().at("event"), "checkpoint");
  EXPECT_EQ(lines("metrics.lost.jsonl").at(0).at("event"), "overflow");
  writer.step(some_step(4, 4));
  EXPECT_EQ(lines().size(), 6u);
  EXPECT_EQ(lines().back().at("attempted"), 4);
  EXPECT_FALSE(fs::exists(path("metrics.jsonl.part")));
}

TEST_F(Metrics, ASecondCutAppendsToTheLost) {
  MetricsWriter writer(directory_);
  for (int i = 1; i <= 3; ++i) writer.step(some_step(i, i));
  writer.cut_after(2, 2);
  writer.step(some_step(3, 3));
  writer.cut_after(1, 1);
  EXPECT_EQ(lines().size(), 1u);
  ASSERT_EQ(lines("metrics.lost.jsonl").size(), 3u);
  EXPECT_EQ(lines("metrics.lost.jsonl")[0].at("step"), 3);
  EXPECT_EQ(lines("metrics.lost.jsonl")[1].at("step"), 2);
}

TEST_F(Metrics, ATornLastLineIsMovedAndTheNextIsWhole) {
  put("metrics.jsonl", "{\"event\":\"step\",\"step\":1,\"attempted\":1}\n{\"event\":\"step\",\"step\":2,\"atte");
  MetricsWriter writer(directory_);
  writer.cut_after(5, 5);
  writer.step(some_step(6, 6));
  ASSERT_EQ(lines().size(), 2u);
  EXPECT_EQ(lines()[1].at("step"), 6);
  EXPECT_EQ(content("metrics.lost.jsonl"), "{\"event\":\"step\",\"step\":2,\"atte\n");
}

TEST_F(Metrics, ALineThatOnlyLacksItsNewlineIsTorn) {
  put("metrics.jsonl", "{\"event\":\"step\",\"step\":1,\"attempted\":1}");
  MetricsWriter(directory_).cut_after(5, 5);
  EXPECT_EQ(content("metrics.jsonl"), "");
  EXPECT_EQ(lines("metrics.lost.jsonl").size(), 1u);
}

TEST_F(Metrics, LinesThatAreNoRecordsAreMoved) {
  put("metrics.jsonl",
      std::string("\0\0\0\n", 4) + "[1]\n{\"event\":\"note\"}\n{\"event\":\"old\",\"step\":2}\n{\"step\":9}\n");
  MetricsWriter(directory_).cut_after(2, 100);
  EXPECT_EQ(content("metrics.jsonl"), "{\"event\":\"old\",\"step\":2}\n");
}

TEST_F(Metrics, NothingToCutLeavesNoLostFile) {
  MetricsWriter writer(directory_);
  writer.step(some_step(1, 1));
  writer.cut_after(1, 1);
  EXPECT_EQ(lines().size(), 1u);
  EXPECT_FALSE(fs::exists(path("metrics.lost.jsonl")));
}

TEST_F(Metrics, ADirectoryThatIsMissingIsNamed) {
  try {
    MetricsWriter writer(directory_ + "/none");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::retry);
    EXPECT_NE(std::string(error.what()).find("none/metrics.jsonl"), std::string::npos);
  }
}

TEST_F(Metrics, AFullDiskIsAnError) {
  fs::create_symlink("/dev/full", path("metrics.jsonl"));
  MetricsWriter writer(directory_);
  EXPECT_THROW(writer.step(some_step(1, 1)), Error);
}

TEST_F(Metrics, TheManifestNamesVersionsAndRanks) {
  write_manifest(directory_, {.versions = {{"mpdist", "0.1.0"}, {"oneDNN", "2.6.3"}},
                              .seed = 5,
                              .hosts = {"a", "a", "b"},
                              .nodes = {0, 0, 1},
                              .devices = {"cpu", "cpu", "gpu"}});
  const json manifest = json::parse(content("manifest.json"));
  EXPECT_EQ(manifest.at("versions"), (json{{"mpdist", "0.1.0"}, {"oneDNN", "2.6.3"}}));
  EXPECT_EQ(manifest.at("seed"), 5);
  ASSERT_EQ(manifest.at("ranks").size(), 3u);
  EXPECT_EQ(manifest.at("ranks")[2], (json{{"rank", 2}, {"host", "b"}, {"node", 1}, {"device", "gpu"}}));
  EXPECT_FALSE(fs::exists(path("manifest.json.part")));
  EXPECT_THROW(write_manifest(directory_ + "/none", {}), Error);
}

}  // namespace
}  // namespace mpdist::train
