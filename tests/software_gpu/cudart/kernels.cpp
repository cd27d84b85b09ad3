// SPDX-License-Identifier: Apache-2.0
// What nvcc's host code registers before main, and where the PTX of a kernel is found.
#include "tests/software_gpu/cudart/kernels.hpp"

#include <cuda_runtime_api.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "tests/software_gpu/core/mutex.hpp"
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/settings.hpp"

namespace software_gpu {
namespace {

std::unordered_map<const void*, RegisteredKernel>& registered() {
  static auto* const kKernels = new std::unordered_map<const void*, RegisteredKernel>;
  return *kKernels;
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) unsupported("SOFTWARE_GPU_PTX: cannot read " + file.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::filesystem::path> ptx_files() {
  std::vector<std::filesystem::path> files;
  for (const std::string& item : settings().ptx) {
    if (!std::filesystem::is_directory(item)) {
      files.emplace_back(item);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(item)) {
      if (entry.path().extension() == ".ptx") files.push_back(entry.path());
    }
  }
  return files;
}

/// File of each kernel, by a look at the ".entry" lines: only the modules that a run needs are parsed.
std::unordered_map<std::string, std::filesystem::path> index_files() {
  std::unordered_map<std::string, std::filesystem::path> index;
  for (const auto& file : ptx_files()) {
    const std::string text = content(file);
    constexpr std::string_view kEntry = ".entry ";
    for (auto at = text.find(kEntry); at != std::string::npos; at = text.find(kEntry, at + 1)) {
      const std::size_t begin = at + kEntry.size();
      index.emplace(text.substr(begin, text.find_first_of("( \t\n", begin) - begin), file);
    }
  }
  return index;
}

const Kernel* load(const std::string& mangled_name) {
  static const auto* const kIndex = new auto(index_files());
  const auto file = kIndex->find(mangled_name);
  if (file == kIndex->end()) unsupported("no file of SOFTWARE_GPU_PTX has the kernel " + mangled_name);
  if (find_kernel(mangled_name) == nullptr) load_module(content(file->second), file->second.string());
  return find_kernel(mangled_name);
}

}  // namespace

RegisteredKernel* find_registered(const void* host_function) {
  const auto found = registered().find(host_function);
  if (found == registered().end()) return nullptr;
  RegisteredKernel& k = found->second;
  if (k.kernel == nullptr) k.kernel = load(k.mangled_name);
  if (k.kernel == nullptr) unsupported("the PTX of " + k.mangled_name + " defines no such kernel");
  return &k;
}

}  // namespace software_gpu

using namespace software_gpu;

// As crt/host_runtime.h declares them, which only nvcc may include.
extern "C" {

void** __cudaRegisterFatBinary(void*) {
  static void* handle = nullptr;
  return &handle;
}

void __cudaRegisterFatBinaryEnd(void**) {}

void __cudaUnregisterFatBinary(void**) {}

char __cudaInitModule(void**) {
  return 0;
}

void __cudaRegisterFunction(void**, const char* host_function, char*, const char* device_name, int, uint3*, uint3*,
                            dim3*, dim3*, int*) {
  std::lock_guard lock(mutex());
  registered()[host_function] = {.mangled_name = device_name, .name = readable_name(device_name)};
}

/// Variables are those of the module; the host side of a symbol (cudaMemcpyToSymbol) is not known here.
void __cudaRegisterVar(void**, char*, char*, const char*, int, std::size_t, int, int) {}

void __cudaRegisterManagedVar(void**, void**, char*, const char* name, int, std::size_t, int, int) {
  unsupported(std::string("managed variable ") + name);
}

}  // extern "C"
