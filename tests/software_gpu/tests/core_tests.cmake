# SPDX-License-Identifier: Apache-2.0
software_gpu_test(core LIBRARIES software_gpu_cudart
                  SOURCES access_history_test.cpp device_memory_test.cpp devices_test.cpp schedule_test.cpp
                          stream_event_test.cpp)
software_gpu_test(host_defects LIBRARIES software_gpu_cudart SOURCES host_defects_test.cpp)
