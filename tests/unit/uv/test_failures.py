"""What uv says, kept word for word, names the package that is missing or clashes."""

import pytest

from mlwright.adapters.uv.environments import UvEnvironments
from mlwright.adapters.uv.failures import failure
from mlwright.adapters.uv.program import Said, Uv, environment
from mlwright.errors import EnvironmentFailed, EnvironmentUndecided

HEAD = (
    "Using Python 3.11.7 environment at: t1\nerror: No solution found when resolving dependencies\n  cause: "
)


def faults(said: str) -> list[str]:
    error = failure(said, ())
    assert type(error) is EnvironmentFailed, error
    return [str(each) for each in error.faults]


def test_a_package_that_nobody_has():
    said = (
        HEAD + "Because no-such-pkg-xyzzy was not found in the package registry and you require "
        "no-such-pkg-xyzzy==1, we can conclude that your requirements are unsatisfiable.\n"
    )
    assert faults(said) == ["no-such-pkg-xyzzy: is the name of no package that the index knows"]


def test_a_version_that_nobody_has():
    said = (
        HEAD
        + "Because there is no version of numpy==99.9 and you require numpy==99.9, we can conclude that your "
        "requirements are unsatisfiable.\n"
    )
    assert faults(said) == ["numpy==99.9: is a version that does not exist"]


def test_two_packages_that_clash():
    said = (
        HEAD
        + "Because scikit-learn>=1.9.1 depends on scipy>=1.10.0 and you require scikit-learn==1.9.1, we can "
        "conclude that you require scipy>=1.10.0.\n         And because you require scipy==0.19, we can conclude "
        "that your requirements are unsatisfiable.\n"
    )
    assert faults(said) == ["scikit-learn>=1.9.1: needs scipy>=1.10.0, and the model requires scipy==0.19"]


def test_a_condition_on_the_python_is_left_out():
    said = (
        HEAD + "Because pandas==2.2.3 depends on numpy{python_full_version < '3.12'}>=1.23.2 and you require "
        "pandas==2.2.3, we can conclude that you require numpy>=1.23.2.\n         And because you require "
        "numpy==1.20, we can conclude that your requirements are unsatisfiable.\n"
    )
    assert faults(said) == ["pandas==2.2.3: needs numpy>=1.23.2, and the model requires numpy==1.20"]


def test_another_python():
    said = (
        HEAD
        + "Because the current Python version (3.11.7) does not satisfy Python>=3.12 and foo==2.0 depends on "
        "Python>=3.12, we can conclude that foo==2.0 cannot be used.\n"
    )
    assert faults(said) == ["foo==2.0: needs Python>=3.12, and the model's Python is 3.11.7"]


@pytest.mark.parametrize(
    "said",
    [
        "error: Request failed after 3 retries\n  cause: Failed to fetch: http://me:pw@127.0.0.1:9/simple/six/\n",
        HEAD
        + "Because six was not found in the cache and you require six, we can conclude that your requirements are "
        "unsatisfiable.\n\nhint: Packages were unavailable because the network was disabled.\n",
        "error: failed to write\n  cause: No space left on device (os error 28)\n",
        HEAD
        + "Because numpy==1.19.0 has no usable wheels and you require numpy==1.19.0, we can conclude that your "
        "requirements are unsatisfiable.\n\nhint: Wheels are required for `numpy` because building from source is "
        "disabled for all packages (i.e., with `--no-build`)\n",
    ],
    ids=["no index", "offline", "full", "no wheel"],
)
def test_what_leaves_it_open_is_no_failure(said):
    error = failure(said, ())
    assert isinstance(error, EnvironmentUndecided)
    assert "me:pw" not in str(error)


def test_a_wheel_that_is_missing_is_named():
    said = (
        HEAD + "Because numpy==1.19.0 has no usable wheels and you require numpy==1.19.0, we can conclude …\n"
    )
    assert [each.where for each in failure(said, ()).faults] == ["numpy==1.19.0"]


def test_words_that_nobody_knows_are_kept():
    error = failure("error: something quite new\n", ())
    assert error.why == "error: something quite new"
    assert "uv cannot install" in error.what


@pytest.mark.parametrize(
    "line",
    [
        "x @ https://example.org/x.whl",
        "git+https://example.org/x",
        "-e .",
        "./x.whl",
        "/somewhere/x.whl",
        "--index-url https://example.org/simple",
        "six --index-url=https://example.org",
        "x @ file:///etc",
    ],
)
def test_an_address_is_never_given_to_uv(line, tmp_path):
    class Silent(Uv):
        def run(self, *arguments: str, seconds: float = 0) -> Said:
            raise AssertionError(arguments)

    environments = UvEnvironments(tmp_path, Silent(command=("uv",)))
    with pytest.raises(EnvironmentUndecided, match="place of its own"):
        environments.build(["six==1.17.0", line], "3.11")


def test_uv_gets_the_users_index_and_not_our_environment():
    given = {
        "UV_INDEX_URL": "https://index.example",
        "HTTPS_PROXY": "p",
        "VIRTUAL_ENV": "v",
        "PYTHONPATH": "p",
        "UV_PYTHON": "2.7",
    }
    kept = environment(given)
    assert kept == {
        "UV_INDEX_URL": "https://index.example",
        "HTTPS_PROXY": "p",
        "UV_PYTHON_DOWNLOADS": "never",
    }
