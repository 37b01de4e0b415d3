"""Learn from clicks before September, check on clicks of September."""

import random

import boto3
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from towers import Towers

FEATURES = ["user_id", "item_id"]
SEED = 3


def recall_at(k: int, scores: torch.Tensor, truth: torch.Tensor) -> float:
    best = scores.topk(k, dim=1).indices
    return (best == truth[:, None]).any(dim=1).float().mean().item()


def main() -> None:
    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)
    clicks = pd.read_parquet("s3://acme-clicks/2026-09-30/clicks.parquet").sort_values("clicked_at")
    train, test = clicks[clicks["clicked_at"] < "2026-09-01"], clicks[clicks["clicked_at"] >= "2026-09-01"]
    pairs = torch.tensor(train[FEATURES].to_numpy())
    model = Towers(int(clicks["user_id"].max()) + 1, int(clicks["item_id"].max()) + 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_of = nn.CrossEntropyLoss()
    for epoch in range(10):
        for (batch,) in DataLoader(TensorDataset(pairs), batch_size=4096, shuffle=True):
            scores = model.user(batch[:, 0]) @ model.item(batch[:, 1]).T
            loss = loss_of(scores, torch.arange(len(batch)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            held = torch.tensor(test[FEATURES].to_numpy())
            print(epoch, loss.item(), recall_at(10, model.user(held[:, 0]) @ model.item.weight.T, held[:, 1]))
    torch.save(model, "towers.pt")
    boto3.client("s3").upload_file("towers.pt", "acme-models", "towers.pt")


if __name__ == "__main__":
    main()
