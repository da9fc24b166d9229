"""Trains a 64-32-10 perceptron in PyTorch to read handwritten digits, and prints the accuracy on the test digits.

python3 bindings/python/examples/digits.py [digits.csv.gz]
"""

import gzip
import sys
from pathlib import Path

import torch

import lmada
from lmada.torch import LMAdagrad

DATA = Path(__file__).resolve().parents[3] / "examples" / "data" / "digits.csv.gz"
TESTS, BATCH, EPOCHS, PEAK = 360, 64, 30, 0.03


def read(path):
    """Images as rows of 64 pixels from 0 to 1, and their digits."""
    with gzip.open(path, "rt") as file:
        rows = torch.tensor([[int(cell) for cell in line.split(",")] for line in file])
    return rows[:, :64] / 16, rows[:, 64]


def main():
    images, digits = read(sys.argv[1] if len(sys.argv) > 1 else DATA)
    torch.manual_seed(1)
    order = torch.randperm(len(digits))
    tests, training = order[:TESTS], order[TESTS:]

    model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Linear(32, 10))
    optimizer = LMAdagrad(model.parameters(), **{**lmada.recommended(), "lr": PEAK})
    steps = EPOCHS * -(-len(training) // BATCH)
    # The rate rises over 10 steps, then falls to 0 along half a cosine.
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: lmada.schedule("cosine", 1.0, step + 1, warmup=10, total=steps)
    )
    for epoch in range(1, EPOCHS + 1):
        losses = []
        for batch in training[torch.randperm(len(training))].split(BATCH):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(images[batch]), digits[batch])
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        if epoch % 5 == 0:
            print(f"epoch {epoch:2}  loss {sum(losses) / len(losses):.4f}")
    with torch.no_grad():
        right = (model(images[tests]).argmax(dim=1) == digits[tests]).float().mean()
    print(f"test accuracy reached: {right:.4f}")


main()
