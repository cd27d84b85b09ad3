// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "tests/software_gpu/cudart/api.hpp"
#include "tests/software_gpu/cudart/event.hpp"
#include "tests/software_gpu/cudart/limits.hpp"

using namespace software_gpu;

namespace {

cudaError_t create(const char* name, cudaStream_t* stream, unsigned flags, int priority) {
  return api(name, [&] {
    if (stream == nullptr || (flags & ~static_cast<unsigned>(cudaStreamNonBlocking)) != 0) return cudaErrorInvalidValue;
    use_device(current_device());
    *stream = Scheduler::instance().create_stream(current_device(), flags, std::clamp(priority, kGreatestPriority, 0));
    return cudaSuccess;
  });
}

/// The calls that take one stream and nothing else.
template <class Body>
cudaError_t with_stream(const char* name, cudaStream_t stream, Body&& body) {
  return api(name, [&] {
    CUstream_st* const s = Scheduler::instance().resolve(stream, name);
    return s != nullptr ? body(*s) : cudaErrorInvalidResourceHandle;
  });
}

}  // namespace

extern "C" {

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return create("cudaStreamCreate", stream, 0, 0);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return create("cudaStreamCreateWithFlags", stream, flags, 0);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  return create("cudaStreamCreateWithPriority", stream, flags, priority);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return with_stream("cudaStreamDestroy", stream, [](CUstream_st& s) {
    if (s.legacy) return cudaErrorInvalidResourceHandle;
    s.destroyed = true;  // what is pending still runs
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return with_stream("cudaStreamSynchronize", stream, [](CUstream_st& s) {
    // The legacy stream also stands for what it must wait for: the blocking streams' work so far.
    wait(s.legacy ? enqueue(s, "synchronise", [](Operation&) {}) : s.tail);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return with_stream("cudaStreamQuery", stream,
                     [](CUstream_st& s) { return query(s.tail) ? cudaSuccess : cudaErrorNotReady; });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  return with_stream("cudaStreamWaitEvent", stream, [&](CUstream_st& s) {
    if (flags != cudaEventWaitDefault) unsupported("cudaStreamWaitEvent with flags " + std::to_string(flags));
    CUevent_st* const e = resolve_event(event, "cudaStreamWaitEvent");
    if (e == nullptr) return cudaErrorInvalidResourceHandle;
    if (e->recorded == nullptr) {
      report("unrecorded-event",
             "cudaStreamWaitEvent: " + s.describe() + " waits for an event that was never recorded");
      return cudaSuccess;
    }
    enqueue(s, "wait", [](Operation&) {}, {e->recorded});
    return cudaSuccess;
  });
}

cudaError_t cudaStreamGetPriority(cudaStream_t stream, int* priority) {
  return with_stream("cudaStreamGetPriority", stream, [&](CUstream_st& s) {
    *priority = s.priority;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned* flags) {
  return with_stream("cudaStreamGetFlags", stream, [&](CUstream_st& s) {
    *flags = s.flags;
    return cudaSuccess;
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return with_stream("cudaLaunchHostFunc", stream, [&](CUstream_st& s) {
    if (function == nullptr) return cudaErrorInvalidValue;
    enqueue(s, "host function", [=](Operation&) {
      in_host_function() = true;
      function(data);
      in_host_function() = false;
    });
    return cudaSuccess;
  });
}

}  // extern "C"
