#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How whole runs behave: two ranks beside one, steps during a save, and the time to the first step.

    /usr/bin/python3 benchmarks/train/scaling.py                       # all three, some ten minutes on 2 cores
    /usr/bin/python3 benchmarks/train/scaling.py ranks --models resnet20 --pairs 7
    /usr/bin/python3 benchmarks/train/scaling.py start --pairs 9

ranks   samples/s of the shipped configs, 2 ranks over 1 at equal shards. Runs of a pair follow each other; the losses of both
        must be equal, bit for bit, before their times count. The bar
        of resnet20 is for 2 ranks over the best 1-rank run of all pairs, which is sterner.
save    step_ms while a checkpoint is written in the background over step_ms otherwise, for a model whose save lasts.
start   seconds from exec to the first step's line in metrics.jsonl, by phase.
Each prints the median, the range and the bar.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CONFIGS = {"cnn": ROOT / "launch/configs/fashion_mnist.toml", "mlp": ROOT / "launch/configs/fashion_mnist_mlp.toml",
           "resnet20": ROOT / "launch/configs/fashion_mnist_resnet.toml"}
MPI_ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
RANKS_BARS, SAVE_BAR, START_BAR_S = {"cnn": 1.7, "mlp": 1.7, "resnet20": 1.9}, 1.15, 1.0
STEPS = {"cnn": 40, "mlp": 300, "resnet20": 30}  # that are timed
WARM_UP = 10
NO_SAVES = {"evaluate.every": 0, "checkpoint.every": 0, "checkpoint.every_minutes": 0, "log.every": 1}
BIG_MODEL = {"model.hidden": [2048, 2048], "checkpoint.every": 40, "checkpoint.every_minutes": 0, "checkpoint.keep": 1,
             "run.steps": 200, "log.every": 1}
SMALL_DATA = {"data.format": "synthetic", "data.size": 256, "data.test_size": 32, "data.height": 28, "data.width": 28}


class Run:
    """A run in a scratch folder, watched every few milliseconds while it goes."""

    def __init__(self, options, config, ranks, settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mpdist-scaling-"))
        command = [os.environ.get("MPIEXEC", "mpirun"), "-n", str(ranks), options.mpdist, str(config)]
        for key, value in {"run.output": str(self.folder / "out"), **settings}.items():
            command += ["--set", "%s=%s" % (key, json.dumps(value) if not isinstance(value, str) else value)]
        self.events, self._read = [], 0
        self.started = time.monotonic()
        with open(self.folder / "log", "w", encoding="utf-8") as log:
            self._process = subprocess.Popen(command, env={**os.environ, **MPI_ENVIRONMENT}, stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_events(self):
        """Lines of metrics.jsonl since the last call."""
        try:
            with open(self.folder / "out/metrics.jsonl", "rb") as file:
                file.seek(self._read)
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[:text.rfind(b"\n") + 1]
        self._read += len(whole)
        events = [json.loads(line) for line in whole.splitlines()]
        self.events += events
        return events

    def has_temporary(self):
        try:
            return any(".tmp-" in name for name in os.listdir(self.folder / "out/checkpoints"))
        except FileNotFoundError:
            return False

    def cpu_seconds(self):
        """CPU time of the rank that used least of it so far, as those that wait for it poll."""
        ranks = []
        for entry in os.listdir("/proc"):
            try:
                text = pathlib.Path("/proc", entry, "stat").read_text() if entry.isdigit() else ""
            except OSError:
                continue
            fields = text.rpartition(")")[2].split()
            if fields and int(fields[1]) == self._process.pid:
                ranks.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
        return min(ranks, default=0)

    def ended(self):
        code = self._process.poll()
        if code not in (None, 0):
            sys.exit("exit code %d:\n%s" % (code, (self.folder / "log").read_text()[-2000:]))
        return code == 0

    def finish(self):
        while not self.ended():
            time.sleep(0.02)
        self.new_events()
        return [event for event in self.events if event["event"] == "step"]


def line(name, values, unit, bar, reached):
    return "%-30s %7.3f%s (%.3f to %.3f, %d runs)   bar %s: %s" % (
        name, statistics.median(values), unit, min(values), max(values), len(values), bar, "reached" if reached else "missed")


def rates_of_pairs(options, model, dtype):
    """Samples/s of each run, by ranks."""
    rates = {1: [], 2: []}
    settings = {**NO_SAVES, "run.steps": WARM_UP + STEPS[model], "precision.compute": dtype}
    for _ in range(options.pairs):
        losses = {}
        for ranks in (1, 2):
            with Run(options, CONFIGS[model], ranks, settings) as run:
                events = run.finish()
            losses[ranks] = [event["loss"] for event in events]
            rates[ranks].append(statistics.median(event["samples_per_s"] for event in events[WARM_UP:]))
        if losses[1] != losses[2]:
            sys.exit("%s %s: losses on 1 and 2 ranks differ" % (model, dtype))
    return rates


def measure_ranks(options):
    for model in options.models:
        for dtype in options.dtypes:
            rates, bar = rates_of_pairs(options, model, dtype), RANKS_BARS[model]
            name, ratios = "2 ranks/1", [two / one for one, two in zip(rates[1], rates[2])]
            paired = statistics.median(ratios)
            if model == "resnet20":
                name, ratios = "2 ranks/best 1", [two / max(rates[1]) for two in rates[2]]
            print(line("%s %s, %s" % (model, dtype, name), ratios, "", ">= %.1f" % bar, statistics.median(ratios) >= bar) +
                  "   %.0f and %.0f samples/s, pairs %.3f" % (statistics.median(rates[1]), statistics.median(rates[2]), paired),
                  flush=True)


def steps_of_a_save_run(run):
    """step_ms of quiet steps and of steps that met a save: from the checkpoint's line until its temporary file is gone."""
    quiet, saving, saves = [], [], []
    begun, seen = None, False
    while not run.ended():
        temporary = run.has_temporary()
        seen = seen or temporary
        for event in run.new_events():
            if event["event"] == "checkpoint":
                begun, seen = time.monotonic(), False
            elif event["event"] == "step" and event["step"] > WARM_UP:
                (saving if begun else quiet).append(event["step_ms"])
        if begun and ((seen and not temporary) or (not seen and time.monotonic() - begun > 1)):
            saves.append(time.monotonic() - begun)
            begun = None
        time.sleep(0.003)
    return quiet, saving, saves


def measure_save(options):
    for ranks in (1, 2):
        ratios, durations, counts = [], [], []
        for _ in range(options.pairs):
            with Run(options, CONFIGS["mlp"], ranks, BIG_MODEL) as run:
                quiet, saving, saves = steps_of_a_save_run(run)
            if not saving or not quiet:
                sys.exit("no step met a save: choose a larger model")
            ratios.append(statistics.median(saving) / statistics.median(quiet))
            durations += saves
            counts.append(len(saving))
        print(line("steps during a save, %d" % ranks, ratios, "", "<= %.2f" % SAVE_BAR,
                   statistics.median(ratios) <= SAVE_BAR) +
              "   a save lasts %.0f ms, %d steps a run met one" % (1e3 * statistics.median(durations), statistics.median(counts)),
              flush=True)


def phases_of_a_start(options, ranks, settings):
    """Seconds from exec to: the output folder (data and model are there), the start line, the first step; CPU seconds."""
    with Run(options, CONFIGS["cnn"], ranks, {**NO_SAVES, "run.steps": 1, **settings}) as run:
        folder = start = None
        while not any(event["event"] == "step" for event in run.events):
            run.ended()
            if folder is None and (run.folder / "out").exists():
                folder = time.monotonic() - run.started
            if run.new_events() and start is None:
                start = time.monotonic() - run.started
            time.sleep(0.001)
        return folder, start, time.monotonic() - run.started, run.cpu_seconds()


def measure_start(options):
    for ranks in (1, 2):
        real = [phases_of_a_start(options, ranks, {}) for _ in range(options.pairs)]
        small = [phases_of_a_start(options, ranks, SMALL_DATA) for _ in range(options.pairs)]
        totals = [total for _, _, total, _ in real]
        loaded, started, total, cpu = (statistics.median(phase) for phase in zip(*real))
        process = statistics.median(folder for folder, *_ in small)
        print(line("start, %d rank%s" % (ranks, "s"[:ranks - 1]), totals, " s", "< %.0f s" % START_BAR_S,
                   total < START_BAR_S) + "   %.2f s of CPU a rank" % cpu)
        print("    process, MPI_Init, model %.0f ms; data %.0f ms; agreement, files %.0f ms; first step %.0f ms" % (
            1e3 * process, 1e3 * (loaded - process), 1e3 * (started - loaded), 1e3 * (total - started)),
            flush=True)


def main():
    measures = {"ranks": measure_ranks, "save": measure_save, "start": measure_start}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], *measures], default=[])
    parser.add_argument("--mpdist", default=str(ROOT / "build/cpu/mpdist"))
    parser.add_argument("--dtypes", nargs="+", choices=["fp32", "bf16", "fp16"], default=["fp32", "bf16", "fp16"])
    parser.add_argument("--models", nargs="+", choices=list(CONFIGS), default=list(CONFIGS), help="of `ranks`")
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    for name in options.what or measures:
        measures[name](options)


if __name__ == "__main__":
    main()
