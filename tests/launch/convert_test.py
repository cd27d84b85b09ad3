# SPDX-License-Identifier: Apache-2.0
"""`mpdist convert`: the same bits in another format, nothing overwritten, nothing left behind."""
import os
import struct
import subprocess
import unittest

import h5py
import numpy
from PIL import Image

from program import PROGRAM, RunTest, run

COUNTS = {"train": 150, "test": 30}
IDX_NAMES = {"train": "train", "test": "t10k"}


def noise(part, *shape):
    return numpy.random.RandomState(len(part)).randint(0, 256, (COUNTS[part], *shape)).astype(numpy.uint8)


def labels(part, classes=10):
    return (numpy.arange(COUNTS[part]) * 7 % classes).astype(numpy.uint8)


class Convert(RunTest):
    def convert(self, source, path, to, output, *others, code=0):
        done = run(["convert", "--from", source, "--path", self.path(path), "--to", to, "--output", self.path(output), *others])
        self.assertEqual(done.code, code, done.err)
        self.assertEqual(len(done.err.splitlines()), 1 if code else 0, done.err)
        return done

    def read(self, *parts):
        with open(self.path(*parts), "rb") as file:
            return file.read()

    def write_idx(self, folder):
        os.makedirs(self.path(folder))
        for part, name in IDX_NAMES.items():
            with open(self.path(folder, name + "-images-idx3-ubyte"), "wb") as file:
                file.write(struct.pack(">iiii", 0x803, COUNTS[part], 9, 7) + noise(part, 9, 7).tobytes())
            with open(self.path(folder, name + "-labels-idx1-ubyte"), "wb") as file:
                file.write(struct.pack(">ii", 0x801, COUNTS[part]) + labels(part).tobytes())

    def write_hdf5(self, name, dtype=numpy.uint8, channels=3):
        with h5py.File(self.path(name), "w") as file:
            for part in COUNTS:
                file[part + "/images"] = noise(part, 6, 6, channels).astype(dtype)
                file[part + "/labels"] = labels(part)

    def assert_same_files(self, a, b):
        names = sorted(os.listdir(self.path(a)))
        self.assertEqual(names, sorted(os.listdir(self.path(b))))
        for name in names:
            self.assertEqual(self.read(a, name), self.read(b, name), name)

    def assert_only(self, *names):
        self.assertEqual(sorted(os.listdir(self.folder)), sorted(names))

    def test_idx_by_way_of_hdf5_is_the_same_files(self):
        self.write_idx("idx")
        for options in ((), ("--chunk", "7"), ("--chunk", "1000", "--deflate", "3")):
            self.convert("idx", "idx", "hdf5", "a.h5", "--force", *options)
            self.convert("hdf5", "a.h5", "idx", "again")
            self.assert_same_files("idx", "again")
            for name in os.listdir(self.path("again")):
                os.remove(self.path("again", name))
        with h5py.File(self.path("a.h5")) as file:
            self.assertEqual(file["train/images"].dtype, numpy.uint8)
            self.assertEqual((file["train/images"].chunks, file["train/images"].compression_opts), ((150, 9, 7, 1), 3))
        self.assert_only("idx", "a.h5", "again")

    def test_cifar10_becomes_pixels(self):
        os.makedirs(self.path("cifar"))
        for i in range(6):
            name = "test_batch.bin" if i == 5 else f"data_batch_{i + 1}.bin"
            with open(self.path("cifar", name), "wb") as file:
                for image, label in zip(noise("test", 3, 32, 32), labels("test")):
                    file.write(bytes([label]) + image.tobytes())
        self.convert("cifar10", "cifar", "hdf5", "c.h5", "--set", "data.records=30")
        with h5py.File(self.path("c.h5")) as file:
            self.assertEqual(file["train/images"].shape, (150, 32, 32, 3))
            numpy.testing.assert_array_equal(file["test/images"][:], noise("test", 3, 32, 32).transpose(0, 2, 3, 1))
            numpy.testing.assert_array_equal(file["train/labels"][30:60], labels("test"))

    def test_pngs_come_back_in_the_order_of_their_classes(self):
        self.write_hdf5("a.h5")
        self.convert("hdf5", "a.h5", "images", "png")
        self.convert("images", "png", "hdf5", "b.h5", "--set", "data.size=6")
        with h5py.File(self.path("b.h5")) as file:
            for part in COUNTS:
                order = numpy.argsort(labels(part), kind="stable")
                numpy.testing.assert_array_equal(file[part + "/images"][:], noise(part, 6, 6, 3)[order])
                numpy.testing.assert_array_equal(file[part + "/labels"][:], labels(part)[order])

    def test_images_are_resized_as_pillow_resizes_them(self):
        for part in COUNTS:
            for i, (height, width) in enumerate(((40, 30), (21, 64), (16, 16), (9, 12), (300, 200))):
                folder = self.path("photos", part, f"c{i % 2}")
                os.makedirs(folder, exist_ok=True)
                y, x = numpy.mgrid[:height, :width]
                waves = [127 + 120 * numpy.sin(y / (3 + c) + x / (5 - c)) for c in range(3)]
                Image.fromarray(numpy.stack(waves, -1).astype(numpy.uint8)).save(os.path.join(folder, f"{i}.png"))
        self.convert("images", "photos", "hdf5", "p.h5", "--set", "data.size=14", "--set", "data.resize=16")
        expected = []
        for name in ("c0/0", "c0/2", "c0/4", "c1/1", "c1/3"):
            picture = Image.open(self.path("photos", "train", name + ".png"))
            shorter = min(picture.size)
            size = [side * 16 // shorter for side in picture.size]
            left, top = [(side - 14) // 2 for side in size]
            resized = picture.resize(size, Image.BILINEAR).crop((left, top, left + 14, top + 14))
            expected.append(numpy.asarray(resized))
        with h5py.File(self.path("p.h5")) as file:
            self.assertEqual(file["train/images"].dtype, numpy.float32)
            difference = 255 * file["train/images"][:] - numpy.stack(expected).astype(float)
        self.assertLess(abs(difference).max(), 1.01, "Pillow rounds to bytes twice")
        self.assertLess(abs(difference.mean()), 0.05)
        done = self.convert("images", "photos", "idx", "idx", "--set", "data.channels=1", "--set", "data.size=14", code=2)
        self.assertIn("round them with --type uint8", done.err)
        self.convert("images", "photos", "idx", "idx", "--set", "data.channels=1", "--set", "data.size=14", "--type", "uint8")
        self.assert_only("photos", "p.h5", "idx")

    def test_floats_stay_floats(self):
        self.write_hdf5("a.h5", numpy.float64)
        self.convert("hdf5", "a.h5", "hdf5", "b.h5", "--set", "data.scale=100")
        with h5py.File(self.path("b.h5")) as file:
            self.assertEqual(file["test/images"].dtype, numpy.float32)
            numpy.testing.assert_array_equal(file["test/images"][:], noise("test", 6, 6, 3) / numpy.float32(100))

    def test_nothing_is_overwritten_and_nothing_is_left(self):
        self.write_idx("idx")
        self.convert("idx", "idx", "hdf5", "a.h5", "--type", "fp32")
        before = self.read("a.h5")
        self.assertIn("add --force", self.convert("idx", "idx", "hdf5", "a.h5", code=2).err)
        self.assertEqual(self.read("a.h5"), before)
        self.convert("idx", "idx", "hdf5", "a.h5", "--force")
        self.assertLess(len(self.read("a.h5")), len(before))
        self.assertIn("remove it or choose another",
                      self.convert("hdf5", "a.h5", "idx", "idx", "--force", code=2).err)
        with open(self.path("idx", "t10k-images-idx3-ubyte"), "r+b") as file:
            file.truncate(100)
        self.convert("idx", "idx", "images", "png", code=65)
        self.write_hdf5("five.h5", channels=5)
        self.convert("hdf5", "five.h5", "images", "png", code=2)
        self.convert("hdf5", "five.h5", "idx", "png", code=2)
        self.assert_only("idx", "a.h5", "five.h5")

    def test_keys_of_training_are_refused(self):
        self.write_idx("idx")
        for override, word in (("data.mean=0.5", "one of training"), ("data.workers=2", "one of training"),
                               ("data.format=hdf5", "--from"), ("data.path=x", "--path"), ("run.seed=1", "[data]")):
            done = self.convert("idx", "idx", "hdf5", "a.h5", "--set", override, code=2)
            self.assertIn(f"--set {override}: expected", done.err)
            self.assertIn(word, done.err)
        self.assert_only("idx")

    def test_a_name_that_leaves_no_room_for_a_temporary_one_is_refused(self):
        self.write_idx("idx")
        self.assertIn("File name too long", self.convert("idx", "idx", "images", "x" * 250, code=2).err)
        self.assert_only("idx")

    def test_the_folder_of_the_output_must_exist_as_it_is_written(self):
        self.write_idx("idx")
        for output in ("none/a.h5", "none/../a.h5"):
            self.assertIn("expected a path in a folder that exists", self.convert("idx", "idx", "hdf5", output, code=2).err)
        self.convert("idx", "idx", "images", "png/")
        self.assert_only("idx", "png")

    def test_a_folder_of_the_temporary_name_is_left_alone(self):
        def take_the_name():  # in the child: its pid and start time are those of the program
            with open("/proc/self/stat") as file:
                start = file.read().rsplit(")", 1)[1].split()[19]
            os.makedirs(self.path(f"idx.tmp-{os.getpid()}-{start}-{os.uname().nodename}", "kept"))

        arguments = ["--from", "synthetic", "--to", "idx", "--output", self.path("idx"), "--type", "uint8"]
        done = subprocess.run([PROGRAM, "convert", *arguments], preexec_fn=take_the_name, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("found: it is there", done.stderr)
        (folder,) = os.listdir(self.folder)
        self.assertEqual(os.listdir(self.path(folder)), ["kept"])


if __name__ == "__main__":
    unittest.main()
