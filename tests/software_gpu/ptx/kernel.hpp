// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/software_gpu/ptx/syntax.hpp"
#include "tests/software_gpu/ptx/types.hpp"

namespace software_gpu::ptx {

inline constexpr int kLanes = 32;
using Mask = std::uint32_t;  ///< one bit a lane
inline constexpr Mask kAllLanes = ~Mask{0};
inline constexpr std::uint32_t kNone = ~std::uint32_t{0};
inline constexpr std::uint32_t kCarry = 0;  ///< offset of the carry flags, CC.CF, as a predicate

class Warp;
struct Instruction;
/// Executes one instruction for the lanes of `mask`, which is never 0.
using Handler = void (*)(Warp& warp, const Instruction& instruction, Mask mask);

/// What an instruction does to the order of execution.
enum class Flow : std::uint8_t {
  next,        ///< nothing
  convergent,  ///< needs the lanes that its mask operand names to be there together
  branch,
  indexed_branch,
  barrier,
  exit,
  trap
};

/// One instruction, decoded once. Operands are byte offsets in the register file of a warp: 32 lanes side by side for
/// each register (predicates: one mask); constants and special registers lie there too.
struct Instruction {
  Handler execute = nullptr;
  Flow flow = Flow::next;
  Space space = Space::generic;
  bool guard_negated = false;
  std::uint8_t width = 0;           ///< of memory accesses: bytes of one element
  std::uint8_t register_width = 0;  ///< bytes of a lane where the register may be wider than the type
  std::uint8_t elements = 1;        ///< of vectors
  std::uint8_t address_width = 8;   ///< bytes of a lane of the address's register
  std::uint32_t guard = kNone;
  std::uint32_t destination = kNone, second_destination = kNone;
  std::array<std::uint32_t, 4> source = {kNone, kNone, kNone, kNone};
  std::array<std::uint32_t, 8> vector = {};
  std::int64_t offset = 0;   ///< of an address
  std::uint32_t target = 0;  ///< of a branch; first of the targets of an indexed branch
  std::uint32_t option = 0;  ///< what the handler makes of it
};

struct Origin {
  int line = 0;        ///< in the PTX file
  std::string source;  ///< "file.cu:12", empty when unknown
  std::string text;
};

struct Constant {
  std::uint32_t offset;
  std::uint32_t width;  ///< 0: a predicate
  std::uint64_t bits;
};

struct KernelParameter {
  std::size_t offset, bytes;
};

}  // namespace software_gpu::ptx

namespace software_gpu {

/// A kernel ready to run.
struct Kernel {
  std::string name;   ///< mangled
  std::string label;  ///< for reports, without namespaces and arguments
  std::vector<ptx::KernelParameter> parameters;
  std::size_t parameter_bytes = 0;
  std::size_t shared_bytes = 0;    ///< static
  std::size_t local_bytes = 0;     ///< a thread
  std::size_t register_bytes = 0;  ///< a warp
  std::size_t max_threads = 1024;
  std::vector<ptx::Instruction> code;
  std::vector<ptx::Origin> origins;    ///< as many
  std::vector<std::uint32_t> targets;  ///< of indexed branches
  std::vector<ptx::Constant> constants;
  std::vector<std::uint32_t> specials =
      std::vector<std::uint32_t>(static_cast<std::size_t>(ptx::Special::count), ptx::kNone);
};

}  // namespace software_gpu
