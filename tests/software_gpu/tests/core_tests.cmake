# SPDX-License-Identifier: Apache-2.0
software_gpu_test(core LIBRARIES software_gpu_cudart
                  SOURCES access_history_test.cpp device_memory_test.cpp devices_test.cpp schedule_test.cpp
                          stream_event_test.cpp)
software_gpu_test(host_defects LIBRARIES software_gpu_cudart SOURCES host_defects_test.cpp)

# The program of a user: nvcc, NVIDIA's libraries at link time; only its environment differs.
get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
if("CUDA" IN_LIST languages)
  software_gpu_ptx(software_gpu_launch_ptx launch_kernels.cu)
  add_executable(software_gpu_launch_test launch_test.cpp launch_kernels.cu)
  target_include_directories(software_gpu_launch_test PRIVATE ${software_gpu_root})
  target_compile_features(software_gpu_launch_test PRIVATE cxx_std_20)
  target_compile_options(software_gpu_launch_test PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O1 ${software_gpu_warnings}>)
  target_link_libraries(software_gpu_launch_test PRIVATE CUDA::cudart GTest::gtest_main)
  add_dependencies(software_gpu_launch_test software_gpu_cudart software_gpu_launch_ptx)
  software_gpu_environment(environment software_gpu_launch_ptx)
  add_test(NAME software_gpu.Launch COMMAND software_gpu_launch_test)
  set_tests_properties(software_gpu.Launch PROPERTIES ENVIRONMENT_MODIFICATION "${environment}")
endif()
