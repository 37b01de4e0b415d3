import pandas as pd
import yaml
from sklearn.model_selection import train_test_split

with open("params.yaml") as file:
    params = yaml.safe_load(file)["split"]
comments = pd.read_csv("data/comments.csv")
train, test = train_test_split(comments, test_size=params["share"], random_state=params["seed"], stratify=comments["spam"])
train.to_csv("data/train.csv", index=False)
test.to_csv("data/test.csv", index=False)
