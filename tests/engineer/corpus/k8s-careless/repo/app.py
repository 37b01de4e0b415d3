from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("acme/cv-matcher")
app = FastAPI()


class Pair(BaseModel):
    cv: str
    job: str


@app.post("/match")
def match(pair: Pair) -> float:
    first, second = model.encode([pair.cv, pair.job], normalize_embeddings=True)
    return float(first @ second)
