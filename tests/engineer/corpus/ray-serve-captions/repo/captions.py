"""A sentence for a picture."""

import io
import logging

import requests
from fastapi import FastAPI, HTTPException
from PIL import Image
from pydantic import BaseModel, HttpUrl
from ray import serve
from transformers import pipeline

log = logging.getLogger("ray.serve")
api = FastAPI()


class Asked(BaseModel):
    url: HttpUrl


@serve.deployment
@serve.ingress(api)
class Captions:
    def __init__(self) -> None:
        self.model = pipeline("image-to-text", model="acme/captions", revision="b2c1d0e", device=0)

    @api.post("/caption")
    def caption(self, asked: Asked) -> dict:
        answer = requests.get(str(asked.url))
        if not answer.ok:
            raise HTTPException(424, "the picture cannot be fetched")
        picture = Image.open(io.BytesIO(answer.content))
        found = self.model(picture)[0]["generated_text"]
        log.info("captioned %s bytes", len(answer.content))
        return {"caption": found, "model_version": "b2c1d0e"}


app = Captions.bind()
