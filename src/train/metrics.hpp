// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <fstream>
#include <string>

#include "src/train/reporter.hpp"

namespace mpdist::train {

/// metrics.jsonl: one JSON object a line and event (start, step, overflow, telemetry, evaluate, checkpoint, end), each
/// with step and attempted. Units stand in the keys, numbers that are not finite are null, accuracy is a fraction. A
/// line is flushed as it is written. Throws Error(retry) when a line cannot be written.
class MetricsWriter : public Reporter {
 public:
  /// Appends to `directory`/metrics.jsonl.
  explicit MetricsWriter(const std::string& directory);

  /// Before a resumed run writes: lines after the checkpoint's position (attempted, or step where a line has no
  /// attempted), and lines that a kill left torn, move to the end of metrics.lost.jsonl. The rest stays as it was, byte
  /// for byte.
  void cut_after(std::int64_t step, std::int64_t attempted);

  void start(const StartRecord& record) override;
  void step(const StepRecord& record) override;
  void overflow(const OverflowRecord& record) override;
  void telemetry(const TelemetryRecord& record) override;
  void evaluate(const EvaluateRecord& record) override;
  void checkpoint(const CheckpointRecord& record) override;
  void end(const EndRecord& record) override;

 private:
  void open();
  void write(const std::string& line);

  std::string path_, lost_path_;
  std::ofstream file_;
};

/// Whether `directory`/metrics.jsonl tells that the run came to its end ("done") at exactly this position.
bool tells_of_end(const std::string& directory, std::int64_t step, std::int64_t attempted);

}  // namespace mpdist::train
