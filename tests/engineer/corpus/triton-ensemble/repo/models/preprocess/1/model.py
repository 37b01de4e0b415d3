"""Bytes of a photograph to a picture of the size that the reader learned on."""

import io

import numpy as np
import triton_python_backend_utils as pb_utils
from PIL import Image


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            photos = pb_utils.get_input_tensor_by_name(request, "PHOTO").as_numpy()
            try:
                made = np.stack([self._one(photo) for photo in photos])
                answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("IMAGE", made)]))
            except OSError as error:
                answers.append(pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error))))
        return answers

    @staticmethod
    def _one(photo: np.ndarray) -> np.ndarray:
        picture = Image.open(io.BytesIO(photo.tobytes())).convert("RGB").resize((512, 256))
        return (np.asarray(picture, dtype=np.float32) / 255).transpose(2, 0, 1)
