# SPDX-License-Identifier: MIT OR Apache-2.0
"""lmada beside Adam, Muon and SOAP in PyTorch, on the larger character GPT: equal steps, and equal time.

    compare.py TEXT RUNS_FILE VERSION DOCUMENT.md MACHINE.md [--quick]

The learning rates fall linearly to 0. They are tuned over half-decades on one seed, until the best lies inside; three
other seeds are reported. Every run that ends is kept in the file of runs, with the version: an interrupted program goes
on.
"""

import json
import math
import statistics
import sys
import time

import torch
from contenders import contenders
from model import GPT, Text

TUNING_SEED, SEEDS, TAIL = 100, (0, 1, 2), 5


def train(create, lr, steps, seed, text):
    """One run: losses as means over the last evaluations, and the seconds that gradients and steps took."""
    torch.manual_seed(seed)
    model, generator = GPT(), torch.Generator().manual_seed(seed + 1000)
    optimizers = create(model, lr)
    measured = text.measured(False), text.measured(True)
    tail = max(steps // 20, TAIL)
    evaluated = {steps - tail * i // TAIL for i in range(TAIL)}
    losses, gradients, updates = [], [], []
    for step in range(steps):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr * (1 - step / steps)
        windows = text.batch(generator)
        start = time.perf_counter()
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss = model.loss(windows)
        loss.backward()
        middle = time.perf_counter()
        if not math.isfinite(loss.item()):
            break
        for optimizer in optimizers:
            optimizer.step()
        updates.append(time.perf_counter() - middle)
        gradients.append(middle - start)
        if step + 1 in evaluated:
            with torch.no_grad():
                losses.append([model.loss(windows).item() for windows in measured])
    finite = len(losses) == TAIL and all(math.isfinite(x) for pair in losses for x in pair)
    train_loss, held_out = (statistics.fmean(column) for column in zip(*losses)) if finite else (None, None)
    return {
        "train": train_loss,
        "held_out": held_out,
        "gradient_seconds": statistics.median(gradients or [0]),
        # A mean: SOAP has steps that take much longer than the others.
        "step_seconds": statistics.fmean(updates or [0]),
    }


class Runs:
    """All runs, done or looked up."""

    def __init__(self, path, version, text):
        self.path, self.version, self.text, self.done = path, version, text, {}
        try:
            with open(path) as file:
                for line in file:
                    if line.endswith("\n"):
                        kept = json.loads(line)
                        if kept["version"] == version:
                            self.done[kept["key"]] = kept["run"]
        except FileNotFoundError:
            pass

    def get(self, name, create, lr, steps, seed):
        key = "%s; lr %.3g; %d steps; seed %d" % (name, lr, steps, seed)
        if key not in self.done:
            run = train(create, lr, steps, seed, self.text)
            self.done[key] = run
            with open(self.path, "a+") as file:
                file.seek(0)
                text = file.read()
                # What was cut short stays a line of its own, which nobody reads.
                file.write("\n" if text and not text.endswith("\n") else "")
                file.write(json.dumps({"version": self.version, "key": key, "run": run}) + "\n")
            print("%s: %s" % (key, run["train"]), file=sys.stderr)
        return self.done[key]


def tune(runs, name, create, index, steps):
    """The best learning rate, as 10^(index/2): the range grows until the best lies inside."""
    losses = {}

    def loss(index):
        if index not in losses:
            run = runs.get(name, create, 10 ** (index / 2), steps, TUNING_SEED)
            losses[index] = math.inf if run["train"] is None else run["train"]
        return losses[index]

    low, high = index - 1, index + 1
    while True:
        best = min(range(low, high + 1), key=loss)
        if best == low and low > -12:
            low -= 1
        elif best == high and high < 2:
            high += 1
        else:
            return best


def spread(values):
    if any(value is None for value in values):
        return "diverged"
    return "%.3f (%.3f to %.3f)" % (statistics.median(values), min(values), max(values))


def row(runs, name, create, index, steps):
    done = [runs.get(name, create, 10 ** (index / 2), steps, seed) for seed in SEEDS]
    cells = [name, "%.3g" % 10 ** (index / 2), str(steps)]
    cells += [spread([run[part] for run in done]) for part in ("train", "held_out")]
    step = statistics.median(run["step_seconds"] for run in done)
    cells.append("%.2f" % (1e3 * step))
    return "| " + " | ".join(cells) + " |\n", step


HEAD = (
    "| optimizer | lr | steps | train loss | held-out loss | step, ms |\n"
    "| --- | --- | --- | --- | --- | --- |\n"
)


def main():
    # One thread for all: PyTorch's own threads and the optimizers' would wait for each other.
    torch.set_num_threads(1)
    quick = "--quick" in sys.argv
    text_path, runs_path, version, document, machine = [word for word in sys.argv[1:] if not word.startswith("--")]
    steps = 12 if quick else 2000
    text = Text(text_path)
    runs = Runs(runs_path, version, text)
    found, missing = contenders()
    parameters = sum(w.numel() for w in GPT().parameters())

    tuned = {name: tune(runs, name, create, start, steps) for name, (create, start) in found.items()}
    rows, seconds = {}, {}
    for name, (create, _) in found.items():
        rows[name], seconds[name] = row(runs, name, create, tuned[name], steps)
    adam = min((name for name in found if name.startswith("Adam")),
               key=lambda name: runs.get(name, found[name][0], 10 ** (tuned[name] / 2), steps, TUNING_SEED)["train"])
    # The gradient is the same work for all: one time for all, so that a slow moment of the machine decides nothing.
    gradient = statistics.median(
        runs.get(name, create, 10 ** (tuned[name] / 2), steps, seed)["gradient_seconds"]
        for name, (create, _) in found.items()
        for seed in SEEDS
    )
    equal_time = []
    for name, (create, _) in found.items():
        # Within 2 % the runs at equal steps serve.
        share = (gradient + seconds[adam]) / (gradient + seconds[name])
        fitting = steps if abs(share - 1) <= 0.02 else max(TAIL, int(steps * share))
        equal_time.append(row(runs, name, create, tuned[name], fitting)[0])

    with open(document, "w") as file, open(machine) as about:
        file.write("# lmada beside Muon and SOAP in PyTorch\n\n")
        file.write("Written by `make evidence-large` (experiments/peers); do not edit. The character GPT with %d\n"
                   "parameters, PyTorch %s on the CPU, on one thread; linear decay, learning rates tuned over "
                   "half-decades on\none seed, three others reported: median (least to most).\n\n"
                   % (parameters, torch.__version__))
        file.write(about.read() + "\n")
        for line in missing:
            file.write("**Missing:** %s.\n\n" % line)
        file.write("A gradient takes %.1f ms; the tables have the optimizer's share of a step.\n\n" % (1e3 * gradient))
        file.write("## Equal steps\n\n" + HEAD + "".join(rows.values()))
        file.write("\n## Equal time\n\nAs many steps as fit into the time of %s, gradients and optimizer together, at "
                   "the same learning rate.\n\n" % adam + HEAD + "".join(equal_time))


main()
