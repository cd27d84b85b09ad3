// SPDX-License-Identifier: Apache-2.0
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "comm/nccl/version.hpp"
#include "kernels/gpu_libraries.hpp"
#include "launch/commands.hpp"
#include "launch/guard.hpp"
#include "launch/machine.hpp"
#include "launch/process.hpp"
#include "launch/versions.hpp"
#include "src/core/cuda.hpp"

namespace mpdist::launch {
namespace {

constexpr const char* kFashionMnist = "/usr/share/datasets/fashion-mnist";

std::set<std::string> processor_flags() {
  std::istringstream words(machine_field("/proc/cpuinfo", "flags"));
  return {std::istream_iterator<std::string>(words), {}};
}

double gib(double bytes) {
  return bytes / (1024.0 * 1024.0 * 1024.0);
}

double free_shared_memory_gib() {
  struct statvfs disk = {};
  return statvfs("/dev/shm", &disk) == 0 ? gib(static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize))
                                         : 0;
}

void print(const std::string& what, const std::string& value) {
  fmt::print("{:<18}{}\n", what, value);
}

/// What the instruction set means for the three compute types.
void print_types(const std::set<std::string>& flags, std::vector<std::string>& advice) {
  std::string has;
  for (const char* flag : {"avx2", "f16c", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16"}) {
    if (flags.contains(flag)) has += std::string(has.empty() ? "" : " ") + flag;
  }
  print("instructions", has.empty() ? "none of avx2, avx512f, avx512_bf16, avx512_fp16" : has);
  const bool bf16 = flags.contains("avx512_bf16");
  print("fp32", "native");
  print("fp16", "stored as fp16, multiplied as fp32 (exact products, fp32 sums): the speed of fp32, half the memory");
  print("bf16", bf16 ? "native: the fastest type here" : "emulated: slower than fp32");
  if (!flags.contains("avx2")) advice.push_back("the processor lacks AVX2, which mpdist needs");
  if (!bf16) advice.push_back("this processor has no bf16 instructions; use precision.compute = \"fp16\" or \"fp32\"");
}

void print_machine(std::vector<std::string>& advice) {
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  print("host", host);
  print("processor", processor_model());
  print_types(processor_flags(), advice);
  const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  print("usable CPUs", fmt::format("{} of {}", usable_cpus(), cpus));
  if (usable_cpus() < cpus) {
    advice.push_back(fmt::format(
        "this process may use {} of {} CPUs; look at taskset, cgroups or mpirun --bind-to none", usable_cpus(), cpus));
  }
  const double page = static_cast<double>(sysconf(_SC_PAGESIZE));
  print("memory", fmt::format("{:.1f} GiB, {:.1f} GiB free", gib(page * static_cast<double>(sysconf(_SC_PHYS_PAGES))),
                              gib(page * static_cast<double>(sysconf(_SC_AVPHYS_PAGES)))));
  const double shared = free_shared_memory_gib();
  print("/dev/shm", fmt::format("{:.2f} GiB free", shared));
  if (shared < 0.25) {
    advice.push_back(
        "/dev/shm is small: gradients of ranks on one node fall back to messages; in a container, start it "
        "with --shm-size=1g");
  }
}

void print_gpus(std::vector<std::string>& advice) {
  const cuda::Status status = cuda::status();
  if (status.devices == 0) print("GPUs", "none: " + status.reason);
  for (int device = 0; device < status.devices; ++device) {
    print(fmt::format("GPU {}", device), fmt::format("{}, PCI {}", cuda::device_name(device), cuda::bus_id(device)));
  }
  if (status.built) print("CUDA", cuda::versions());
  for (const auto& [library, version] : kernels::gpu_libraries()) print(library, version);
  if (status.built) print("NCCL", comm::nccl_version());
  if (!status.built && std::filesystem::exists("/proc/driver/nvidia/version")) {
    advice.push_back("this machine has an NVIDIA driver; a program built with -DMPDIST_CUDA=ON would use its GPUs");
  }
}

void print_software(std::vector<std::string>& advice) {
  for (const train::Fact& fact : version_facts()) print(fact.item, fact.value);
  const bool there = std::filesystem::exists(kFashionMnist);
  print("Fashion-MNIST", there ? kFashionMnist : "not installed");
  if (!there) advice.push_back("install the first data set with: apt-get install dataset-fashion-mnist");
}

/// What mpirun as root needs.
void advise_mpirun(std::vector<std::string>& advice) {
  if (geteuid() != 0) return;
  if (getenv("OMPI_ALLOW_RUN_AS_ROOT") && getenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")) return;
  advice.push_back(
      "mpirun refuses root unless OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 are exported");
}

int doctor() {
  std::vector<std::string> advice;
  print_machine(advice);
  print_gpus(advice);
  print_software(advice);
  advise_mpirun(advice);
  if (advice.empty()) fmt::print("\nNothing to mend.\n");
  for (const std::string& line : advice) fmt::print("\nwarning: {}", line);
  if (!advice.empty()) fmt::print("\n");
  return 0;
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("doctor", "Say what this machine offers and what to mend");
  command->footer("Example:\n  mpdist doctor");
  command->callback([&action] { action = [] { return run_alone(doctor); }; });
}

}  // namespace mpdist::launch
