"""Reads nothing but weights."""

import torch
from safetensors.torch import load_file, save_file

state = load_file("denoiser.safetensors")
print({name: tensor.shape for name, tensor in state.items()})
save_file(state, "copy.safetensors")
print(torch.load("signals.pt", weights_only=True, map_location="cpu").keys())
