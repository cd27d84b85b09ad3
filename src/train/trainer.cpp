// SPDX-License-Identifier: Apache-2.0
#include "src/train/trainer.hpp"

#include <optional>

#include "comm/factory.hpp"
#include "data/loader.hpp"
#include "src/core/log.hpp"
#include "src/core/range.hpp"
#include "src/optim/schedule.hpp"
#include "src/train/batch_upload.hpp"
#include "src/train/checkpoints.hpp"
#include "src/train/datasets.hpp"
#include "src/train/evaluator.hpp"
#include "src/train/faults.hpp"
#include "src/train/initial_weights.hpp"
#include "src/train/registry.hpp"
#include "src/train/run_log.hpp"
#include "src/train/step.hpp"

namespace mpdist::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// What `make` returns, made on every rank together.
template <class Make>
auto made_together(comm::Communicator& communicator, Make make) {
  std::optional<decltype(make())> made;
  together(communicator, [&] { made.emplace(make()); });
  return std::move(*made);
}

/// One run from its validated config to its last checkpoint.
class Trainer {
 public:
  Trainer(const Config& config, comm::Communicator& communicator, const RunContext& context)
      : config_(config),
        communicator_(communicator),
        context_(context),
        stream_(*context.pool),
        datasets_(made_together(communicator, [&] { return open_datasets(config); })),
        plan_(made_together(communicator,
                            [&] { return make_plan(config, datasets_.train->size(), communicator.size()); })),
        schedule_(
            entry_named(optim::schedules(), config.schedule.name).make(*config.schedule.options, plan_.max_steps)),
        augmentation_(made_together(
            communicator,
            [&] { return data::Augmentation(config.data.augmentation, datasets_.train->image_shape(), seed()); })),
        model_state_(made_together(communicator,
                                   [&] {
                                     return std::make_unique<TrainingState>(config, datasets_.train->image_shape(),
                                                                            datasets_.train->classes(), stream_);
                                   })),
        state_(*model_state_),
        faults_(made_together(communicator, [&] { return checked_faults(); }), communicator.rank(), stream_) {
    agree();
    take_initial_weights(state_, config, communicator, stream_);
  }

  ExitCode run();

 private:
  std::vector<Fault> checked_faults() const;
  void agree();
  RunFacts facts() const;
  void train(Checkpoints& checkpoints, RunLog& log);
  void after_step(const StepReport& report, StepRunner& runner, Checkpoints& checkpoints, RunLog& log);
  bool wants_to_stop() const;
  std::uint64_t seed() const { return static_cast<std::uint64_t>(config_.run.seed); }
  void evaluate_now(Checkpoints& checkpoints, RunLog& log);
  void save_now(StepRunner& runner, Checkpoints& checkpoints, RunLog& log);
  bool evaluated() const { return evaluation_step_ == state_.step && evaluation_; }

  const Config& config_;
  comm::Communicator& communicator_;
  const RunContext& context_;
  Stream stream_;
  data::Datasets datasets_;
  std::uint64_t train_digest_ = 0, test_digest_ = 0;
  Plan plan_;
  std::unique_ptr<optim::Schedule> schedule_;
  data::Augmentation augmentation_;
  std::unique_ptr<TrainingState> model_state_;
  TrainingState& state_;
  FaultPlan faults_;
  std::optional<Evaluation> evaluation_;
  std::int64_t evaluation_step_ = -1;
  bool stopped_ = false;
};

std::vector<Fault> Trainer::checked_faults() const {
  std::vector<Fault> faults = parse_faults(context_.faults);
  check_faults(faults, state_.store, communicator_.size());
  return faults;
}

void Trainer::agree() {
  together(communicator_, [&] {  // both may read files
    train_digest_ = datasets_.train->digest();
    test_digest_ = datasets_.test->digest();
  });
  std::vector<Fact> all = context_.facts;
  for (const auto& [key, value] : key_values(config_)) all.push_back({key, value});
  all.push_back({"data set", fmt::format("{} samples, digest {:016x}", datasets_.train->size(), train_digest_)});
  all.push_back({"test set", fmt::format("{} samples, digest {:016x}", datasets_.test->size(), test_digest_)});
  std::string shapes;
  for (const Parameter* p : state_.store.parameters()) shapes += p->name + p->shape.to_string() + " ";
  all.push_back({"parameters", shapes});
  all.push_back({"MPDIST_FAULT", context_.faults});
  agree_on(communicator_, all);
}

RunFacts Trainer::facts() const {
  return {.config_text = to_toml(config_),
          .versions = context_.versions,
          .ranks = plan_.ranks,
          .samples = plan_.samples,
          .data_digest = train_digest_};
}

bool Trainer::wants_to_stop() const {
  const bool late = config_.run.time_limit_s > 0 && seconds_since(context_.started) > config_.run.time_limit_s;
  return late || context_.stop_requested();
}

ExitCode Trainer::run() {
  RunLog log(config_, plan_, communicator_, context_);
  Checkpoints checkpoints(config_, communicator_, facts(), stream_.pool());
  const bool resumed = checkpoints.resume(state_, stream_);
  const bool finished = resumed && plan_.finished(state_.step, state_.attempted);
  if (finished && (!plan_.just_finished(state_.step, state_.attempted) || log.tells_of_end(state_))) {
    log::info("{} is finished: step {}, {} skipped; nothing to do (raise run.steps or run.epochs to go on)",
              config_.run.output_directory(), state_.step, state_.skipped);
    return ExitCode::done;
  }
  log.start(state_, checkpoints.resumed_from(), datasets_);
  if (finished) {  // a kill came between the last checkpoint and the end
    evaluate_now(checkpoints, log);
  } else {
    train(checkpoints, log);
  }
  log.end(state_, stopped_ ? "stopped" : "done");
  return stopped_ ? ExitCode::stopped : ExitCode::done;
}

void Trainer::train(Checkpoints& checkpoints, RunLog& log) {
  const bool gpu = stream_.device() == Device::cuda;
  const std::unique_ptr<comm::Communicator> nccl = gpu ? comm::make_nccl(communicator_) : nullptr;
  StepRunner runner(config_, plan_, state_, communicator_, gpu ? *nccl : communicator_, *schedule_, faults_, stream_);
  data::Loader loader(*datasets_.train, augmentation_, data::Sampler(plan_.samples, seed(), datasets_.train->blocks()),
                      {.global_batch = plan_.global_batch,
                       .first = plan_.first_position(communicator_.rank()),
                       .rows = plan_.local_rows(),
                       .dtype = state_.store.compute_type(),
                       .workers = config_.data.workers,
                       .prefetch = config_.data.prefetch,
                       .pool = &stream_.host_pool()});
  BatchUpload upload(stream_);
  while (!stopped_ && !plan_.finished(state_.step, state_.attempted)) {
    if (!upload.has_begun()) upload.begin(loader.get(state_.attempted));
    const data::Batch batch = upload.take();
    const bool audit = state_.attempted > 0 && state_.attempted % config_.run.audit_every == 0;
    const StepHooks hooks{.while_waiting =
                              [&] {  // the GPU computes: time to fetch the next batch
                                if (gpu) upload.begin(loader.get(state_.attempted + 1));
                              },
                          .before_update = [&] { checkpoints.wait_copied(); }};
    const StepReport report =
        runner.attempt(batch, {.stop = wants_to_stop(), .save = checkpoints.due_by_clock()}, audit, hooks);
    log.step(report, runner, state_, loader.wait_s());
    log.checkpoint(checkpoints.take_saved());
    after_step(report, runner, checkpoints, log);
  }
  checkpoints.wait_copied();
  if (!stopped_ && !evaluated()) evaluate_now(checkpoints, log);
  if (!checkpoints.holds(state_)) save_now(runner, checkpoints, log);
  log.checkpoint(checkpoints.finish());
}

void Trainer::after_step(const StepReport& report, StepRunner& runner, Checkpoints& checkpoints, RunLog& log) {
  if (state_.scaler.exhausted()) {
    log.end(state_, "diverged");
    throw collective(
        NumericsError(fmt::format("{} steps in a row were skipped and the loss scale {} cannot fall: {}; lower "
                                  "optimizer.lr, check the data, or start "
                                  "from an earlier checkpoint",
                                  config_.precision.scaler.patience, report.new_loss_scale, report.diagnosis.text)));
  }
  stopped_ =
      report.stop && !plan_.finished(state_.step, state_.attempted);  // a request at the very end changes nothing
  const bool applied = report.event == precision::StepEvent::clean;
  if (applied && config_.evaluate.every > 0 && state_.step % config_.evaluate.every == 0)
    evaluate_now(checkpoints, log);
  if (report.save || (applied && checkpoints.due_at(state_.step))) save_now(runner, checkpoints, log);
}

void Trainer::evaluate_now(Checkpoints& checkpoints, RunLog& log) {
  checkpoints.wait_copied();  // evaluating an average borrows the weights
  evaluation_ = evaluate(config_, plan_, state_, *datasets_.test, augmentation_, communicator_, stream_);
  evaluation_step_ = state_.step;
  log.evaluation(*evaluation_, state_);
}

/// A checkpoint is written only when its audit agreed.
void Trainer::save_now(StepRunner& runner, Checkpoints& checkpoints, RunLog& log) {
  const Range range("checkpoint");
  runner.audit();
  log.checkpoint(checkpoints.take_saved(true));
  checkpoints.save(state_, evaluated() ? evaluation_ : std::nullopt);
}

}  // namespace

ExitCode run(const Config& config, comm::Communicator& communicator, const RunContext& context) {
  return Trainer(config, communicator, context).run();
}

}  // namespace mpdist::train
