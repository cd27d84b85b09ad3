// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/module.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <unordered_map>

#include "tests/software_gpu/core/memory.hpp"
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/ptx/assembler.hpp"
#include "tests/software_gpu/ptx/parser.hpp"

namespace software_gpu {
namespace {

struct LoadedModule {
  ptx::Module syntax;
  std::vector<std::uint64_t> addresses;  ///< of the variables in global memory
};

struct Entry {
  const LoadedModule* module = nullptr;
  const ptx::Function* function = nullptr;
  std::unique_ptr<Kernel> kernel;  ///< made on first use
};

struct Registry {
  std::deque<LoadedModule> modules;
  std::unordered_map<std::string, Entry> entries;
};
Registry& registry() {
  static auto* const all = new Registry;  // outlives the exit handlers of the program
  return *all;
}

void place_variables(LoadedModule& module) {
  for (const ptx::Variable& variable : module.syntax.variables) {
    module.addresses.push_back(0);
    if (variable.space == ptx::Space::shared || variable.external) continue;
    Allocation* allocation = allocate(MemoryKind::module, std::max<std::size_t>(variable.bytes, 1), current_device());
    if (allocation == nullptr) unsupported("no memory for the variable " + variable.name);
    std::memcpy(allocation->bytes, variable.initial.data(), variable.initial.size());
    module.addresses.back() = allocation->base;
  }
}

}  // namespace

void load_module(const std::string& text, const std::string& file) {
  LoadedModule& module = registry().modules.emplace_back();
  try {
    module.syntax = ptx::parse(text, file);
  } catch (const ptx::ParseError& error) {
    unsupported(std::string("PTX ") + error.what());
  }
  place_variables(module);
  for (const auto& [name, function] : module.syntax.functions) {
    if (function.entry && function.defined) registry().entries.try_emplace(name, Entry{&module, &function, nullptr});
  }
}

const Kernel* find_kernel(const std::string& mangled_name) {
  const auto it = registry().entries.find(mangled_name);
  if (it == registry().entries.end()) return nullptr;
  Entry& entry = it->second;
  if (entry.kernel == nullptr) {
    entry.kernel = ptx::Assembler(entry.module->syntax, entry.module->addresses).assemble(*entry.function);
  }
  return entry.kernel.get();
}

std::vector<std::size_t> parameter_sizes(const Kernel& kernel) {
  std::vector<std::size_t> sizes;
  for (const ptx::KernelParameter& parameter : kernel.parameters) sizes.push_back(parameter.bytes);
  return sizes;
}

LaunchLimits limits(const Kernel& kernel) {
  LaunchLimits result;
  result.max_threads = kernel.max_threads;
  result.static_shared = kernel.shared_bytes;
  result.parameter_bytes = kernel.parameter_bytes;
  result.local_bytes = kernel.local_bytes;
  result.registers = kernel.register_bytes / (sizeof(std::uint32_t) * ptx::kLanes);
  return result;
}

std::string readable_name(const std::string& mangled_name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(mangled_name.c_str(), nullptr, nullptr, &status), std::free);
  if (text == nullptr) return mangled_name;
  // "void space::(anonymous namespace)::name<arguments>(parameters)": what stands between the last separator and the
  // parameters, where neither counts within angle brackets.
  std::string name = text.get();
  const std::string anonymous = "(anonymous namespace)";
  for (std::size_t at = 0; (at = name.find(anonymous)) != std::string::npos;) name.erase(at, anonymous.size());
  std::size_t begin = 0, end = name.size();
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    depth += name[i] == '<' ? 1 : name[i] == '>' ? -1 : 0;
    if (depth > 0) continue;
    if (name[i] == '(') {
      end = i;
      break;
    }
    if (name[i] == ' ' || name[i] == ':') begin = i + 1;
  }
  return name.substr(begin, end - begin);
}

}  // namespace software_gpu
