"""What is installed for serving a model, and by what it is loaded."""

from mlwright.adapters.isolated.planning import Described, name_of, plans
from mlwright.model.registry import Field, Signature

NUMBERS = Signature(inputs=(Field(name="x", type="double"),), outputs=(Field(name="y", type="double"),))
TEXTS = Signature(inputs=(Field(name="x", type="string"),), outputs=NUMBERS.outputs)
PYFUNC = {"loader_module": "mlflow.sklearn"}


def test_a_library_alone_comes_before_mlflow() -> None:
    native, general = plans(
        Described(
            flavors={"python_function": PYFUNC, "sklearn": {"sklearn_version": "1.5.2"}},
            signature=NUMBERS,
            requirements=("mlflow==3.17.2", "scikit-learn==1.5.2", "numpy==2.0.1"),
            mlflow_version="3.17.2",
        )
    )
    assert (native.by, native.requirements) == ("sklearn", ("scikit-learn==1.5.2", "numpy==2.0.1"))
    assert general.by == "python_function"
    assert general.requirements == ("mlflow-skinny==3.17.2", "scikit-learn==1.5.2", "numpy==2.0.1", "pandas")


def test_what_the_requirements_forgot_is_added() -> None:
    [native] = plans(
        Described(
            flavors={"sklearn": {"sklearn_version": "1.5.2", "serialization_format": "cloudpickle"}},
            signature=TEXTS,
        )
    )
    assert native.requirements == ("numpy", "scikit-learn==1.5.2", "cloudpickle", "pandas")
    [torch] = plans(Described(flavors={"pytorch": {"pytorch_version": "2.13.0+cpu"}}, signature=NUMBERS))
    assert torch.requirements == ("numpy", "torch==2.13.0")
    [booster] = plans(
        Described(flavors={"xgboost": {}}, requirements=("xgboost-cpu==3.2.0",), signature=NUMBERS)
    )
    assert booster.requirements == ("xgboost-cpu==3.2.0", "numpy")


def test_what_only_mlflow_loads() -> None:
    [general] = plans(
        Described(
            flavors={"python_function": {}, "statsmodels": {}},
            requirements=("MLflow[extras] >= 3.1 ; python_version > '3.8'", "statsmodels==0.14"),
        )
    )
    assert general.requirements[:2] == ("mlflow-skinny >= 3.1 ; python_version > '3.8'", "statsmodels==0.14")
    [unsaid] = plans(Described(flavors={"python_function": {}}, mlflow_version="3.1.0"))
    assert unsaid.requirements == ("mlflow-skinny==3.1.0", "pandas", "numpy")
    assert plans(Described(flavors={"keras": {}})) == ()


def test_names() -> None:
    assert name_of(" Scikit_Learn[a,b] >=1") == "scikit-learn"
    assert name_of("-r other.txt") == ""
