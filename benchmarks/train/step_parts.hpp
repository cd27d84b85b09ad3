// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "benchmarks/kernels/floor.hpp"
#include "comm/communicator.hpp"
#include "comm/gradient_reducer.hpp"
#include "data/loader.hpp"
#include "src/optim/schedule.hpp"
#include "src/train/step.hpp"

namespace mpdist::benchmarks {

/// A run of one rank on its real data, without files: steps as a whole, and steps taken apart. Two of them from the
/// same config start alike.
class Workbench {
 public:
  explicit Workbench(const std::string& config_path, const std::vector<std::string>& overrides);

  /// The next batch, prepared in this thread.
  data::Batch load() { return loader_->get(state->attempted); }
  void whole_step(const data::Batch& batch);

  train::Config config;
  data::Datasets datasets;
  train::Plan plan;
  Stream stream;
  std::unique_ptr<comm::Communicator> communicator;
  std::unique_ptr<train::TrainingState> state;
  std::unique_ptr<optim::Schedule> schedule;
  train::FaultPlan faults{{}, 0, stream};
  std::unique_ptr<train::StepRunner> runner;

 private:
  std::unique_ptr<data::Loader> loader_;
};

/// One part of a step: CPU seconds of all local shards together, and of what it would take at best.
struct Part {
  std::string name;
  double seconds = 0, floor = 0;
  bool matrix = false;  ///< the floor is oneDNN's primitives; else a copy of as many bytes
};

/// Steps of a workbench cut where an observer and the gradient callback see them: the product's own pieces in the order
/// of StepRunner.
class DividedStep {
 public:
  explicit DividedStep(Workbench& bench);

  /// One step; the time of each part is kept where it is the least so far.
  void run(const data::Batch& batch);
  /// In the order of the step, with floors measured now.
  std::vector<Part> parts();

 private:
  class Clockwork;
  struct Work {
    double now = 0, best = 0;
    MatrixOperation matrix;  ///< out 0: none
    double bytes = 0;        ///< of one step, to be moved at least
    bool forward = false;
  };
  Work& work(const std::string& name);
  void describe(const std::string& name, const std::string& layer, const std::string& operation, bool forward,
                const Tensor& value);
  void finish(double unscale);

  Workbench& bench_;
  comm::GradientReducer reducer_;
  std::vector<kernels::SegmentSpan> segments_;
  std::vector<kernels::TensorStatistics> statistics_;
  std::vector<std::string> order_;
  std::map<std::string, Work> works_;
  double mark_ = 0;
};

}  // namespace mpdist::benchmarks
