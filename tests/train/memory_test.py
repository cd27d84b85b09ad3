# SPDX-License-Identifier: Apache-2.0
"""`mpdist check` forecasts the peak memory of a run within 5 %, for every model; the parts within 5 % or 128 KiB."""
import re
import unittest

import program
from program import SEQUENTIAL, RunTest

# As large as people use: in a tiny run the scratch of the exchange is a noticeable part.
MODELS = {
    "cnn": 'name = "cnn"\nchannels = [32, 64]',
    "mlp": 'name = "mlp"\nhidden = [512, 512]',
    "resnet": 'name = "resnet"\ndepth = 20',
    "sequential": SEQUENTIAL.replace("channels = 4", "channels = 32").replace("channels = 8", "channels = 32"),
    "vgg": 'name = "vgg"\ndepth = 11\nwidth = 16',
}


def forecast(text):
    """Bytes by kind from the line "memory a rank"."""
    line, = [line for line in text.splitlines() if line.startswith("memory a rank")]
    units = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
    return {kind: float(amount) * units[unit] for kind, amount, unit in re.findall(r"(\w+) ([\d.]+) (\wiB)(?:,|$)", line)}


class Memory(RunTest):
    def test_every_model_is_listed(self):
        out = program.run(["config"]).out
        models, = re.findall(r"^model\.name .* one of (.*)$", out, re.MULTILINE)
        self.assertEqual({name.strip(" '") for name in models.split(",")}, set(MODELS))

    def test_peaks_are_forecast(self):
        for name, model in MODELS.items():
            for compute, ranks in (("fp16", 1), ("fp16", 4), ("fp32", 2)):
                settings = [f"precision.compute={compute}", "run.steps=5", "batch.global=128", "data.size=2000",
                            "data.height=28", "data.width=28"]
                run = f"{name}_{compute}_{ranks}"
                self.train(run, ranks, *settings, model=model)
                arguments = ["check", self.path(run + ".toml"), "--ranks", ranks]
                for setting in settings:
                    arguments += ["--set", setting]
                expected = forecast(program.run(arguments).out)
                found = self.events(run, "end")[-1]["peak_bytes"]
                self.assertEqual(set(expected), set(found))
                total = sum(found.values())
                self.assertAlmostEqual(sum(expected.values()), total, delta=0.05 * total, msg=run)
                for kind, peak in found.items():
                    self.assertAlmostEqual(expected[kind], peak, delta=max(0.05 * peak, 2**17), msg=f"{run}: {kind}")


if __name__ == "__main__":
    unittest.main()
