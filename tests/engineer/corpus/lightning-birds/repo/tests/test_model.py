import torch

from birds.model import Classifier


def test_one_step_gives_a_finite_loss():
    model = Classifier("resnet18", 5, 1e-3, 0.0)
    loss = model.training_step((torch.rand(2, 3, 64, 64), torch.tensor([0, 1])), 0)
    loss.backward()
    assert torch.isfinite(loss)


def test_every_picture_gets_a_score_for_every_class():
    assert Classifier("resnet18", 5, 1e-3, 0.0)(torch.rand(3, 3, 64, 64)).shape == (3, 5)
