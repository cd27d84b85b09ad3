// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <functional>
#include <string>

#include "src/train/reporter.hpp"

namespace mpdist::train {

/// Where console lines go and how often; the defaults are the log of the process.
struct Console {
  std::function<void(const std::string&)> line;  ///< a line that stays
  std::function<void(const std::string&)> live;  ///< the progress line of a terminal; empty: progress comes as lines
  double interval_s = 5;                         ///< least time between two reports of progress
};

/// Lines to the log; live progress ten times a second where someone watches a terminal, else a line every 5 s.
Console default_console();

/// Whether stderr ends at a terminal: its own, or that of the mpirun that started this process and forwards it.
bool watched_on_terminal();

/// Step, epoch, loss, accuracy, samples/s, loss scale, skipped and time left, for people.
class ConsoleReporter : public Reporter {
 public:
  explicit ConsoleReporter(Console console);
  ~ConsoleReporter() override;

  void start(const StartRecord& record) override;
  void step(const StepRecord& record) override;
  void overflow(const OverflowRecord& record) override;
  void telemetry(const TelemetryRecord& record) override;
  void evaluate(const EvaluateRecord& record) override;
  void checkpoint(const CheckpointRecord& record) override;
  void end(const EndRecord& record) override;

 private:
  Console console_;
  std::chrono::steady_clock::time_point last_{};
  double smoothed_ms_ = 0;  ///< of a step, for the time left
};

}  // namespace mpdist::train
