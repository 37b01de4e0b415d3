"""Question in, answer out."""

from fastapi import FastAPI
from openai import OpenAI
from pydantic import BaseModel

from app.articles import nearest

app = FastAPI()
client = OpenAI()
PROMPT = "Answer from these articles only. Say so when they do not tell.\n\n{articles}"


class Question(BaseModel):
    text: str


@app.post("/answer")
def answer(question: Question) -> dict:
    vector = client.embeddings.create(model="text-embedding-3-small", input=question.text).data[0].embedding
    messages = [
        {"role": "system", "content": PROMPT.format(articles="\n\n".join(nearest(vector)))},
        {"role": "user", "content": question.text},
    ]
    said = client.chat.completions.create(model="gpt-4o-mini", messages=messages, temperature=0)
    return {"answer": said.choices[0].message.content}
