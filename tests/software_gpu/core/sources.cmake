# SPDX-License-Identifier: Apache-2.0
set(software_gpu_core core/claims.cpp core/host_access.cpp core/memory.cpp core/mutex.cpp core/operation.cpp
                      core/races.cpp core/report.cpp core/scheduler.cpp core/settings.cpp core/statistics.cpp
                      core/stream.cpp)
