import os

from flask import Flask, jsonify, request

from shop.posters import thumbnail
from shop.shipping import price

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]


@app.get("/trains/<int:train>/price")
def train_price(train: int):
    return jsonify({"price": 19 + train % 7})


@app.post("/posters")
def upload():
    path = thumbnail(request.files["poster"].stream)
    return jsonify({"thumbnail": path, "shipping": price(float(request.form["weight"]))})
