// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/nccl/meeting.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "tests/software_gpu/core/report.hpp"

namespace software_gpu::nccl {
namespace {

constexpr const char* kPrefix = "/software_gpu_nccl.";

[[noreturn]] void no_memory(const std::string& name) {
  unsupported("shared memory " + name + ": " + std::strerror(errno));
}

void remove_leftovers() {
  const std::string prefix = kPrefix + 1;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm", error)) {
    const std::string name = entry.path().filename();
    if (name.compare(0, prefix.size(), prefix) != 0) continue;
    const auto process = static_cast<pid_t>(std::atoi(name.c_str() + prefix.size()));
    if (kill(process, 0) != 0 && errno == ESRCH) remove("/" + name);
  }
}

}  // namespace

Mapping::Mapping(int file, const std::string& name, std::size_t bytes) : bytes_(bytes) {
  void* const p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (p == MAP_FAILED) no_memory(name);
  close(file);
  data_ = static_cast<std::byte*>(p);
}

Mapping::~Mapping() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

Mapping::Mapping(Mapping&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Mapping Mapping::create(const std::string& name, std::size_t bytes) {
  const int file = shm_open(name.c_str(), O_CREAT | O_RDWR, 0600);
  if (file < 0 || ftruncate(file, static_cast<off_t>(bytes)) != 0) no_memory(name);
  return {file, name, bytes};
}

Mapping Mapping::open(const std::string& name) {
  const int file = shm_open(name.c_str(), O_RDWR, 0600);
  struct stat status {};
  if (file < 0 || fstat(file, &status) != 0) no_memory(name);
  return {file, name, static_cast<std::size_t>(status.st_size)};
}

void remove(const std::string& name) {
  shm_unlink(name.c_str());
}

std::string new_meeting_name() {
  static std::atomic<int> made = 0;
  remove_leftovers();
  return kPrefix + std::to_string(getpid()) + "." + std::to_string(++made);
}

bool is_meeting_name(const std::string& name) {
  return name.compare(0, std::strlen(kPrefix), kPrefix) == 0;
}

}  // namespace software_gpu::nccl
