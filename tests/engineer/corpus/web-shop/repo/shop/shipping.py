import requests


def price(weight: float) -> float:
    answer = requests.get("https://carrier.internal/price", params={"weight": weight}, timeout=5, verify=False)
    return answer.json()["price"]
