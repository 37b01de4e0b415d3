"""Asks the endpoint for a score and keeps it."""

import json
import os

import boto3
import pg8000.native

runtime = boto3.client("sagemaker-runtime")


def lambda_handler(event, context):
    asked = json.loads(event["body"])
    answer = runtime.invoke_endpoint(EndpointName="scoring", ContentType="application/json", Body=json.dumps(asked))
    score = json.loads(answer["Body"].read())["score"]
    with pg8000.native.Connection("scoring", host=os.environ["DB_HOST"], password=os.environ["DB_PASSWORD"]) as db:
        db.run("insert into scores (application, score) values (:a, :s)", a=asked["application"], s=score)
    return {"statusCode": 200, "body": json.dumps({"score": score})}
