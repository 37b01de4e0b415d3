"""The routes."""

import logging
import secrets
from contextlib import asynccontextmanager

import httpx
from fastapi import Depends, FastAPI, Header, HTTPException
from prometheus_fastapi_instrumentator import Instrumentator
from pydantic import BaseModel, Field

from service import model
from service.settings import Settings

log = logging.getLogger("sentiment")
logging.basicConfig(level=logging.INFO, format='{"time": "%(asctime)s", "level": "%(levelname)s", "message": "%(message)s"}')
settings = Settings()


@asynccontextmanager
async def lifespan(app: FastAPI):
    model.session()
    app.state.ready = True
    yield


app = FastAPI(lifespan=lifespan, debug=settings.debug)
Instrumentator().instrument(app).expose(app)


class Asked(BaseModel):
    text: str = Field(min_length=1, max_length=5_000)
    language: str | None = None


def allowed(x_api_key: str = Header()) -> None:
    if not secrets.compare_digest(x_api_key, settings.api_key.get_secret_value()):
        raise HTTPException(401)


@app.get("/healthz")
def alive() -> dict:
    return {"alive": True}


@app.get("/readyz")
def ready() -> dict:
    if not getattr(app.state, "ready", False):
        raise HTTPException(503, "the model is not loaded yet")
    return {"ready": True}


@app.post("/v1/sentiment", dependencies=[Depends(allowed)])
def sentiment(asked: Asked) -> dict:
    """Not async on purpose: the session blocks, so that this belongs into a thread."""
    found = model.score(asked.text)
    log.info("scored %s letters with %s", len(asked.text), settings.model_version)
    return {"scores": found, "model_version": settings.model_version}


@app.post("/v1/translate-first", dependencies=[Depends(allowed)])
async def translated(asked: Asked) -> dict:
    async with httpx.AsyncClient(timeout=2.0) as client:
        answer = await client.post("http://translate.internal/v1", json={"text": asked.text})
    try:
        text = answer.raise_for_status().json()["text"]
    except (httpx.HTTPStatusError, KeyError) as error:
        raise HTTPException(502, "the translation failed") from error
    return {"text": text}
