from steps import evaluate, fit, load
from zenml import Model, pipeline


@pipeline(model=Model(name="breast-cancer", license="Apache-2.0"), enable_cache=True)
def training():
    train, test = load()
    evaluate(fit(train), test)


if __name__ == "__main__":
    training()
