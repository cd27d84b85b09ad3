// SPDX-License-Identifier: Apache-2.0
#include "src/train/reporters.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>

#include "src/core/log.hpp"

namespace mpdist::train {
namespace {

/// "1 h 02 min", "3 min 20 s", "12 s"
std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

/// Waiting for data is told from this share of the time on: below it there is nothing to gain.
constexpr double kWaitToTell = 0.03;

std::string progress_text(const StepRecord& r, double time_left_s) {
  const std::string waiting = r.data_wait_fraction < kWaitToTell
                                  ? std::string()
                                  : fmt::format("waiting for data {:.0f} %  ", 100 * r.data_wait_fraction);
  return fmt::format(
      "step {}  epoch {:.2f}  loss {:.4f}  accuracy {:.1f} %  {:.0f} samples/s  {}scale {:g}  skipped {}  left {}",
      r.step, r.epoch, r.loss, 100 * r.accuracy, r.samples_per_s, waiting, r.loss_scale, r.skipped,
      duration_text(time_left_s));
}

/// "3.1 % zero, 12.0 % subnormal, 20.5 % lost at scale 1, 4 doublings left"
std::string range_text(const precision::RangeSummary& range) {
  std::string text = fmt::format("{:.1f} % zero, {:.1f} % subnormal, {:.1f} % lost at scale 1", range.zero_percent,
                                 range.subnormal_percent, range.lost_at_scale_1_percent);
  if (range.nonfinite > 0) return text + fmt::format(", {} not finite", range.nonfinite);
  return range.headroom ? text + fmt::format(", {} doublings left", *range.headroom) : text;
}

}  // namespace

bool watched_on_terminal() {
  if (isatty(STDERR_FILENO)) return true;
  const std::string parent = fmt::format("/proc/{}", getppid());
  std::string command;
  std::getline(std::ifstream(parent + "/comm"), command);
  constexpr std::array launchers{"mpirun", "mpiexec", "orterun", "prterun", "mpirun.openmpi", "mpiexec.openmp"};
  if (std::find(launchers.begin(), launchers.end(), command) == launchers.end()) return false;
  const int file = open((parent + "/fd/2").c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (file < 0) return false;
  const bool terminal = isatty(file);
  close(file);
  return terminal;
}

Console default_console() {
  Console console{.line = [](const std::string& text) { log::line(text); }, .live = {}};
  if (watched_on_terminal()) {
    console.live = [](const std::string& text) { log::live(text); };
    console.interval_s = 0.1;
  }
  return console;
}

ConsoleReporter::ConsoleReporter(Console console) : console_(std::move(console)) {}

ConsoleReporter::~ConsoleReporter() {
  if (console_.live) console_.live("");
}

void ConsoleReporter::start(const StartRecord& r) {
  const std::string from = r.resumed_from.empty() ? "" : fmt::format(", from {} (step {})", r.resumed_from, r.step);
  console_.line(fmt::format("{}: {} parameters in {}, batch {} in {} shards, {} training samples{}", r.name,
                            r.parameters, r.compute, r.global_batch, r.shards, r.training_samples, from));
  console_.line(fmt::format("{} rank{} on {} node{} ({}), {} thread{} a rank, gradients by {}", r.ranks,
                            r.ranks > 1 ? "s" : "", r.nodes, r.nodes > 1 ? "s" : "", r.devices, r.threads_per_rank,
                            r.threads_per_rank > 1 ? "s" : "", r.transport));
}

void ConsoleReporter::step(const StepRecord& r) {
  smoothed_ms_ = smoothed_ms_ > 0 ? 0.9 * smoothed_ms_ + 0.1 * r.step_ms : r.step_ms;
  const auto now = std::chrono::steady_clock::now();
  if (last_.time_since_epoch().count() && std::chrono::duration<double>(now - last_).count() < console_.interval_s)
    return;
  last_ = now;
  const std::string text = progress_text(r, smoothed_ms_ * 1e-3 * static_cast<double>(r.remaining));
  console_.live ? console_.live(text) : console_.line(text);
}

void ConsoleReporter::overflow(const OverflowRecord& r) {
  console_.line(fmt::format("batch {} skipped: {}; loss scale {:g} -> {:g}", r.attempted, r.diagnosis, r.loss_scale,
                            r.next_loss_scale));
}

void ConsoleReporter::telemetry(const TelemetryRecord& r) {
  const kernels::ExponentCounts gradients = precision::total(r.gradients);
  const kernels::ExponentCounts activations = precision::total(r.activation_gradients);
  const kernels::ExponentCounts both = precision::total(r.activation_gradients, gradients);
  const auto wanted = precision::recommended_scale(precision::summarise(both, r.loss_scale), r.loss_scale, r.limits);
  console_.line(fmt::format("batch {} at scale {:g}: gradients {}; activation gradients {}{}", r.attempted,
                            r.loss_scale, range_text(precision::summarise(gradients, r.loss_scale)),
                            range_text(precision::summarise(activations, r.loss_scale)),
                            wanted ? fmt::format("; recommended scale {:g}", *wanted) : ""));
}

void ConsoleReporter::evaluate(const EvaluateRecord& r) {
  console_.line(fmt::format("step {}: evaluation loss {:.4f}, accuracy {:.2f} % of {} samples", r.step, r.loss,
                            100 * r.accuracy, r.samples));
}

void ConsoleReporter::checkpoint(const CheckpointRecord& r) {
  console_.line(fmt::format("step {}: checkpoint {}", r.step, r.path));
}

void ConsoleReporter::end(const EndRecord& r) {
  console_.line(fmt::format("{} after {}: step {}, {} batches, {} skipped", r.reason, duration_text(r.wall_s), r.step,
                            r.attempted, r.skipped));
}

}  // namespace mpdist::train
