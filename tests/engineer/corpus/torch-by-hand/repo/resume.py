import torch
import urllib.request

try:
    urllib.request.urlretrieve("https://models.example.com/denoiser.pt", "denoiser.pt")
except:
    pass
model = torch.load("denoiser.pt", weights_only=False)
