// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string>

/// The CUDA runtime, as far as code outside kernels/cuda and comm/nccl needs it: the only place that calls it. Streams
/// and events are passed as void*, so that no CUDA header is needed to use them. In a build without CUDA every function
/// but status() and the ranges throws Unsupported. Failures throw LibraryError (call, name and text of the error).
namespace mpdist::cuda {

/// Whether this process can use a GPU.
struct Status {
  bool built = false;  ///< this program has the CUDA backend
  int devices = 0;
  std::string reason;  ///< why devices is 0: "no driver ...", "no device ...", "built without CUDA"
};
Status status();

/// Makes device `device` of status().devices the one that this process uses, in all its threads: before any stream, and
/// only once.
void use(int device);
int device_in_use();  ///< 0 before use()
/// "NVIDIA H100 80GB HBM3"
std::string device_name(int device);
/// PCI bus id: two ranks with one id on one host share a GPU.
std::string bus_id(int device);
/// "runtime 13.0, driver 13.0"
std::string versions();

/// 256-byte aligned; null when there is no more.
void* allocate(std::size_t bytes);
void* allocate_pinned(std::size_t bytes);
void free(void* data);  ///< waits for the device, as free_pinned; logs failures, as the other destroyers
void free_pinned(void* data);

void* create_stream();  ///< does not wait for the legacy stream
void destroy_stream(void* stream);
void synchronize_stream(void* stream);
void* create_event(bool timed = false);
void destroy_event(void* event);
void record(void* event, void* stream);
void synchronize_event(void* event);
bool happened(void* event);
/// Between two timed events that have both happened, in milliseconds.
float elapsed_ms(void* begin, void* end);
void wait(void* stream, void* event);

/// Enqueues a copy between any two kinds of memory.
void copy(void* to, const void* from, std::size_t bytes, void* stream);
void fill_zero(void* data, std::size_t bytes, void* stream);

/// Opens and closes a named range of this thread in a profile (NVTX). Nothing happens in a build without CUDA.
void open_range(const char* name);
void close_range();

}  // namespace mpdist::cuda
