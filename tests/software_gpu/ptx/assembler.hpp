// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/software_gpu/ptx/builder.hpp"
#include "tests/software_gpu/ptx/kernel.hpp"
#include "tests/software_gpu/ptx/syntax.hpp"

namespace software_gpu::ptx {

/// Turns an entry function into a kernel: places registers and variables, puts called functions in place of their
/// calls, decodes every statement.
class Assembler final : public OperandResolver {
 public:
  /// `global_addresses`: of the module's variables, 0 for those that are not in global memory.
  Assembler(const Module& module, const std::vector<std::uint64_t>& global_addresses);

  std::unique_ptr<Kernel> assemble(const Function& entry);

  std::uint32_t resolve(const Operand& operand, std::size_t width, bool exact) override;
  std::uint32_t resolve_predicate(const Operand& operand) override;
  std::uint32_t scratch(std::size_t width) override;
  std::size_t register_width(const Operand& operand) const override;
  bool in_local_memory(const Operand& operand) const override;
  [[noreturn]] void fail(const std::string& what) const override;

 private:
  /// A function in place of one of its calls.
  struct Frame {
    const Function* function = nullptr;
    std::vector<std::uint32_t> registers;  ///< offsets
    std::vector<std::uint64_t> addresses;  ///< of variables
    std::vector<std::uint32_t> starts;     ///< index in the code of each statement, and of the end
    std::vector<std::pair<std::uint32_t, std::string>> branches;
    std::vector<std::pair<std::uint32_t, std::string>> indexed_branches;
    std::vector<std::uint32_t> returns;  ///< branches to the end
    int depth = 0;
  };

  void place_variables(Frame& frame);
  void place_parameters(const Function& entry, Frame& frame);
  void expand(Frame& frame);
  void statement(Frame& frame, const Statement& statement);
  void call(Frame& frame, const Statement& statement);
  void link_arguments(const Frame& caller, const Statement& from, Frame& callee);
  void link(Frame& frame);
  std::uint32_t target(const Frame& frame, const std::string& label) const;
  std::string place_in_source(int file, int line) const;
  Instruction& emit(const Statement& statement);
  std::uint32_t place(std::uint32_t bytes);
  std::uint32_t constant(std::uint64_t bits, std::size_t width);
  std::uint32_t dynamic_shared_address(std::size_t width, std::int64_t offset);
  std::uint64_t shared_address(std::size_t variable);
  std::uint32_t special(int index);
  void finish();

  const Module& module_;
  const std::vector<std::uint64_t>& global_addresses_;
  std::unique_ptr<Kernel> kernel_;
  Frame* frame_ = nullptr;
  const Statement* statement_ = nullptr;
  std::uint32_t used_ = 0;  ///< bytes of the register file
  std::map<std::pair<std::uint64_t, std::size_t>, std::uint32_t> constants_;
  std::map<std::size_t, std::uint32_t> scratch_;
  std::map<std::size_t, std::uint64_t> shared_variables_;
  std::vector<std::pair<std::size_t, std::int64_t>> dynamic_addresses_;  ///< index in Kernel::constants, offset
  std::size_t dynamic_alignment_ = 16;
};

}  // namespace software_gpu::ptx
