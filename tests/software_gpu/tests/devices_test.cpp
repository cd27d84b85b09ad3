// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstring>

#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/tests/child.hpp"

namespace software_gpu {
namespace {

using namespace testing;

TEST(Devices, WithoutADriverEveryCallSaysSo) {
  expect_clean({{"SOFTWARE_GPU_DEVICES", "none"}}, [] {
    int value = -1;
    void* p = nullptr;
    expect_error(cudaErrorInsufficientDriver, cudaGetDeviceCount(&value));
    require(value == 0, "no device");
    expect_error(cudaErrorInsufficientDriver, cudaMalloc(&p, 1));
    call(cudaDriverGetVersion(&value));
    require(value == 0, "no driver");
    call(cudaRuntimeGetVersion(&value));
    require(value == CUDART_VERSION, "the runtime is there");
  });
}

TEST(Devices, WithoutADeviceEveryCallSaysSo) {
  for (const Environment& environment :
       {Environment{{"SOFTWARE_GPU_DEVICES", "0"}}, Environment{{"CUDA_VISIBLE_DEVICES", ""}}}) {
    expect_clean(environment, [] {
      int count = -1;
      expect_error(cudaErrorNoDevice, cudaGetDeviceCount(&count));
      require(count == 0, "no device");
      expect_error(cudaErrorNoDevice, cudaSetDevice(0));
      expect_error(cudaErrorNoDevice, cudaGetLastError());
    });
  }
}

TEST(Devices, TellWhatTheyAre) {
  expect_clean([] {
    cudaDeviceProp properties{};
    int count = 0, value = 0;
    call(cudaGetDeviceCount(&count));
    require(count == 8, "8 devices");
    call(cudaGetDeviceProperties(&properties, 7));
    require(std::strcmp(properties.name, "software GPU") == 0 && properties.warpSize == 32, properties.name);
    call(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 7));
    require(value == properties.multiProcessorCount, "attribute and property agree");
    expect_error(cudaErrorInvalidDevice, cudaGetDeviceProperties(&properties, 8));
    expect_error(cudaErrorInvalidDevice, cudaSetDevice(-1));
  });
}

TEST(Devices, UnknownAttributesAndCallsStopTheProgramWithTheirName) {
  int value = 0;
  expect_reported(
      "unsupported", schedule("eager"), [&] { cudaDeviceGetAttribute(&value, cudaDevAttrMaxTexture1DWidth, 0); }, 89);
  expect_reported(
      "unsupported: cudaDeviceReset", schedule("eager"), [] { cudaDeviceReset(); }, 89);
}

TEST(Devices, VisibleDevicesKeepTheirBus) {
  expect_clean({{"CUDA_VISIBLE_DEVICES", "5,2,99,1"}}, [] {
    int count = 0;
    char bus[16];
    call(cudaGetDeviceCount(&count));
    require(count == 2, "what follows an unknown device does not count");
    call(cudaDeviceGetPCIBusId(bus, sizeof bus, 0));
    require(std::string(bus) == "0000:06:00.0", bus);
    expect_error(cudaErrorInvalidValue, cudaDeviceGetPCIBusId(bus, 12, 0));
  });
}

TEST(Devices, EachHasItsOwnMemoryAndStreams) {
  Environment environment = schedule("random");
  environment["SOFTWARE_GPU_MEMORY_MIB"] = "1";
  expect_clean(environment, [] {
    constexpr std::size_t kMiB = 1 << 20;
    Memory on_first(Memory::device, kMiB);
    call(cudaSetDevice(1));
    Memory on_second(Memory::device, kMiB);
    call(cudaMemset(on_second.get(), 1, kMiB));
    call(cudaDeviceSynchronize());
    cudaPointerAttributes attributes;
    call(cudaPointerGetAttributes(&attributes, on_second.get()));
    require(attributes.device == 1, "of device 1");
  });
}

TEST(Devices, ReachOnlyTheirOwnMemory) {
  expect_reported("illegal-address", [] {
    Memory on_first(Memory::device, 8);
    call(cudaSetDevice(1));
    cudaMemset(on_first.get(), 0, 8);
    cudaDeviceSynchronize();
    std::exit(0);
  });
}

/// Two processes that use their device 0 at the same time. Returns what the second one said.
Outcome two_processes(const Environment& first, const Environment& second) {
  int started[2], done[2];
  EXPECT_EQ(pipe(started) | pipe(done), 0);
  const pid_t child = fork();
  if (child == 0) {
    for (const auto& [name, value] : first) setenv(name.c_str(), value.c_str(), 1);
    char c = 0;
    close(done[1]);
    { Memory m(Memory::device, 8); }
    (void)!::write(started[1], &c, 1);
    (void)!::read(done[0], &c, 1);  // until the parent closes its end
    std::exit(0);
  }
  char c = 0;
  (void)!::read(started[0], &c, 1);
  const Outcome outcome = run_in_child(second, [] { Memory m(Memory::device, 8); });
  for (const int end : {started[0], started[1], done[0], done[1]}) close(end);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  return outcome;
}

TEST(Devices, TwoProcessesOfAJobMustNotShareOne) {
  const std::string job = "devices_test." + std::to_string(getpid());
  const Outcome shared = two_processes({{"SOFTWARE_GPU_JOB", job}}, {{"SOFTWARE_GPU_JOB", job}});
  EXPECT_EQ(shared.status, 87);
  EXPECT_NE(shared.errors.find("software GPU: device-shared: "), std::string::npos) << shared.errors;
  const Outcome other_device =
      two_processes({{"SOFTWARE_GPU_JOB", job}}, {{"SOFTWARE_GPU_JOB", job}, {"CUDA_VISIBLE_DEVICES", "1"}});
  EXPECT_EQ(other_device.status, 0) << other_device.errors;
  const Outcome other_job = two_processes({{"SOFTWARE_GPU_JOB", job}}, {{"SOFTWARE_GPU_JOB", job + "b"}});
  EXPECT_EQ(other_job.status, 0) << other_job.errors;
}

TEST(Devices, ADeadProcessHoldsNone) {
  const Environment job = {{"SOFTWARE_GPU_JOB", "devices_test.dead." + std::to_string(getpid())}};
  const Outcome killed = run_in_child(job, [] {
    Memory m(Memory::device, 8);
    _exit(3);
  });
  EXPECT_EQ(killed.status, 3);
  expect_clean(job, [] { Memory m(Memory::device, 8); });
}

TEST(Devices, AFaultMakesAllLaterCallsFail) {
  for (const Environment& environment : all_schedules()) {
    expect_reported("out-of-bounds", environment, [] {
      Memory m(Memory::device, 8);
      Stream stream;
      submit(stream, "kernel", [&](Operation& operation) { operation.write(m.get(4), 8); });
      expect_error(cudaErrorIllegalAddress, cudaStreamSynchronize(stream));
      bool ran = false;
      void* p = nullptr;
      submit(stream, "later", [&](Operation&) { ran = true; });
      expect_error(cudaErrorIllegalAddress, cudaMalloc(&p, 1));
      expect_error(cudaErrorIllegalAddress, cudaGetLastError());
      expect_error(cudaErrorIllegalAddress, cudaGetLastError());
      expect_error(cudaErrorIllegalAddress, cudaDeviceSynchronize());
      require(!ran, "nothing runs after a fault");
      std::exit(0);
    });
  }
}

TEST(Devices, ErrorsHaveNamesAndAreReadOnce) {
  expect_clean([] {
    expect_error(cudaErrorInvalidDevice, cudaSetDevice(99));
    expect_error(cudaErrorInvalidDevice, cudaPeekAtLastError());
    expect_error(cudaErrorInvalidDevice, cudaGetLastError());
    call(cudaGetLastError());
    require(std::string(cudaGetErrorName(cudaErrorMemoryAllocation)) == "cudaErrorMemoryAllocation", "name");
    require(std::string(cudaGetErrorString(cudaErrorMemoryAllocation)) == "out of memory", "text");
  });
}

}  // namespace
}  // namespace software_gpu
