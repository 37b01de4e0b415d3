"""A classifier around a backbone of timm."""

import lightning as L
import timm
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score


class Classifier(L.LightningModule):
    def __init__(self, name: str, classes: int, lr: float, weight_decay: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = timm.create_model(name, pretrained=True, num_classes=classes)
        self.loss = nn.CrossEntropyLoss()
        self.accuracy = MulticlassAccuracy(classes)
        self.f1 = MulticlassF1Score(classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)

    def training_step(self, batch, _):
        x, y = batch
        loss = self.loss(self(x), y)
        self.log("train/loss", loss)
        return loss

    def _shared(self, batch, stage):
        x, y = batch
        scores = self(x)
        self.log_dict({f"{stage}/loss": self.loss(scores, y), f"{stage}/acc": self.accuracy(scores, y), f"{stage}/f1": self.f1(scores, y)})

    def validation_step(self, batch, _):
        self._shared(batch, "val")

    def test_step(self, batch, _):
        self._shared(batch, "test")

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.hparams.lr, weight_decay=self.hparams.weight_decay)
