# SPDX-License-Identifier: Apache-2.0
software_gpu_test(cublaslt LIBRARIES software_gpu_cublasLt
                  SOURCES cublaslt_heuristic_test.cpp cublaslt_matmul_test.cpp cublaslt_refusal_test.cpp)
