// SPDX-License-Identifier: Apache-2.0
#include "src/train/study.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/train/study_report.hpp"

namespace mpdist::train {
namespace {

constexpr const char* kEvents =
    R"({"event":"start","step":0,"attempted":0}
{"event":"step","step":10,"attempted":10,"samples_per_s":50}
{"event":"step","step":20,"attempted":20,"samples_per_s":100}
{"event":"overflow","step":20,"attempted":21,"diagnosis":"overflow in backward: tensor fc1.weight"}
{"event":"step","step":29,"attempted":30,"samples_per_s":120}
{"event":"evaluate","step":29,"attempted":30,"loss":0.5,"accuracy":0.8}
)";

std::string ended(const std::string& reason) {
  return kEvents + (R"({"event":"end","step":29,"attempted":30,"skipped":1,"reason":")" + reason +
                    R"(","wall_s":3,"peak_bytes":{"activations":2097152,"data":0}})" + "\n");
}

TEST(StudyOutcome, IsReadFromTheEvents) {
  const auto outcome = outcome_of_events(ended("done"));
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->diverged);
  EXPECT_EQ(outcome->reason, "");
  EXPECT_EQ(outcome->accuracy, 0.8);
  EXPECT_EQ(outcome->loss, 0.5);
  EXPECT_EQ(outcome->step, 29);
  EXPECT_EQ(outcome->skipped, 1);
  EXPECT_EQ(outcome->samples_per_s, 110) << "the median without the first record";
  const std::vector<std::pair<std::string, std::int64_t>> peaks = {{"activations", 2097152}, {"data", 0}};
  EXPECT_EQ(outcome->peak_bytes, peaks);
}

TEST(StudyOutcome, APartOfARunIsNone) {
  EXPECT_FALSE(outcome_of_events(""));
  EXPECT_FALSE(outcome_of_events(kEvents)) << "killed";
  EXPECT_FALSE(outcome_of_events(ended("stopped")));
  EXPECT_FALSE(outcome_of_events(ended("done") + kEvents)) << "made longer, then killed";
  EXPECT_FALSE(outcome_of_events(std::string(kEvents) + R"({"event":"end","reason":"do)")) << "a torn line";
}

TEST(StudyOutcome, AnEndThatLacksSomethingNamesItsFile) {
  for (const char* end : {R"({"event":"end","reason":"done","step":1,"skipped":0})",
                          R"({"event":"end","reason":"done","step":"1","skipped":0,"peak_bytes":{}})",
                          R"({"event":"end","reason":"done","step":1,"skipped":0,"peak_bytes":{"data":null}})"}) {
    try {
      outcome_of_events(end, "run/metrics.jsonl");
      ADD_FAILURE() << end;
    } catch (const FormatError& error) {
      EXPECT_NE(std::string(error.what()).find("run/metrics.jsonl: end event, "), std::string::npos) << error.what();
    }
  }
  EXPECT_FALSE(outcome_of_events(R"({"event":3})"));
}

TEST(StudyOutcome, DivergedByItsEndOrByItsLoss) {
  const auto exhausted = outcome_of_events(ended("diverged"));
  ASSERT_TRUE(exhausted);
  EXPECT_TRUE(exhausted->diverged);
  EXPECT_EQ(exhausted->reason, "overflow in backward: tensor fc1.weight");
  std::string text = ended("done");
  text.replace(text.find("\"loss\":0.5"), 10, "\"loss\":null");
  EXPECT_TRUE(outcome_of_events(text)->diverged);
}

SettingOutcomes some_setting(const std::string& name, const std::vector<double>& accuracies) {
  SettingOutcomes setting{.setting = {.name = name}};
  for (double accuracy : accuracies) {
    setting.seeds.push_back(static_cast<std::int64_t>(setting.seeds.size()) + 1);
    setting.outcomes.push_back({.diverged = std::isnan(accuracy),
                                .accuracy = accuracy,
                                .loss = 1 - accuracy,
                                .samples_per_s = 1000,
                                .peak_bytes = {{"activations", 3 << 20}}});
  }
  return setting;
}

TEST(StudyComparison, Verdicts) {
  const SettingOutcomes fp32 = some_setting("fp32", {0.90, 0.91, 0.92, 0.91});
  EXPECT_EQ(compare(some_setting("bf16", {0.91, 0.90, 0.92, 0.91}), fp32).verdict, "no difference found");
  EXPECT_EQ(compare(some_setting("bf16", {0.80, 0.82, 0.81, 0.80}), fp32).verdict, "worse");
  EXPECT_EQ(compare(some_setting("bf16", {0.95, 0.97, 0.96, 0.97}), fp32).verdict, "better");
  EXPECT_EQ(compare(some_setting("bf16", {0.95}), fp32).verdict, "not tested");
  const Comparison diverges = compare(some_setting("bf16", {0.91, std::nan(""), 0.92, 0.91}), fp32);
  EXPECT_EQ(diverges.verdict, "diverges");
  EXPECT_EQ(diverges.test->pairs, 3) << "the pairs of which both finished";
}

TEST(StudyComparison, PairsAreThoseOfEqualSeeds) {
  const SettingOutcomes fp32 = some_setting("fp32", {0.90, 0.91, 0.92});
  SettingOutcomes later = some_setting("bf16", {0.93, 0.95});
  later.seeds = {2, 3};
  EXPECT_NEAR(compare(later, fp32).test->differences.mean, 0.025, 1e-12);
}

const char* const kConfig = R"(
[run]
name = "tiny"
steps = 3
seed = 7
output = "out/{name}"
[precision]
compute = "bf16"
[model]
name = "mlp"
[data]
format = "synthetic"
)";

TEST(StudyReport, TablesSayWhatTheRunsCameTo) {
  const Config config = parse_config(kConfig, "tiny.toml", {});
  const std::vector<SettingOutcomes> all = {some_setting("fp32", {0.5, 0.75}),
                                            some_setting("fp16-unscaled", {std::nan(""), std::nan("")}),
                                            some_setting("bf16", {0.5, 0.75})};
  const std::string text = study_text(config, all);
  for (const char* part :
       {"# Precision study: tiny", "| fp32 | 2 | 0 | 62.50 ± 17.68 | 0.3750 ± 0.1768 | 0.0 ± 0.0 | 1000 ± 0 |",
        "| fp16-unscaled | 2 | 2 | - | - | 0.0 ± 0.0 | 1000 ± 0 |", "| setting | activations |", "| bf16 | 3.00 |",
        "| fp16-unscaled | - | - | - | - | - | diverges |",
        "| bf16 | 2 | +0.000 | +0.000 to +0.000 | 1.000 | 1.000 | no difference found |"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  const auto json = nlohmann::json::parse(study_json(config, all));
  EXPECT_EQ(json["settings"][1]["diverged"], 2);
  EXPECT_TRUE(json["settings"][1]["runs"][0]["accuracy"].is_null());
  EXPECT_EQ(json["settings"][2]["against_fp32"]["p_paired_t"], 1);
  EXPECT_FALSE(json["settings"][0].contains("against_fp32"));
}

TEST(StudyReport, WithoutFp32NothingIsCompared) {
  const Config config = parse_config(kConfig, "tiny.toml", {});
  EXPECT_NE(study_text(config, {some_setting("bf16", {0.5, 0.6})}).find("Nothing is compared"), std::string::npos);
}

TEST(StudySettings, ARunsConfig) {
  const Config config = parse_config(kConfig, "tiny.toml", {});
  const std::vector<StudySetting> settings =
      chosen_settings({.settings = {"fp16-constant", "fp32"}, .constant_scale = 8});
  ASSERT_EQ(settings.size(), 2u);
  const Config run = study_run_config(config, settings[0], 9);
  EXPECT_EQ(run.precision.compute, "fp16");
  EXPECT_EQ(run.precision.scaler_options().initial, 8);
  EXPECT_FALSE(run.precision.scaler_options().dynamic);
  EXPECT_EQ(run.run.seed, 9);
  EXPECT_EQ(run.run.output_directory(), "out/tiny_study/fp16-constant/seed_9");
  EXPECT_EQ(chosen_settings({}).size(), 5u);
}

TEST(StudySettings, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW(chosen_settings({.settings = {"fp17"}}), UsageError);
  EXPECT_THROW(chosen_settings({.settings = {"bf16", "bf16"}}), UsageError);
  for (double scale : {0.0, 3.0, -2.0, std::nan(""), 0x1p61}) {
    EXPECT_THROW(chosen_settings({.constant_scale = scale}), UsageError) << scale;
  }
}

}  // namespace
}  // namespace mpdist::train
