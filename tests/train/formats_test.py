# SPDX-License-Identifier: Apache-2.0
"""Whole runs on data files: the same bits at any number of ranks and loader threads, exact resume, damage named by rank and file."""
import os
import re
import unittest

import h5py
import numpy
from PIL import Image

from program import RunTest

SIDE, TRAIN, TEST, CLASSES = 12, 200, 40, 4


def pictures(count, seed):
    """[count, SIDE, SIDE, 3] bytes: a shade by class, under noise."""
    random = numpy.random.RandomState(seed)
    shade = numpy.arange(count) % CLASSES * 50
    return (shade[:, None, None, None] + random.randint(0, 60, (count, SIDE, SIDE, 3))).astype(numpy.uint8)


class Formats(RunTest):
    def write_hdf5(self, **layout):
        with h5py.File(self.path("data.h5"), "w") as file:
            for part, count, seed in (("train", TRAIN, 1), ("test", TEST, 2)):
                file.create_dataset(part + "/images", data=pictures(count, seed), **layout)
                file[part + "/labels"] = numpy.arange(count) % CLASSES
        return f'format = "hdf5"\npath = "{self.path("data.h5")}"\nmixed_chunks = 3'

    def write_images(self):
        for part, count, seed in (("train", TRAIN, 1), ("test", TEST, 2)):
            for i, pixels in enumerate(pictures(count, seed)):
                folder = self.path("images", part, f"class{i % CLASSES}")
                os.makedirs(folder, exist_ok=True)
                Image.fromarray(pixels).save(os.path.join(folder, f"{i:03}.{'png' if i % 3 else 'jpg'}"))
        return f'format = "images"\npath = "{self.path("images")}"\nsize = 10\nresize = 11'

    def train_on(self, data, name, ranks, *settings, expect=0):
        return self.train(name, ranks, *settings, data=data + '\naugment = ["crop", "flip"]', expect=expect)

    def check_invariance(self, data):
        self.train_on(data, "one", 1, "data.workers=0")
        for name, ranks, workers in (("two", 2, 1), ("four", 4, 3)):
            self.train_on(data, name, ranks, f"data.workers={workers}")
            self.assert_same_tensors(self.checkpoint("one"), self.checkpoint(name))
            last = [self.events(n, "evaluate")[-1] for n in ("one", name)]
            self.assertEqual(last[0]["loss"], last[1]["loss"])
        self.train_on(data, "resumed", 4, "checkpoint.every=5", "checkpoint.keep=20")
        self.remove_after("resumed", 5)
        self.train_on(data, "resumed", 2)
        self.assert_same_tensors(self.checkpoint("one"), self.checkpoint("resumed"))
        for event in self.events("two", "step"):
            self.assertTrue(0 <= event["data_wait_fraction"] <= 1, event)

    def test_chunked_hdf5(self):
        self.check_invariance(self.write_hdf5(chunks=(8, SIDE, SIDE, 3), compression="gzip", shuffle=True))

    def test_image_folder(self):
        self.check_invariance(self.write_images())

    def test_chunks_of_part_of_an_image_train_alike(self):
        """Which way the bytes are read does not matter; how many images a chunk holds does, as it is the order."""
        data = self.write_hdf5(chunks=(8, SIDE, SIDE, 3))
        self.train_on(data, "whole", 1, "checkpoint.every=4", "checkpoint.keep=20")
        self.write_hdf5(chunks=(8, 5, SIDE, 1), fletcher32=True)
        self.train_on(data, "parts", 1)
        self.assert_same_tensors(self.checkpoint("whole"), self.checkpoint("parts"))
        self.write_hdf5(chunks=(9, SIDE, SIDE, 3))
        self.train_on(data, "other", 1)
        self.assert_other_tensors(self.checkpoint("whole"), self.checkpoint("other"))
        self.remove_after("whole", 4)
        self.assertIn("digest", self.train_on(data, "whole", 1, expect=2).err)

    def test_a_filter_that_is_not_there_is_named_at_the_start(self):
        done = self.train_on(self.write_hdf5(chunks=(8, SIDE, SIDE, 3), compression="lzf"), "run", 2, expect=2)
        self.assertEqual(len(done.lines()), 1, done.err)
        self.assertIn("train/images needs HDF5's filter 32000 (lzf), which is not installed", done.lines()[0])
        self.assertFalse(os.path.exists(self.path("run")))

    def test_a_damaged_image_is_named_with_its_rank_when_it_is_read(self):
        data = self.write_images()
        damaged = self.path("images", "train", "class1", "001.png")
        with open(damaged, "r+b") as file:
            file.seek(60)
            file.write(b"xxxx")
        done = self.train_on(data, "run", 2, "run.steps=20", expect=65)
        said = [line for line in done.lines() if "class1" in line]
        self.assertEqual(len(said), 1, done.err)
        self.assertRegex(said[0], r"^mpdist: (rank [01] \(\S+\): )?" + re.escape(damaged) + ": PNG data: expected a whole image")


if __name__ == "__main__":
    unittest.main()
