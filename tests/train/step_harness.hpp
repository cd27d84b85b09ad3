// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/factory.hpp"
#include "kernels/threads.hpp"
#include "src/optim/schedule.hpp"
#include "src/train/config.hpp"
#include "src/train/step.hpp"
#include "tests/support/fill.hpp"

namespace mpdist::test {

/// One rank on the device under test that runs steps on batches the test makes: everything the trainer has but data,
/// files and the loop.
struct StepHarness {
  train::Config config;
  train::Plan plan;
  Stream& stream = stream_under_test();
  std::unique_ptr<comm::Communicator> communicator = comm::make_self();
  std::unique_ptr<comm::Communicator> nccl = stream.device() == Device::cuda ? comm::make_nccl(*communicator) : nullptr;
  std::unique_ptr<train::TrainingState> state;
  std::unique_ptr<optim::Schedule> schedule;
  std::unique_ptr<train::FaultPlan> faults;
  std::unique_ptr<train::StepRunner> runner;
  Shape image;
  std::int64_t classes;

  StepHarness(const std::string& toml, Shape image_shape, std::int64_t class_count, const std::string& fault_text = "")
      : config(train::parse_config(toml, "test.toml", {})), image(image_shape), classes(class_count) {
    kernels::cpu::set_threads(static_cast<int>(config.run.threads_per_rank));
    plan = train::make_plan(config, 1000, 1);
    state = std::make_unique<train::TrainingState>(config, image, classes, stream);
    for (const optim::ScheduleEntry& entry : optim::schedules()) {
      if (entry.name == config.schedule.name) schedule = entry.make(*config.schedule.options, plan.max_steps);
    }
    faults = std::make_unique<train::FaultPlan>(train::parse_faults(fault_text), 0, stream);
    runner = std::make_unique<train::StepRunner>(config, plan, *state, *communicator, gradients(), *schedule, *faults,
                                                 stream);
  }

  comm::Communicator& gradients() const { return nccl ? *nccl : *communicator; }

  /// A batch of host memory on the device under test.
  static data::Batch on_device(data::Batch batch) {
    batch.images = to_device(stream_under_test(), batch.images, MemoryKind::data);
    batch.labels = to_device(stream_under_test(), batch.labels, MemoryKind::data);
    return batch;
  }

  /// Random images and labels of batch k.
  data::Batch batch(std::int64_t k) const {
    Shape shape{plan.global_batch};
    for (std::int64_t extent : image) shape.append(extent);
    data::Batch result{.attempted = k,
                       .images = Tensor(shape, config.precision.compute_type(), MemoryKind::data),
                       .labels = Tensor({plan.global_batch}, DType::int32, MemoryKind::data)};
    fill_uniform(result.images, static_cast<std::uint64_t>(100 + k));
    for (std::int64_t i = 0; i < plan.global_batch; ++i) {
      result.labels.data<std::int32_t>()[i] = static_cast<std::int32_t>((i * 7 + k) % classes);
    }
    return on_device(std::move(result));
  }

  train::StepReport step(const data::Batch& data, bool audit = false) { return runner->attempt(data, {}, audit); }
  train::StepReport step() { return step(batch(state->attempted)); }

  /// Every bit of masters, working copy, optimizer slots and average.
  std::vector<std::vector<double>> everything() const {
    std::vector<std::vector<double>> all = {values_of(state->store.working())};
    for (const checkpoint::NamedTensor& t : train::state_tensors(*state)) all.push_back(values_of(t.values));
    return all;
  }
};

}  // namespace mpdist::test
