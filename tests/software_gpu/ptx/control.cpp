// SPDX-License-Identifier: Apache-2.0
// Branches, barriers, fences, and what has no effect here. Targets of branches and calls are the assembler's.
#include "tests/software_gpu/ptx/barrier_option.hpp"
#include "tests/software_gpu/ptx/block.hpp"
#include "tests/software_gpu/ptx/lanes.hpp"

namespace software_gpu::ptx {

void run_warp_barrier(Warp& warp, const Instruction& x, Mask mask);

namespace {

void run_nothing(Warp&, const Instruction&, Mask) {}
void run_fence(Warp& warp, const Instruction&, Mask) {
  warp.block.fence();
}

void decode_branch(Builder& b) {
  b.take("uni");
  b.x.flow = Flow::branch;
  b.finish(1);
}
void decode_indexed_branch(Builder& b) {
  if (!b.take("idx")) b.fail("only brx.idx");
  b.take("uni");
  b.source(0, 0, 4);
  b.x.flow = Flow::indexed_branch;
  b.finish(2);
}
void decode_exit(Builder& b) {
  b.take("uni");
  b.x.flow = Flow::exit;
  b.finish(0);
}
void decode_trap(Builder& b) {
  b.x.flow = Flow::trap;
  b.finish(0);
}

void decode_warp_barrier(Builder& b) {
  b.take("sync");
  b.source(3, 0, 4);
  b.x.flow = Flow::convergent;
  b.x.execute = run_warp_barrier;
  b.finish(1);
}

/// bar.sync a{, b}; bar.arrive a, b; bar.red.op d, a{, b}, {!}p
void decode_barrier(Builder& b) {
  b.take("cta");
  const bool aligned = b.take("aligned") || b.statement.opcode == "bar";
  if (b.take("warp")) return decode_warp_barrier(b);
  const std::size_t kind = b.take_one_of({"sync", "arrive", "red"});
  b.x.flow = Flow::barrier;
  b.x.option = (aligned ? kBarrierAligned : 0) | (kind == 1 ? kBarrierArrive : 0);
  std::size_t first = 0, last = b.operands();
  if (kind == 2) {
    const std::size_t operation = b.take_one_of({"popc", "and", "or"});
    b.x.option |= operation == 0 ? kBarrierCount : operation == 1 ? kBarrierAnd : kBarrierOr;
    operation == 0 ? b.destination(0, 4) : b.predicate_destination(0);
    first = 1;
    --last;
    b.predicate_source(2, last);
    if (b.operand(last).negated) b.x.option |= kBarrierNegated;
  }
  b.source(0, first, 4);
  if (last - first == 2) b.source(1, first + 1, 4);
  if (last - first > 2 || (kind == 1 && last - first != 2)) b.fail("number of operands");
  b.finish(b.operands());
}

/// Blocks run one after the other, so memory is always up to date; fences matter to the check of races.
void decode_fence(Builder& b) {
  const bool block_only = b.take("cta");
  for (const char* word : {"gl", "sys", "gpu", "sc", "acq_rel", "acquire", "release"}) b.take(word);
  b.x.execute = block_only ? run_nothing : run_fence;
  b.finish(0);
}
void decode_nothing(Builder& b) {
  for (const char* word : {"global", "local", "L1", "L2", "L2::128B"}) b.take(word);
  b.x.execute = run_nothing;
  b.finish(b.operands());
}

}  // namespace

const std::vector<DecoderEntry>& control_decoders() {
  static const std::vector<DecoderEntry> table = {
      {"bra", decode_branch},       {"brx", decode_indexed_branch}, {"ret", decode_exit},
      {"exit", decode_exit},        {"trap", decode_trap},          {"bar", decode_barrier},
      {"barrier", decode_barrier},  {"membar", decode_fence},       {"fence", decode_fence},
      {"prefetch", decode_nothing}, {"nanosleep", decode_nothing},  {"discard", decode_nothing},
  };
  return table;
}

}  // namespace software_gpu::ptx
