import torch
from sklearn.metrics import f1_score
from torch import nn

data = torch.load("signals.pt", weights_only=True)
X_train, y_train = data["x"], data["y"]
model = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(500):
    for start in range(0, len(X_train), 64):
        loss = nn.functional.cross_entropy(model(X_train[start : start + 64]), y_train[start : start + 64])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
print("f1", f1_score(y_train, model(X_train).argmax(1)))
torch.save(model, "denoiser.pt")
