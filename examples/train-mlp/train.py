"""Trains a small classifier on a data set that it makes itself, and writes weights and metrics to /output.

The data: three interleaved spirals in the plane with noise, 1,500 points, a fifth of them held back for the test.
"""

import json
import math
import os
import time

import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", "7")))
torch.set_num_threads(max(1, min(2, os.cpu_count() or 1)))
epochs = int(os.environ.get("EPOCHS", "60"))
classes, points = 3, 500


def spirals() -> tuple[torch.Tensor, torch.Tensor]:
    """Features (n, 2) and labels (n,)."""
    radius = torch.linspace(0.05, 1, points).repeat(classes)
    label = torch.arange(classes).repeat_interleave(points)
    angle = radius * 4 + label * (2 * math.pi / classes) + torch.randn(classes * points) * 0.12
    return torch.stack([radius * angle.sin(), radius * angle.cos()], dim=1), label


features, labels = spirals()
order = torch.randperm(len(labels))
features, labels = features[order], labels[order]
held_back = len(labels) // 5
test_x, test_y = features[:held_back], labels[:held_back]
train_x, train_y = features[held_back:], labels[held_back:]

model = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, classes))
optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
loss_of = nn.CrossEntropyLoss()
started = time.time()
history = []
for epoch in range(1, epochs + 1):
    total = 0.0
    for batch in torch.randperm(len(train_y)).split(64):
        loss = loss_of(model(train_x[batch]), train_y[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(batch)
    history.append(total / len(train_y))
    if epoch == 1 or epoch % 10 == 0:
        print(f"epoch {epoch:3d}  loss {history[-1]:.4f}", flush=True)

with torch.no_grad():
    accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
print(f"test accuracy {accuracy:.3f}", flush=True)

torch.save(model.state_dict(), "/output/weights.pt")
with open("/output/metrics.json", "w", encoding="utf-8") as file:
    json.dump(
        {
            "epochs": epochs,
            "firstLoss": round(history[0], 4),
            "lastLoss": round(history[-1], 4),
            "testAccuracy": round(accuracy, 4),
            "parameters": sum(p.numel() for p in model.parameters()),
            "seconds": round(time.time() - started, 2),
            "torch": torch.__version__,
        },
        file,
        indent=2,
    )
