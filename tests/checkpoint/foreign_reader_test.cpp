// SPDX-License-Identifier: Apache-2.0
// A checkpoint belongs to its user: Python's h5py and HDF5's own tools read it as it stands.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "src/checkpoint/crc32c.hpp"
#include "tests/checkpoint/sample.hpp"

namespace mpdist::checkpoint {
namespace {

using namespace testing;

int run(const std::string& command) {
  const int status = system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

TEST(ForeignReader, H5pyReadsTensorsAndScalarsUnderTheirNames) {
  if (run("/usr/bin/python3 -c 'import h5py' 2>/dev/null") != 0) GTEST_SKIP() << "/usr/bin/python3 has no h5py";
  const TemporaryFolder folder;
  write(folder / "a.h5", sample());
  put_bytes(folder / "check.py", R"(
import sys, h5py, numpy
with h5py.File(sys.argv[1], "r") as f:
    w = f["master/conv1.weight"]
    assert w.shape == (33, 3, 3, 2) and w.dtype == numpy.dtype("<f4"), (w.shape, w.dtype)
    assert w.chunks is None and w.compression is None
    w[...].tofile(sys.argv[2])
    assert f["run"].attrs["step"] == 7
    assert f["data"].attrs["cursor"] == 1 << 62
    assert f["scaler"].attrs["scale"] == 65536.0
    assert f["run"].attrs["config"] == "[run]\nname = \"na\u00efve\"\n", f["run"].attrs["config"]
    assert f["run"].attrs["empty"] == ""
    assert sorted(f) == ["data", "master", "optimizer", "random", "run", "scaler", "schedule", "statistics"], sorted(f)
    print(w.attrs["crc32c"], file=open(sys.argv[3], "w"))
)");
  ASSERT_EQ(run(fmt::format("/usr/bin/python3 {0}/check.py {0}/a.h5 {0}/values {0}/crc", folder.path())), 0);
  const Tensor expected = sample().tensors[0].values;
  const std::string found = file_bytes(folder / "values");
  ASSERT_EQ(found.size(), expected.bytes());
  EXPECT_EQ(std::memcmp(found.data(), expected.raw(), found.size()), 0);
  EXPECT_EQ(file_bytes(folder / "crc"), std::to_string(crc32c(expected.raw(), expected.bytes())) + "\n");
}

TEST(ForeignReader, H5dumpReadsIt) {
  if (run("h5dump --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "h5dump is not installed";
  const TemporaryFolder folder;
  write(folder / "a.h5", sample());
  ASSERT_EQ(run(fmt::format("h5dump -A {0}/a.h5 >{0}/text", folder.path())), 0);
  const std::string text = file_bytes(folder / "text");
  for (const char* part :
       {"DATASET \"conv1.weight\"", "ATTRIBUTE \"crc32c\"", "ATTRIBUTE \"tracker\"", "H5T_IEEE_F32LE"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace mpdist::checkpoint
