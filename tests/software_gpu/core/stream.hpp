// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <driver_types.h>

#include <functional>
#include <random>
#include <string>

#include "tests/software_gpu/core/mutex.hpp"
#include "tests/software_gpu/core/operation.hpp"

namespace software_gpu {

/// Submits an operation to a stream (null: the legacy stream of the calling thread's device). It runs once all earlier
/// operations of the stream, and what the stream semantics order before it, are done and `ready` says true. `run` gets
/// the operation for checked access to memory. Pass `ready` also when other processes wait for this operation (then
/// always true): only such operations, and what they need, go on at once while the host is elsewhere. An operation for
/// a stream that is destroyed or unknown is reported (destroyed-stream, invalid-handle); null is returned then.
OperationPtr submit(cudaStream_t stream, std::string name, std::function<void(Operation&)> run,
                    std::function<bool()> ready = {});

/// Runs operations until this one is done (null: returns at once); from then on the host has seen its effects. Exit 88
/// when nothing can run for SOFTWARE_GPU_TIMEOUT_S (60): other processes may still make an operation ready until then.
void wait(const OperationPtr& operation);
/// Waits for all streams of one device, or of all.
void wait_device(int device);
void wait_all();
/// After an enqueue: perhaps runs something, by schedule.
void nudge();
/// Whether it is done; makes progress, so that a loop of queries ends. If so, the host has seen its effects.
bool query(const OperationPtr& operation);

/// The seeded generator (SOFTWARE_GPU_SEED) that decides all that is legal to vary.
std::mt19937_64& random();

/// The device of the calling thread (cudaSetDevice); 0 at first.
int& current_device();

}  // namespace software_gpu
