import pytest

from mlwright.testing.conformance.gaps import Conformance, gap


class Exam(Conformance):
    def test_counts(self) -> None:
        raise AssertionError("shared")

    def help_out(self) -> int:
        return 1


def test_a_shared_case_cannot_be_replaced_silently() -> None:
    with pytest.raises(TypeError, match=r"Lazy\.test_counts replaces a shared case"):

        class Lazy(Exam):
            def test_counts(self) -> None:
                pass


def test_nor_by_something_that_is_no_case() -> None:
    with pytest.raises(TypeError, match="mark it with gap"):

        class Lazy(Exam):
            test_counts = None


def test_a_declared_gap_is_a_strict_expected_failure() -> None:
    class Honest(Exam):
        @gap("counts in dozens")
        def test_counts(self) -> None:
            super().test_counts()

        def help_out(self) -> int:
            return 2

        def test_of_its_own(self) -> None:
            pass

    [mark] = Honest.test_counts.pytestmark
    assert (mark.name, mark.kwargs) == ("xfail", {"strict": True, "reason": "gap: counts in dozens"})
