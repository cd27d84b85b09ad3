# SPDX-License-Identifier: Apache-2.0
set(software_gpu_cudart cudart/device.cpp cudart/error.cpp cudart/event.cpp cudart/exit.cpp cudart/kernels.cpp
                        cudart/launch.cpp cudart/memory.cpp cudart/stream.cpp)
