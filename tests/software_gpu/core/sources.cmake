# SPDX-License-Identifier: Apache-2.0
set(software_gpu_core core/memory.cpp core/operation.cpp core/races.cpp core/report.cpp core/settings.cpp core/stream.cpp)
