// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/software_gpu/ptx/launch.hpp"
#include "tests/software_gpu/ptx/warp.hpp"

namespace software_gpu::ptx {

/// One block at a time: its warps, shared and local memory, barriers. Used again for the next block.
class Block {
 public:
  explicit Block(Launch& owner);

  /// Runs the block at `position`; `number` counts the blocks of the launch in the order in which they run, from 1.
  void run(dim3 position, std::uint32_t number);

  /// Checks an access of consecutive lanes to adjoining bytes and notes it. Returns where the bytes are, or null after
  /// a report. `after`: the bytes that a write puts there.
  struct Access {
    int lane = 0, lanes = 1;
    std::uint64_t address = 0;
    std::size_t bytes = 4;  ///< a lane
    bool shared_address = false;
    AccessKind kind = AccessKind::read;
    const std::byte* after = nullptr;
    bool read_only = false;  ///< ld.global.nc: nobody may have written there in this launch
  };
  std::byte* access(Warp& warp, Space space, const Access& access);

  /// The warp has synchronised its lanes: what they did before is ordered.
  void synchronise(Warp& warp);
  void fence() { launch.intervals.fence(number_); }
  /// Ends the lanes' threads.
  void leave(Warp& warp, Mask lanes);

  Launch& launch;
  dim3 position;

 private:
  struct Arrival {
    Warp* warp;
    std::uint32_t pc;
    Mask lanes;
    bool waits;  ///< bar.arrive does not
  };
  struct Barrier {
    std::vector<Arrival> arrivals;
    std::size_t expected = 0;  ///< threads; 0: all that are alive
  };

  void start(dim3 where, std::uint32_t number);
  void fill_constants();
  void fill_specials(const Warp& warp);
  void fill_position(const Warp& warp);
  Warp* choose();
  void turn(Warp& warp, int instructions);
  bool straight(Warp& warp, Group& group, int& instructions, bool forced);
  bool divert(Warp& warp, Group& group, const Instruction& x, Mask lanes, bool forced);
  bool converged(Warp& warp, const Group& group, Mask lanes, Mask needed, bool forced);
  void branch(Warp& warp, Group& group, const Instruction& x, Mask lanes);
  void indexed_branch(Warp& warp, Group& group, const Instruction& x, Mask lanes);
  void arrive(Warp& warp, Group& group, const Instruction& x, Mask lanes);
  bool complete(const Barrier& barrier) const;
  void open_barriers();
  void open(Barrier& barrier);
  void report_stuck();

  std::byte* shared(Warp& warp, const Access& access);
  std::byte* local(Warp& warp, const Access& access);
  std::byte* parameter(Warp& warp, const Access& access);
  std::byte* global(Warp& warp, const Access& access);
  Stamp stamp(Warp& warp, int lane);
  CellAccess cell_access(Warp& warp, const Access& access, std::size_t offset, const std::byte* before);
  void check_read_only(Warp& warp, const Access& access, const Cells& cells, std::size_t offset);
  void report_conflict(std::string_view kind, Warp& warp, const Access& access, const Conflict& conflict);

  std::vector<std::byte> register_file_;
  std::vector<Warp> warps_;
  std::vector<std::byte> shared_, local_;
  Cells shared_cells_;
  std::array<Barrier, 16> barriers_;
  std::uint32_t number_ = 0;
  std::uint32_t barrier_count_ = 0;
  std::uint32_t interval_ = 0;  ///< of warps that have not synchronised since the last barrier
  Stamp block_floor_ = 0, barrier_floor_ = 0;
  std::uint64_t instruction_limit_ = 0;
};

/// Adds lanes to the groups of a warp, joining those at the same instruction.
void join_group(Warp& warp, std::uint32_t pc, Mask lanes, bool patient);

}  // namespace software_gpu::ptx
