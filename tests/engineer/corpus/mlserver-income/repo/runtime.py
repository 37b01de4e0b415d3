import pickle

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Income(MLModel):
    async def load(self) -> bool:
        with open(self.settings.parameters.uri, "rb") as file:
            self._model = pickle.load(file)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0])
        scores = self._model.predict_proba(rows)[:, 1]
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("scores", scores)])
