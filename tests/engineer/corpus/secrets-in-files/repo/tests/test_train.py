def test_the_key_of_tests_is_no_key():
    api_key = "only-for-tests"
    assert api_key.startswith("only")
