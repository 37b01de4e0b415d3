from shop.app import app


def test_a_train_has_a_price():
    app.secret_key = "only-for-tests"
    assert app.test_client().get("/trains/3/price").get_json() == {"price": 22}
