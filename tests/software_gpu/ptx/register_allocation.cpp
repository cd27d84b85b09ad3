// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/register_allocation.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "tests/software_gpu/ptx/kernel.hpp"

namespace software_gpu::ptx {
namespace {

using Words = std::vector<std::uint64_t>;  ///< one bit a register
bool contains(const Words& words, std::size_t i) {
  return (words[i / 64] >> (i % 64) & 1) != 0;
}
void add(Words& words, std::size_t i) {
  words[i / 64] |= std::uint64_t{1} << (i % 64);
}

/// From the first to the last statement at which a register holds a value that is still needed, or is written.
struct Life {
  std::size_t first = std::numeric_limits<std::size_t>::max(), last = 0;

  bool used() const { return first <= last; }
  void extend(std::size_t at) {
    first = std::min(first, at);
    last = std::max(last, at);
  }
};

/// Statements without a branch or a label between them.
struct BasicBlock {
  std::size_t first = 0, last = 0;
  std::vector<std::size_t> successors;  ///< statements that may follow the last
  Words read_first, written, live_in;
};

bool has_destination(const Statement& statement) {
  const std::string& opcode = statement.opcode;
  return opcode != "st" && opcode != "red" && opcode != "bra" && opcode != "brx" && opcode != "call" &&
         opcode != "bar" && opcode != "barrier" && opcode != "prefetch" && opcode != "discard";
}

/// Calls use(register, whether it is written for every thread that comes by), what is read before what is written.
template <class Use>
void for_each_register(const Statement& statement, Use&& use) {
  const std::size_t destinations = !has_destination(statement) ? 0 : statement.second_destination ? 2 : 1;
  const auto visit = [&](const Operand& operand, bool writes) {
    if (operand.kind == Operand::Kind::reg) use(static_cast<std::size_t>(operand.index), writes);
    for (const Operand& item : operand.items) {
      if (item.kind == Operand::Kind::reg) use(static_cast<std::size_t>(item.index), writes);
    }
  };
  if (statement.guard >= 0) use(static_cast<std::size_t>(statement.guard), false);
  for (std::size_t i = destinations; i < statement.operands.size(); ++i) visit(statement.operands[i], false);
  for (std::size_t i = 0; i < std::min(destinations, statement.operands.size()); ++i) {
    visit(statement.operands[i],
          statement.guard < 0);  // under a guard the old value may stay: that counts as reading it
  }
}

bool ends_block(const std::string& opcode) {
  return opcode == "bra" || opcode == "brx" || opcode == "ret" || opcode == "exit" || opcode == "trap";
}

std::vector<std::size_t> successors_of(const Function& function, std::size_t at) {
  const Statement& statement = function.body[at];
  std::vector<std::size_t> next;
  if (!ends_block(statement.opcode) || statement.guard >= 0) next.push_back(at + 1);
  for (const Operand& operand : statement.operands) {
    if (operand.kind != Operand::Kind::name || !ends_block(statement.opcode)) continue;
    const auto list = function.target_lists.find(operand.text);
    const std::vector<std::string> single = {operand.text};
    for (const std::string& label : list != function.target_lists.end() ? list->second : single) {
      if (const auto target = function.labels.find(label); target != function.labels.end())
        next.push_back(target->second);
    }
  }
  return next;
}

std::vector<BasicBlock> blocks_of(const Function& function) {
  std::vector<bool> starts(function.body.size() + 1);
  for (const auto& [label, at] : function.labels) starts[at] = true;
  std::vector<BasicBlock> blocks;
  const std::size_t words = function.registers.size() / 64 + 1;
  for (std::size_t at = 0; at < function.body.size(); ++at) {
    if (at == 0 || starts[at]) blocks.push_back({at, at, {}, Words(words), Words(words), Words(words)});
    BasicBlock& block = blocks.back();
    block.last = at;
    for_each_register(function.body[at], [&](std::size_t i, bool writes) {
      if (!contains(block.written, i)) add(writes ? block.written : block.read_first, i);
    });
    if (ends_block(function.body[at].opcode)) starts[at + 1] = true;
    block.successors = successors_of(function, at);
  }
  return blocks;
}

/// What is needed at the end of a block, by the blocks that may follow.
Words live_out(const std::vector<BasicBlock>& blocks, const std::vector<std::size_t>& block_of,
               const BasicBlock& block) {
  Words live(block.live_in.size());
  for (const std::size_t next : block.successors) {
    if (next >= block_of.size()) continue;
    for (std::size_t w = 0; w < live.size(); ++w) live[w] |= blocks[block_of[next]].live_in[w];
  }
  return live;
}

/// Liveness by the data-flow equations (Aho et al. 2006, section 9.2.5).
std::vector<Life> lives_of(const Function& function) {
  std::vector<BasicBlock> blocks = blocks_of(function);
  std::vector<std::size_t> block_of(function.body.size());
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    for (std::size_t at = blocks[b].first; at <= blocks[b].last; ++at) block_of[at] = b;
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
      const Words out = live_out(blocks, block_of, *block);
      for (std::size_t w = 0; w < out.size(); ++w) {
        const std::uint64_t in = block->read_first[w] | (out[w] & ~block->written[w]);
        changed |= in != block->live_in[w];
        block->live_in[w] = in;
      }
    }
  }
  std::vector<Life> lives(function.registers.size());
  for (const BasicBlock& block : blocks) {
    const Words out = live_out(blocks, block_of, block);
    for (std::size_t i = 0; i < lives.size(); ++i) {
      if (contains(block.live_in, i)) lives[i].extend(block.first);
      if (contains(out, i)) lives[i].extend(block.last);
    }
  }
  for (std::size_t at = 0; at < function.body.size(); ++at) {
    for_each_register(function.body[at], [&](std::size_t i, bool) { lives[i].extend(at); });
  }
  return lives;
}

}  // namespace

std::uint32_t register_bytes(Type type) {
  if (type == Type::pred) return sizeof(Mask);
  return static_cast<std::uint32_t>(std::max<std::size_t>(bytes(type), 2)) * kLanes;
}

std::vector<std::uint32_t> allocate_registers(const Function& function, std::uint32_t first, std::uint32_t& end) {
  const std::vector<Life> lives = lives_of(function);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < lives.size(); ++i) {
    if (lives[i].used()) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return lives[a].first < lives[b].first; });
  std::map<std::uint32_t, std::vector<std::uint32_t>> free;  // by size
  std::multimap<std::size_t, std::size_t> active;            // by last statement
  std::vector<std::uint32_t> offsets(lives.size(), kNone);
  std::uint32_t next = (first + 63) / 64 * 64;
  for (const std::size_t i : order) {
    while (!active.empty() && active.begin()->first < lives[i].first) {
      const std::size_t done = active.begin()->second;
      free[register_bytes(function.registers[done])].push_back(offsets[done]);
      active.erase(active.begin());
    }
    const std::uint32_t size = register_bytes(function.registers[i]);
    auto& candidates = free[size];
    if (candidates.empty()) {
      const std::uint32_t count = size < 64 ? 64 / size : 1;  // predicates by the cache line
      for (std::uint32_t j = count; j-- > 0;) candidates.push_back(next + j * size);
      next += count * size;
    }
    offsets[i] = candidates.back();
    candidates.pop_back();
    active.emplace(lives[i].last, i);
  }
  end = std::max(end, next);
  return offsets;
}

}  // namespace software_gpu::ptx
