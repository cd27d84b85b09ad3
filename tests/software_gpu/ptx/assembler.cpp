// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/assembler.hpp"

#include <algorithm>

#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/ptx/module.hpp"
#include "tests/software_gpu/ptx/register_allocation.hpp"

namespace software_gpu::ptx {
namespace {

constexpr int kDeepestCall = 16;

std::uint64_t place_bytes(std::size_t& used, std::size_t bytes, std::size_t alignment) {
  const std::size_t at = (used + alignment - 1) / alignment * alignment;
  used = at + bytes;
  return at;
}

}  // namespace

Assembler::Assembler(const Module& module, const std::vector<std::uint64_t>& global_addresses)
    : module_(module), global_addresses_(global_addresses) {}

std::unique_ptr<Kernel> Assembler::assemble(const Function& entry) {
  kernel_ = std::make_unique<Kernel>();
  kernel_->name = entry.name;
  kernel_->label = readable_name(entry.name);
  kernel_->max_threads = entry.max_threads;
  used_ = sizeof(Mask);  // the carry flags, at kCarry
  Frame frame;
  frame.function = &entry;
  place_parameters(entry, frame);
  place_variables(frame);
  frame.registers = allocate_registers(entry, used_, used_);
  expand(frame);
  finish();
  return std::move(kernel_);
}

void Assembler::place_parameters(const Function& entry, Frame& frame) {
  frame.addresses.assign(entry.variables.size(), 0);
  for (const int index : entry.parameters) {
    const Variable& variable = entry.variables[static_cast<std::size_t>(index)];
    const std::uint64_t at = place_bytes(kernel_->parameter_bytes, variable.bytes, variable.alignment);
    frame.addresses[static_cast<std::size_t>(index)] = at;
    kernel_->parameters.push_back({at, variable.bytes});
  }
}

/// Shared memory, local memory, and the parameters of calls, which lie in local memory.
void Assembler::place_variables(Frame& frame) {
  const Function& function = *frame.function;
  frame.addresses.resize(function.variables.size(), 0);
  for (std::size_t i = 0; i < function.variables.size(); ++i) {
    const auto is_this = [&](int index) { return static_cast<std::size_t>(index) == i; };
    const bool argument = std::any_of(function.parameters.begin(), function.parameters.end(), is_this) ||
                          std::any_of(function.results.begin(), function.results.end(), is_this);
    if (argument) continue;
    const Variable& variable = function.variables[i];
    std::size_t& used = variable.space == Space::shared ? kernel_->shared_bytes : kernel_->local_bytes;
    frame.addresses[i] = place_bytes(used, variable.bytes, std::max<std::size_t>(variable.alignment, 1));
  }
}

void Assembler::expand(Frame& frame) {
  Frame* const outer = frame_;
  frame_ = &frame;
  for (const Statement& each : frame.function->body) {
    frame.starts.push_back(static_cast<std::uint32_t>(kernel_->code.size()));
    statement_ = &each;
    statement(frame, each);
  }
  frame.starts.push_back(static_cast<std::uint32_t>(kernel_->code.size()));
  link(frame);
  frame_ = outer;
}

/// "file.cu:12", empty when the module does not say.
std::string Assembler::place_in_source(int file, int line) const {
  const auto found = module_.source_files.find(file);
  if (found == module_.source_files.end()) return {};
  return found->second.substr(found->second.find_last_of('/') + 1) + ":" + std::to_string(line);
}

Instruction& Assembler::emit(const Statement& from) {
  Origin origin;
  origin.line = from.line;
  origin.text = from.text;
  origin.source = place_in_source(from.source_file, from.source_line);
  if (from.call_line != 0) origin.source += " called from " + place_in_source(from.call_file, from.call_line);
  kernel_->origins.push_back(std::move(origin));
  Instruction& x = kernel_->code.emplace_back();
  if (from.guard >= 0) {
    x.guard = frame_->registers[static_cast<std::size_t>(from.guard)];
    x.guard_negated = from.guard_negated;
  }
  return x;
}

void Assembler::statement(Frame& frame, const Statement& from) {
  if (from.opcode == "call") return call(frame, from);
  const auto at = static_cast<std::uint32_t>(kernel_->code.size());
  Instruction& x = emit(from);
  if (from.opcode == "ret" && frame.depth > 0) {
    x.flow = Flow::branch;
    frame.returns.push_back(at);
    return;
  }
  Builder builder(from, *this, x);
  const Decoder decode = find_decoder(from.opcode, builder.type());
  if (decode == nullptr) builder.fail("instruction");
  decode(builder);
  if (x.flow == Flow::branch) frame.branches.emplace_back(at, from.operands[0].text);
  if (x.flow == Flow::indexed_branch) frame.indexed_branches.emplace_back(at, from.operands[1].text);
}

void Assembler::call(Frame& frame, const Statement& from) {
  std::string name;
  for (const Operand& operand : from.operands) {
    if (operand.kind == Operand::Kind::name) name = operand.text;
  }
  const auto found = module_.functions.find(name);
  if (found == module_.functions.end() || !found->second.defined)
    fail("call of " + (name.empty() ? "a pointer" : name));
  if (frame.depth == kDeepestCall) fail("recursive call of " + name);
  std::uint32_t skip = kNone;
  if (from.guard >= 0) {  // those to whom the guard does not apply pass the call by
    skip = static_cast<std::uint32_t>(kernel_->code.size());
    Instruction& x = emit(from);
    x.flow = Flow::branch;
    x.guard_negated = !x.guard_negated;
  }
  Frame callee;
  callee.function = &found->second;
  callee.depth = frame.depth + 1;
  link_arguments(frame, from, callee);
  place_variables(callee);
  callee.registers = allocate_registers(*callee.function, used_, used_);
  expand(callee);
  statement_ = &from;
  if (skip != kNone) kernel_->code[skip].target = static_cast<std::uint32_t>(kernel_->code.size());
}

void Assembler::link_arguments(const Frame& caller, const Statement& from, Frame& callee) {
  callee.addresses.assign(callee.function->variables.size(), 0);
  bool after_name = false;
  for (const Operand& operand : from.operands) {
    after_name |= operand.kind == Operand::Kind::name;
    if (operand.kind != Operand::Kind::vector) continue;
    const std::vector<int>& wanted = after_name ? callee.function->parameters : callee.function->results;
    if (operand.items.size() != wanted.size()) fail("number of arguments of " + callee.function->name);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (operand.items[i].kind != Operand::Kind::local) fail("an argument that is no .param variable");
      callee.addresses[static_cast<std::size_t>(wanted[i])] =
          caller.addresses[static_cast<std::size_t>(operand.items[i].index)];
    }
  }
}

std::uint32_t Assembler::target(const Frame& frame, const std::string& label) const {
  const auto at = frame.function->labels.find(label);
  if (at == frame.function->labels.end()) fail("branch to " + label);
  return frame.starts[at->second];
}

void Assembler::link(Frame& frame) {
  for (const auto& [at, label] : frame.branches) kernel_->code[at].target = target(frame, label);
  for (const std::uint32_t at : frame.returns) kernel_->code[at].target = frame.starts.back();
  for (const auto& [at, list] : frame.indexed_branches) {
    const auto labels = frame.function->target_lists.find(list);
    if (labels == frame.function->target_lists.end()) fail("branch to " + list);
    kernel_->code[at].target = static_cast<std::uint32_t>(kernel_->targets.size());
    kernel_->code[at].option = static_cast<std::uint32_t>(labels->second.size());
    for (const std::string& label : labels->second) kernel_->targets.push_back(target(frame, label));
  }
}

void Assembler::finish() {
  if (!dynamic_addresses_.empty()) {
    place_bytes(kernel_->shared_bytes, 0, dynamic_alignment_);
    for (const auto& [index, offset] : dynamic_addresses_) {
      kernel_->constants[index].bits = kernel_->shared_bytes + static_cast<std::uint64_t>(offset);
    }
  }
  kernel_->register_bytes = used_;
}

void Assembler::fail(const std::string& what) const {
  unsupported(module_.file + ":" + std::to_string(statement_->line) + ": " + what);
}

}  // namespace software_gpu::ptx
