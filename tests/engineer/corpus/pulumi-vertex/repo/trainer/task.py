"""The training itself."""

import argparse
import logging
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics.classification import BinaryAUROC, BinaryRecall
from torchvision import datasets, models, transforms

log = logging.getLogger(__name__)


def main(data: Path, out: Path, epochs: int, seed: int) -> None:
    torch.manual_seed(seed)
    shape = transforms.Compose([transforms.Resize((256, 256)), transforms.ToTensor()])
    train = DataLoader(datasets.ImageFolder(data / "train", shape), 32, shuffle=True)
    val = DataLoader(datasets.ImageFolder(data / "val", shape), 32)
    model = models.resnet18(weights="DEFAULT")
    model.fc = nn.Linear(512, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    first = 0
    kept = out / "last.pt"
    if kept.exists():
        state = torch.load(kept, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["epoch"] + 1
    loss_of = nn.BCEWithLogitsLoss()
    for epoch in range(first, epochs):
        model.train()
        for x, y in train:
            loss = loss_of(model(x)[:, 0], y.float())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        model.eval()
        auc, recall = BinaryAUROC(), BinaryRecall()
        with torch.no_grad():
            for x, y in val:
                scores = model(x)[:, 0].sigmoid()
                auc.update(scores, y)
                recall.update(scores, y)
        log.info("epoch %s: auc %.3f, recall %.3f", epoch, auc.compute(), recall.compute())
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, kept)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    main(args.data, args.out, args.epochs, args.seed)
