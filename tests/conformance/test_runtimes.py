import pytest

from mlwright.model.registry import Field, Signature
from mlwright.testing.conformance.runtimes import Fitted, ModelRuntimeConformance
from mlwright.testing.fakes.runtimes import LinearModel, LinearRuntime


class TestLinearRuntime(ModelRuntimeConformance):
    @pytest.fixture
    def runtime(self) -> LinearRuntime:
        return LinearRuntime()

    @pytest.fixture
    def fitted(self) -> Fitted:
        model = LinearModel(
            weights={"wind": 0.1, "hour": -0.2, "carrier=UA": 0.7, "carrier=AA": -0.4, "night=true": 1.1},
            bias=-0.5,
        )
        signature = Signature(
            inputs=(
                Field(name="wind", type="double"),
                Field(name="hour", type="long"),
                Field(name="carrier", type="string"),
                Field(name="night", type="boolean"),
                Field(name="gust", type="double", required=False),
            ),
            outputs=(Field(name="score", type="double"),),
        )
        example = {
            "wind": [3.5, 12.0, None],
            "hour": [6, 18, 23],
            "carrier": ["UA", "AA", "UA"],
            "night": [False, False, True],
            "gust": [None, 20.5, 1.0],
        }
        return model, signature, example, {"carrier": ["AA", "UA"]}
