# SPDX-License-Identifier: Apache-2.0
software_gpu_test(ptx LIBRARIES software_gpu_cudart
                  SOURCES ptx_comparison_test.cpp ptx_conversion_test.cpp ptx_float_test.cpp ptx_integer_test.cpp)

# How fast the executor is: software_gpu_ptx_throughput <PTX text of ptx_throughput.cu>
add_executable(software_gpu_ptx_throughput EXCLUDE_FROM_ALL ptx_throughput.cpp)
target_compile_features(software_gpu_ptx_throughput PRIVATE cxx_std_20)
target_link_libraries(software_gpu_ptx_throughput PRIVATE software_gpu_cudart GTest::gtest)
