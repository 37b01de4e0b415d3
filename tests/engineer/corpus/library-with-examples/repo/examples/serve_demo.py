"""A page to try it on."""

import pickle

from flask import Flask, request

app = Flask(__name__)
detector = pickle.load(open("detector.pkl", "rb"))


@app.post("/label")
def label():
    return {"event": int(detector.predict([request.get_json()["samples"]])[0])}


if __name__ == "__main__":
    app.run(debug=True)
