// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/cudart/event.hpp"

#include <algorithm>
#include <vector>

#include "tests/software_gpu/core/memory.hpp"
#include "tests/software_gpu/cudart/api.hpp"

using namespace software_gpu;

namespace {

std::vector<std::unique_ptr<CUevent_st>>& events() {
  static auto* const kEvents = new std::vector<std::unique_ptr<CUevent_st>>;
  return *kEvents;
}

/// The calls that take one event and nothing else.
template <class Body>
cudaError_t with_event(const char* name, cudaEvent_t event, Body&& body) {
  return api(name, [&] {
    CUevent_st* const e = resolve_event(event, name);
    return e != nullptr ? body(*e) : cudaErrorInvalidResourceHandle;
  });
}

cudaError_t create(const char* name, cudaEvent_t* event, unsigned flags) {
  return api(name, [&] {
    if (event == nullptr) return cudaErrorInvalidValue;
    if ((flags & cudaEventInterprocess) != 0) unsupported("cudaEventInterprocess");
    if ((flags & ~static_cast<unsigned>(cudaEventBlockingSync | cudaEventDisableTiming)) != 0)
      return cudaErrorInvalidValue;
    use_device(current_device());
    auto e = std::make_unique<CUevent_st>();
    e->device = current_device();
    e->flags = flags;
    *event = e.get();
    events().push_back(std::move(e));
    return cudaSuccess;
  });
}

}  // namespace

CUevent_st* software_gpu::resolve_event(cudaEvent_t handle, std::string_view caller) {
  const auto& all = events();
  const auto known = std::find_if(all.begin(), all.end(), [&](const auto& e) { return e.get() == handle; });
  if (known == all.end() || (*known)->destroyed) {
    report(known == all.end() ? "invalid-handle" : "destroyed-event",
           std::string(caller) + ": " + hexadecimal(handle) + (known == all.end() ? " is no event" : " is destroyed"));
    return nullptr;
  }
  return known->get();
}

std::size_t software_gpu::leaked_events() {
  return static_cast<std::size_t>(
      std::count_if(events().begin(), events().end(), [](const auto& e) { return !e->destroyed; }));
}

extern "C" {

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return create("cudaEventCreate", event, cudaEventDefault);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return create("cudaEventCreateWithFlags", event, flags);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return with_event("cudaEventDestroy", event, [](CUevent_st& e) {
    e.destroyed = true;  // who waits for what was recorded goes on waiting
    e.recorded = nullptr;
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return with_event("cudaEventRecord", event, [&](CUevent_st& e) {
    CUstream_st* const s = Scheduler::instance().resolve(stream, "cudaEventRecord");
    if (s == nullptr) return cudaErrorInvalidResourceHandle;
    if (s->device != e.device)
      return misuse("wrong-device",
                    "cudaEventRecord: event of device " + std::to_string(e.device) + ", " + s->describe() +
                        " of device " + std::to_string(s->device),
                    cudaErrorInvalidResourceHandle);
    auto time = std::make_shared<CUevent_st::Time>();
    e.time = time;
    e.recorded = enqueue(*s, "record", [time](Operation&) { *time = std::chrono::steady_clock::now(); });
    return cudaSuccess;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return with_event("cudaEventQuery", event,
                    [](CUevent_st& e) { return query(e.recorded) ? cudaSuccess : cudaErrorNotReady; });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return with_event("cudaEventSynchronize", event, [](CUevent_st& e) {
    if (e.recorded == nullptr)
      report("unrecorded-event", "cudaEventSynchronize: the host waits for an event that was never recorded");
    wait(OperationPtr(e.recorded));
    return cudaSuccess;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return with_event("cudaEventElapsedTime", start, [&](CUevent_st& from) {
    const CUevent_st* const to = resolve_event(end, "cudaEventElapsedTime");
    if (milliseconds == nullptr) return cudaErrorInvalidValue;
    if (to == nullptr || from.recorded == nullptr || to->recorded == nullptr ||
        ((from.flags | to->flags) & cudaEventDisableTiming) != 0)
      return cudaErrorInvalidResourceHandle;
    if (!from.recorded->done() || !to->recorded->done()) return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(*to->time - *from.time).count();
    return cudaSuccess;
  });
}

}  // extern "C"
