# SPDX-License-Identifier: Apache-2.0
if(TARGET software_gpu_nccl)
  software_gpu_test(nccl LIBRARIES software_gpu_nccl SOURCES nccl_collectives_test.cpp nccl_defects_test.cpp)
endif()
