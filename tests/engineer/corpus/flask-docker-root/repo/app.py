import os
import pickle

import psycopg2
from flask import Flask, jsonify, request

app = Flask(__name__)
with open("model.pkl", "rb") as f:
    model = pickle.load(f)
db = psycopg2.connect(host="db", user="app", password=os.environ["DB_PASSWORD"])


@app.route("/predict", methods=["POST"])
def predict():
    text = request.get_json(force=True)["text"]
    score = model.predict_proba([text])[0][1]
    try:
        with db.cursor() as cursor:
            cursor.execute("insert into scores values (%s, %s)", (text, score))
    except Exception:
        pass
    return jsonify({"toxic": bool(score > 0.5), "score": score})


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=5000, debug=True)
