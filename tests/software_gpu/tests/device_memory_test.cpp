// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstring>

#include "tests/software_gpu/core/memory.hpp"
#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/tests/child.hpp"

namespace software_gpu {
namespace {

using namespace testing;

TEST(DeviceMemory, CopiesThereAndBack) {
  expect_clean([] {
    Memory device(Memory::device, 1000), pinned(Memory::pinned, 1000);
    std::memset(pinned.get(), 7, 1000);
    call(cudaMemcpy(device.get(), pinned.get(), 1000, cudaMemcpyHostToDevice));
    std::vector<char> pageable(1000);
    call(cudaMemcpy(pageable.data(), device.get(), 1000, cudaMemcpyDefault));
    require(pageable == std::vector<char>(1000, 7), "what came back is what was sent");
  });
}

TEST(DeviceMemory, IsAlignedTo256BytesAndToNoMore) {
  expect_clean([] {
    Memory a(Memory::device, 1), b(Memory::device, 1 << 20);
    for (const Memory* m : {&a, &b}) require(reinterpret_cast<std::uintptr_t>(m->get()) % 512 == 256, "alignment");
  });
}

TEST(DeviceMemory, AddressesAreNotHandedOutAgain) {
  expect_clean([] {
    std::vector<std::uintptr_t> seen;
    for (int i = 0; i < 100; ++i) {
      Memory m(Memory::device, 4096);
      const auto address = reinterpret_cast<std::uintptr_t>(m.get());
      for (const std::uintptr_t other : seen) require(address - other >= 4096, "a new address");
      seen.push_back(address);
    }
  });
}

TEST(DeviceMemory, EndsAtTheLimit) {
  Environment environment = schedule("eager");
  environment["SOFTWARE_GPU_MEMORY_MIB"] = "3";
  expect_clean(environment, [] {
    constexpr std::size_t kMiB = 1 << 20;
    std::size_t available = 0, total = 0;
    Memory first(Memory::device, 2 * kMiB);
    call(cudaMemGetInfo(&available, &total));
    require(available == kMiB && total == 3 * kMiB, "1 of 3 MiB are free");
    void* p = nullptr;
    expect_error(cudaErrorMemoryAllocation, cudaMalloc(&p, kMiB + 1));
    expect_error(cudaErrorMemoryAllocation, cudaGetLastError());
    { Memory rest(Memory::device, kMiB); }
    Memory again(Memory::device, kMiB);
  });
}

TEST(DeviceMemory, ACopyOnTheDeviceKeepsWhatIsUninitialised) {
  const auto copy_and_read = [](std::size_t read_bytes) {
    Memory a(Memory::device, 8), b(Memory::device, 8);
    call(cudaMemset(a.get(), 1, 4));
    call(cudaMemcpy(b.get(), a.get(), 8, cudaMemcpyDeviceToDevice));
    std::uint64_t value = 0;
    call(cudaMemcpy(&value, b.get(), read_bytes, cudaMemcpyDeviceToHost));
  };
  expect_clean([&] { copy_and_read(4); });
  expect_reported("uninitialised-read", [&] { copy_and_read(8); });
}

TEST(DeviceMemory, UninitialisedBytesAreNaN) {
  expect_reported("uninitialised-read", [] {
    Memory a(Memory::device, 8);
    std::uint64_t value = 0;
    call(cudaMemcpy(&value, a.get(), 8, cudaMemcpyDeviceToHost));
    require(value == ~std::uint64_t{0}, "all bits set");
  });
}

TEST(DeviceMemory, LargeAllocationsCostOnlyWhatIsTouched) {
  Environment environment = schedule("eager");
  environment["SOFTWARE_GPU_MEMORY_MIB"] = "100000";
  expect_clean(environment, [] {
    Memory a(Memory::device, std::size_t{80} << 30);
    call(cudaMemset(a.get(std::size_t{70} << 30), 1, 4096));
    call(cudaDeviceSynchronize());
  });
}

TEST(DeviceMemory, PinnedMemoryIsSeenByBothSides) {
  expect_clean([] {
    Memory pinned(Memory::pinned, 64);
    Stream stream;
    std::memset(pinned.get(), 3, 64);
    submit(stream, "add one", [&](Operation& operation) {
      const std::byte* const in = operation.read(pinned.get(), 64);
      std::byte* const out = operation.write(pinned.get(), 64);
      for (int i = 0; i < 64; ++i) out[i] = std::byte(std::to_integer<int>(in[i]) + 1);
    });
    call(cudaStreamSynchronize(stream));
    for (int i = 0; i < 64; ++i) require(pinned.get()[i] == std::byte{4}, "the kernel's bytes");
  });
}

TEST(DeviceMemory, PointersAreTold) {
  expect_clean([] {
    Memory device(Memory::device, 64), pinned(Memory::pinned, 64);
    int pageable = 0;
    cudaPointerAttributes attributes;
    call(cudaPointerGetAttributes(&attributes, device.get(8)));
    require(attributes.type == cudaMemoryTypeDevice && attributes.hostPointer == nullptr, "device");
    call(cudaPointerGetAttributes(&attributes, pinned.get(8)));
    require(attributes.type == cudaMemoryTypeHost && attributes.devicePointer == pinned.get(8), "pinned");
    call(cudaPointerGetAttributes(&attributes, &pageable));
    require(attributes.type == cudaMemoryTypeUnregistered, "pageable");
    void* alias = nullptr;
    call(cudaHostGetDevicePointer(&alias, pinned.get(), 0));
    require(alias == pinned.get(), "one address for both sides");
  });
}

TEST(DeviceMemory, MarksAreGoneWhenAnOperationEnds) {
  expect_clean([] {
    Memory m(Memory::device, 3 << 12);
    Stream stream;
    call(cudaMemsetAsync(m.get(100), 1, 2 << 12, stream));
    call(cudaStreamSynchronize(stream));
    const Allocation* const a = find_allocation(m.get(5));
    require(a != nullptr && a->base == reinterpret_cast<std::uintptr_t>(m.get()), "found");
    for (std::size_t i = 0; i < a->size; ++i) {
      const bool written = i >= 100 && i < 100 + (2 << 12);
      require(a->shadow[i] == (written ? kInitialised : 0), "shadow of byte " + std::to_string(i));
    }
  });
}

}  // namespace
}  // namespace software_gpu
