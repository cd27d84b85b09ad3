// SPDX-License-Identifier: Apache-2.0
#include "src/train/state_digests.hpp"

#include <vector>

#include "kernels/digest.hpp"

namespace mpdist::train {

using precision::Verdict;

namespace {
constexpr std::int64_t kFirstSlot = 4;
}

StateDigests::StateDigests(const TrainingState& state, Stream& stream)
    : state_(state),
      stream_(stream),
      digests_(stream, kFirstSlot + static_cast<std::int64_t>(state.optimizer->slots().size())) {}

void StateDigests::enqueue() {
  std::vector<Tensor> all = {state_.store.master(), state_.store.working(), state_.store.statistics(),
                             state_.ema ? state_.ema->average() : Tensor()};
  for (const optim::Slot& slot : state_.optimizer->slots()) all.push_back(slot.values);
  for (std::int64_t i = 0; const Tensor& tensor : all) {
    if (tensor) kernels::digest(stream_, {.tensor = tensor, .digest = &digests_[i]});
    ++i;
  }
}

void StateDigests::fill(Verdict& verdict) const {
  verdict.equal[Verdict::audit_master] = digests_[0];
  verdict.equal[Verdict::audit_working] = digests_[1];
  verdict.equal[Verdict::audit_statistics] = digests_[2];
  verdict.equal[Verdict::audit_ema] = digests_[3];
  std::uint64_t slots = 0;
  for (std::int64_t i = kFirstSlot; i < digests_.size(); ++i) slots = slots * 3 + digests_[i];
  verdict.equal[Verdict::audit_optimizer] = slots;
}

}  // namespace mpdist::train
