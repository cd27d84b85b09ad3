// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/register_allocation.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "tests/software_gpu/ptx/kernel.hpp"

namespace software_gpu::ptx {
namespace {

/// From the first to the last statement that names a register.
struct Life {
  std::size_t first = std::numeric_limits<std::size_t>::max(), last = 0;
  bool defined_first = false;  ///< its first statement writes it, for every thread that comes by

  bool used() const { return first <= last; }
};
struct Loop {
  std::size_t first, last;
};

void visit(std::vector<Life>& lives, const Operand& operand, std::size_t at, bool definition) {
  for (const Operand& item : operand.items) visit(lives, item, at, definition);
  if (operand.kind != Operand::Kind::reg) return;
  Life& life = lives[static_cast<std::size_t>(operand.index)];
  if (!life.used()) {
    life.first = at;
    life.defined_first = definition;
  } else if (life.first == at && !definition) {
    life.defined_first = false;  // reads itself
  }
  life.last = at;
}

bool has_destination(const Statement& statement) {
  const std::string& opcode = statement.opcode;
  return opcode != "st" && opcode != "red" && opcode != "bra" && opcode != "brx" && opcode != "call";
}

std::vector<Life> lives_of(const Function& function) {
  std::vector<Life> lives(function.registers.size());
  for (std::size_t at = 0; at < function.body.size(); ++at) {
    const Statement& statement = function.body[at];
    const std::size_t destinations = !has_destination(statement) ? 0 : statement.second_destination ? 2 : 1;
    for (std::size_t i = 0; i < statement.operands.size(); ++i) {
      visit(lives, statement.operands[i], at, i < destinations && statement.guard < 0);
    }
    if (statement.guard < 0) continue;
    Operand guard;
    guard.kind = Operand::Kind::reg;
    guard.index = statement.guard;
    visit(lives, guard, at, false);
  }
  return lives;
}

std::vector<Loop> loops_of(const Function& function) {
  std::vector<Loop> loops;
  const auto add = [&](const std::string& label, std::size_t at) {
    const auto target = function.labels.find(label);
    if (target != function.labels.end() && target->second <= at) loops.push_back({target->second, at});
  };
  for (std::size_t at = 0; at < function.body.size(); ++at) {
    for (const Operand& operand : function.body[at].operands) {
      if (operand.kind != Operand::Kind::name) continue;
      add(operand.text, at);
      const auto list = function.target_lists.find(operand.text);
      if (list == function.target_lists.end()) continue;
      for (const std::string& label : list->second) add(label, at);
    }
  }
  return loops;
}

/// A value that lives when a loop begins, or that an iteration may read before it writes it, lives throughout the loop.
void widen_over_loops(std::vector<Life>& lives, const std::vector<Loop>& loops) {
  for (bool changed = true; changed;) {
    changed = false;
    for (Life& life : lives) {
      if (!life.used()) continue;
      for (const Loop& loop : loops) {
        const bool apart = life.last < loop.first || life.first > loop.last;
        const bool inside = life.first >= loop.first && life.last <= loop.last;
        if (apart || (inside && life.defined_first)) continue;
        const Life wide{std::min(life.first, loop.first), std::max(life.last, loop.last), life.defined_first};
        changed |= wide.first != life.first || wide.last != life.last;
        life = wide;
      }
    }
  }
}

}  // namespace

std::uint32_t register_bytes(Type type) {
  if (type == Type::pred) return sizeof(Mask);
  return static_cast<std::uint32_t>(std::max<std::size_t>(bytes(type), 2)) * kLanes;
}

std::vector<std::uint32_t> allocate_registers(const Function& function, std::uint32_t first, std::uint32_t& end) {
  std::vector<Life> lives = lives_of(function);
  widen_over_loops(lives, loops_of(function));
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
