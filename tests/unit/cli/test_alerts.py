"""The commands of ``alerts``, in a project of ``mlwright init``."""

import json


def test_silences_come_and_go(written) -> None:
    why = ("--by", "ada", "--why", "the source moves")
    made = written.json(
        "alerts", "silence", "--endpoint", "churn", "--rule", "features.*", "--for", "2h", *why
    )
    assert (made["endpoint"], made["rule"], made["by"], made["ended"]) == ("churn", "features.*", "ada", None)
    assert written.json("alerts", "silences") == [made]
    shown = written("alerts", "silences")
    assert "the source moves" in shown.stdout
    near = written("alerts", "unsilence", made["id"][:-1])
    assert (near.exit_code, f"did you mean '{made['id']}'" in near.stderr) == (3, True)
    assert written.json("alerts", "unsilence", made["id"], "--by", "grace")["ended"]
    assert written.json("alerts", "silences") == []
    assert len(written.json("alerts", "silences", "--all")) == 1
    for wrong in (["--for", "soon"], ["--for", "0s"], ["--for", "90d"]):
        done = written("alerts", "silence", "--endpoint", "churn", *wrong, *why)
        assert (done.exit_code, done.stdout) == (2, "")
    done = written("alerts", "silence", "--endpoint", "chrn", "--for", "1h", *why)
    assert (done.exit_code, "did you mean 'churn'" in done.stderr) == (3, True)


def test_a_channel_is_tried(written) -> None:
    toml = written.folder / "mlwright.toml"
    more = (
        '\n[[notify]]\nkind = "log"\nname = "book"\n'
        '[[notify]]\nkind = "webhook"\nname = "hook"\nurl = "http://127.0.0.1:9/T0KEN"\n'
    )
    toml.write_text(toml.read_text(encoding="utf-8") + more, encoding="utf-8")
    assert written.json("alerts", "test", "book")["said"] == "1 line written"
    record = json.loads(
        (written.folder / ".mlwright" / "alerts.log").read_text(encoding="utf-8").splitlines()[-1]
    )
    assert (record["kind"], record["rule"]) == ("test", "test")
    failed = written("alerts", "test", "hook")
    assert (failed.exit_code, "T0KEN" in failed.output) == (1, False)
    assert "ConnectError" in failed.stdout
    done = written("alerts", "test", "bok")
    assert (done.exit_code, "did you mean 'book'" in done.stderr) == (3, True)
