// SPDX-License-Identifier: Apache-2.0
// What a rank says of itself in the verdict: every entry follows the state it stands for, and a difference ends the
// run.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/train/step_harness.hpp"

namespace mpdist {
namespace {

using precision::Verdict;
using test::StepHarness;
using Lanes = std::array<std::int64_t, Verdict::kLanes>;

/// The one-rank group that keeps the last record, and merges it with that of a rank elsewhere.
class Witness final : public comm::Communicator {
 public:
  int rank() const override { return self_->rank(); }
  int size() const override { return self_->size(); }
  const std::string& name() const override { return self_->name(); }
  const std::vector<int>& nodes() const override { return self_->nodes(); }
  const std::vector<std::string>& hosts() const override { return self_->hosts(); }
  void barrier() override {}
  void broadcast(std::span<std::byte>, int) override {}
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override { self_->all_gather(mine, all); }
  std::vector<std::string> all_gather_text(const std::string& mine) override { return {mine}; }
  void merge_lanes(std::span<std::int64_t> lanes, std::size_t minimum_lanes) override {
    std::copy(lanes.begin(), lanes.end(), record.begin());
    for (std::size_t i = 0; elsewhere && i < minimum_lanes; ++i) lanes[i] = std::min(lanes[i], (*elsewhere)[i]);
  }
  Stream& stream() override { return self_->stream(); }
  std::unique_ptr<comm::SharedBuffer> allocate_shared(std::size_t bytes) override {
    return self_->allocate_shared(bytes);
  }
  const std::byte* tree_all_reduce(comm::SharedBuffer& buffer, std::int64_t begin, std::int64_t count, DType wire,
                                   comm::Delivery delivery) override {
    return self_->tree_all_reduce(buffer, begin, count, wire, delivery);
  }
  const std::byte* library_all_reduce(comm::SharedBuffer& buffer, std::int64_t begin, std::int64_t count,
                                      DType wire) override {
    return self_->library_all_reduce(buffer, begin, count, wire);
  }
  std::unique_ptr<comm::Communicator> duplicate() override { return nullptr; }
  std::int64_t bytes_sent() const override { return 0; }

  Lanes record{};
  std::optional<Lanes> elsewhere;

 private:
  std::unique_ptr<comm::Communicator> self_ = comm::make_self();
};

/// A rank in the middle of a run, after two steps.
struct Rank {
  StepHarness h;
  Witness witness;
  train::StepRunner runner;
  data::Batch batch;

  explicit Rank(const std::string& optimizer = "adamw", const std::string& faults = "")
      : h(fmt::format("[run]\nsteps = 100\n[batch]\nglobal = 32\nshards = 4\n[model]\nname = \"mlp\"\nhidden = "
                      "[16]\n[precision]\nscale_initial = 1024\n[data]\nformat = \"synthetic\"\n[optimizer]\nname = "
                      "\"{}\"\nlr = 0.01\nema_decay = 0.9\n",
                      optimizer),
          {4, 4, 1}, 5, faults),
        runner(h.config, h.plan, *h.state, witness, h.gradients(), *h.schedule, *h.faults, h.stream),
        batch(h.batch(2)) {
    h.step(h.batch(0));
    h.step(h.batch(1));
  }

  Lanes attempt(bool audit) {
    runner.attempt(batch, {}, audit);
    return witness.record;
  }
};

/// Flips the lowest bit of the first FP32 value.
void flip(const Tensor& values) {
  test::edit(test::element_of(values, 0), [](const Tensor& host) { *static_cast<std::uint32_t*>(host.raw()) ^= 1; });
}

struct Change {
  const char* name;
  std::function<void(Rank&)> make;
  std::set<Verdict::Equal> seen;      ///< in every step
  std::set<Verdict::Equal> in_audit;  ///< besides
};

std::vector<Change> changes() {
  using V = Verdict;
  return {
      {"attempted", [](Rank& r) { ++r.h.state->attempted; }, {V::attempted, V::cursor}, {}},
      {"step", [](Rank& r) { ++r.h.state->step; }, {V::step}, {}},
      {"scale",
       [](Rank& r) { r.h.state->scaler.restore({.scale = 512, .tracker = 2}); },
       {V::scale_bits, V::reduced_digest},
       {}},
      {"tracker", [](Rank& r) { r.h.state->scaler.restore({.scale = 1024, .tracker = 1}); }, {V::tracker}, {}},
      {"allowance",
       [](Rank& r) { r.h.state->scaler.restore({.scale = 1024, .tracker = 2, .allowance = 0}); },
       {V::allowance},
       {}},
      {"hopeless skips",
       [](Rank& r) { r.h.state->scaler.restore({.scale = 1024, .tracker = 2, .hopeless_skips = 1}); },
       {V::hopeless_skips},
       {}},
      {"batch", [](Rank& r) { r.batch.images = r.h.batch(7).images; }, {V::reduced_digest}, {}},
      {"master", [](Rank& r) { flip(r.h.state->store.master()); }, {}, {V::audit_master}},
      {"m", [](Rank& r) { flip(r.h.state->optimizer->slots()[0].values); }, {}, {V::audit_optimizer}},
      {"v", [](Rank& r) { flip(r.h.state->optimizer->slots()[1].values); }, {}, {V::audit_optimizer}},
      {"average", [](Rank& r) { flip(r.h.state->ema->average()); }, {}, {V::audit_ema}},
      {"working",
       [](Rank& r) { test::set_value(r.h.state->store.working(), 0, 3); },
       {V::reduced_digest},
       {V::audit_working}},
  };
}

std::set<Verdict::Equal> differences(const Lanes& a, const Lanes& b) {
  Lanes merged;
  for (std::size_t i = 0; i < merged.size(); ++i) merged[i] = std::min(a[i], b[i]);
  std::vector<Verdict::Equal> different;
  Verdict::from_lanes(merged, different);
  return {different.begin(), different.end()};
}

TEST(StepAgreement, EveryEntryFollowsTheStateItStandsFor) {
  const Lanes plain = Rank().attempt(false), audited = Rank().attempt(true);
  EXPECT_TRUE(differences(plain, Rank().attempt(false)).empty());
  for (const Change& change : changes()) {
    Rank step, audit;
    change.make(step);
    change.make(audit);
    EXPECT_EQ(differences(step.attempt(false), plain), change.seen) << change.name;
    std::set<Verdict::Equal> all = change.seen;
    all.insert(change.in_audit.begin(), change.in_audit.end());
    EXPECT_EQ(differences(audit.attempt(true), audited), all) << change.name;
  }
}

TEST(StepAgreement, AnOverflowIsCountedInTheSum) {
  Rank rank("adamw", "overflow:step=2:rank=0:tensor=fc1.weight");
  const std::set<Verdict::Equal> all = differences(rank.attempt(false), Rank().attempt(false));
  EXPECT_EQ(all, (std::set<Verdict::Equal>{Verdict::reduced_digest, Verdict::sum_nonfinite}));
}

TEST(StepAgreement, AnyDifferenceEndsTheRunBeforeAnythingChanges) {
  for (const Change& change : changes()) {
    for (bool audit : {false, true}) {
      if (!audit && change.seen.empty()) continue;
      Rank other, rank;
      change.make(other);
      rank.witness.elsewhere = other.attempt(audit);
      const auto before = rank.h.everything();
      EXPECT_THROW(rank.attempt(audit), Disagreement) << change.name;
      EXPECT_EQ(rank.h.everything(), before) << change.name;
    }
  }
}

/// Before a checkpoint: all that it will hold is compared.
TEST(StepAgreement, TheAuditOutsideAStepComparesAllState) {
  for (const Change& change : changes()) {
    if (change.in_audit.empty()) continue;
    Rank other, rank;
    change.make(other);
    other.runner.audit();
    rank.witness.elsewhere = other.witness.record;
    EXPECT_THROW(rank.runner.audit(), Disagreement) << change.name;
  }
}

}  // namespace
}  // namespace mpdist
