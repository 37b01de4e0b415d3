"""Who is told of what, and when: time lines on a clock that the test turns."""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from mlwright.adapters.sql.engine import open_engine
from mlwright.doors.http.control.telling import Telling
from mlwright.errors import Conflict, NotFound, UsageError
from mlwright.model.alerting import ChannelTrouble, Notice, NoticeKind
from mlwright.model.monitoring import Alert, AlertLevel, AlertState
from mlwright.model.settings import EndpointSettings, Settings
from mlwright.model.watch_settings import EscalationSettings, EscalationStep, NotifySettings
from mlwright.platform.alerting import AlertJourney
from mlwright.platform.parts import Parts
from mlwright.stages.ledger import tables as ledger_tables
from mlwright.stages.monitoring import outbox
from mlwright.stages.monitoring import tables as monitoring_tables
from mlwright.stages.monitoring.alerts import AlertAction, AlertDecision
from mlwright.stages.serving import tables as serving_tables
from mlwright.testing.fakes.clock import ManualClock
from mlwright.testing.fakes.notifier import RecordingNotifier

T0 = datetime(2013, 5, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECRET = "T0KEN-of-the-channel"


def minutes(number: float) -> timedelta:
    return number * MINUTE


def escalation(*steps: tuple[float, str], level: str = "page", **named: Any) -> EscalationSettings:
    return EscalationSettings(
        level=level,
        steps=tuple(EscalationStep(after=minutes(after), to=tuple(to.split())) for after, to in steps),
        **named,
    )


@dataclass
class Desk:
    """A project of which only the alerts are there."""

    root: Path
    names: Sequence[str] = ("log",)
    notify: tuple[NotifySettings, ...] = ()
    escalations: tuple[EscalationSettings, ...] = ()
    clock: ManualClock = field(default_factory=lambda: ManualClock(T0))
    told: list[tuple[float, str, str, str]] = field(default_factory=list)
    """Minutes since T0, channel, state, rules of the news."""
    engines: list[Engine] = field(default_factory=list)
    resend: dict[str, timedelta] = field(default_factory=dict)
    journey: AlertJourney = field(init=False)
    channels: dict[str, RecordingNotifier] = field(init=False)

    def __post_init__(self) -> None:
        self.open()
        for each in (monitoring_tables, ledger_tables, serving_tables):
            each.metadata.create_all(self.engines[0])

    def parts(self) -> Parts:
        url = f"sqlite:///{self.root / 'alerts.db'}"
        settings = Settings(
            name="airport",
            root=self.root,
            state=self.root,
            database=url,
            artifacts="memory",
            endpoints=tuple(
                EndpointSettings(
                    name=name,
                    model=f"{name}@champion",
                    entity="id",
                    timestamp="at",
                    owner="ada@example.org",
                    runbook=runbook,
                )
                for name, runbook in (("delay", "https://runbooks.example.org/delay"), ("fares", None))
            ),
            notify=self.notify,
            escalations=self.escalations,
        )
        self.engines.append(open_engine(url))
        desk = self

        class Channel(RecordingNotifier):
            def send(self, notice: Notice) -> str:
                said = super().send(notice)
                rules = "+".join(each.rule for each in notice.alerts if each.id in notice.news)
                at = (desk.clock.now() - T0) / MINUTE
                desk.told.append((at, self.name, notice.state.value, rules))
                return said

        self.channels = {name: Channel(name=name, resend=self.resend.get(name)) for name in self.names}
        nothing = cast("Any", None)
        return Parts(
            settings=settings,
            engine=self.engines[-1],
            artifacts=nothing,
            online=nothing,
            shelf=nothing,
            executor=nothing,
            clock=self.clock,
            notifiers=tuple(self.channels.values()),
            log=nothing,
            read_contract=nothing,
            actor="tester",
        )

    def open(self) -> None:
        """As a process that has just started."""
        self.journey = AlertJourney(self.parts())

    def to(self, at: datetime) -> None:
        """Turn the clock."""
        self.clock.advance(at - self.clock.now())

    def at(self, minute: float) -> None:
        """Turn the loop at an instant."""
        self.to(T0 + minutes(minute))
        self.journey.escalate()
        self.journey.deliver()

    def decide(
        self,
        *rules: str,
        fire: bool = True,
        endpoint: str = "delay",
        level: AlertLevel = AlertLevel.PAGE,
        turn: bool = True,
        **evidence: object,
    ) -> tuple[Alert, ...]:
        """What a look finds, in one transaction, and then the turn's end."""
        decisions = [
            AlertDecision(
                endpoint=endpoint,
                rule=rule,
                action=AlertAction.FIRE if fire else AlertAction.RESOLVE,
                level=level,
                summary=f"{rule} of {endpoint}",
                evidence=evidence,
                next_command=f"mlwright diagnose {endpoint}",
            )
            for rule in rules
        ]
        with self.journey._parts.write() as tx:
            changed = self.journey.act(tx, decisions, {}, self.clock.now())
        if turn:
            self.journey.escalate()
            self.journey.deliver()
        return changed

    def took(self) -> list[tuple[float, str, str, str]]:
        """What was told since the last call."""
        told, self.told[:] = list(self.told), []
        return told


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Any]:
    made: list[Desk] = []

    def make(**named: Any) -> Desk:
        made.append(Desk(root=tmp_path, **named))
        return made[-1]

    yield make
    for each in made:
        for engine in each.engines:
            engine.dispose()


PATH = escalation((0, "chat"), (15, "pager"), (60, "boss lead"), repeat=minutes(30))
EVERY = [*range(0, 200, 5)]


@pytest.mark.parametrize(
    ("turns", "ack", "restart", "expected"),
    [
        pytest.param(
            EVERY[:37], None, (),
            [(0, "chat"), (15, "pager"), (60, "boss"), (60, "lead"), (90, "boss"), (90, "lead"), (120, "boss"),
             (120, "lead"), (150, "boss"), (150, "lead"), (180, "boss"), (180, "lead")],
            id="step by step, and the last again and again",
        ),
        pytest.param(EVERY, 20, (), [(0, "chat"), (15, "pager")], id="whoever takes it ends it"),
        pytest.param(
            [0, 300, 305, 329, 331], None, (300,),
            [(0, "chat"), (300, "boss"), (300, "lead"), (331, "boss"), (331, "lead")],
            id="after hours of down time: the step that is due, no burst, and its repeats from there",
        ),
        pytest.param(
            [0, 14.9, 15, 15.1, 59, 61], None, (14.9, 15.1, 59),
            [(0, "chat"), (15, "pager"), (61, "boss"), (61, "lead")],
            id="a restart changes nothing",
        ),
    ],
)  # fmt: skip
def test_an_escalation_is_a_time_line(desk, turns, ack, restart, expected) -> None:
    bench = desk(names=("chat", "pager", "boss", "lead"), escalations=(PATH,))
    (alert,) = bench.decide("auc")
    for minute in turns:
        if minute in restart:
            bench.open()
        if minute == ack:
            bench.to(T0 + minutes(minute))
            bench.journey.acknowledge(alert.id, "grace")
        bench.at(minute)
    told = [(at, channel) for at, channel, state, _ in bench.told if state == "firing"]
    assert told == expected
    taken = [(at, channel) for at, channel, state, _ in bench.told if state == "acknowledged"]
    assert taken == ([(ack, "chat"), (ack, "pager")] if ack else [])
    bench.took()
    bench.decide("auc", fire=False)
    heard = list(dict.fromkeys(channel for _, channel in expected))
    assert [(channel, state) for _, channel, state, _ in bench.took()] == [
        (each, "resolved") for each in heard
    ]


def test_each_level_and_endpoint_has_its_own_path_and_drift_none(desk) -> None:
    bench = desk(
        names=("chat", "pager", "all", "curious", "fares"),
        escalations=(
            escalation((0, "chat"), (5, "pager"), (5, "chat")),
            escalation((2, "pager"), endpoints=("fares",)),
        ),
        notify=(
            NotifySettings(kind="log", name="curious", levels=("info",)),
            NotifySettings(kind="log", name="fares", endpoints=("fares",)),
        ),
    )
    bench.decide("auc")
    bench.decide("auc", endpoint="fares")
    bench.decide("drift.wind", endpoint="fares", level=AlertLevel.PAGE)
    bench.decide("skew.wind", level=AlertLevel.PAGE)
    found = {each.rule: each.level for each in bench.journey.alerts()}
    assert found == {"auc": AlertLevel.PAGE, "drift.wind": AlertLevel.INFO, "skew.wind": AlertLevel.TICKET}
    for minute in range(1, 12):
        bench.at(minute)
    assert bench.took() == [
        (0, "all", "firing", "auc"),
        (0, "chat", "firing", "auc"),
        (0, "all", "firing", "auc"),
        (0, "fares", "firing", "auc"),
        (0, "curious", "firing", "drift.wind"),
        (2, "pager", "firing", "auc"),
        (5, "all", "firing", "skew.wind"),
        (5, "pager", "firing", "auc"),
        (5, "chat", "firing", "auc"),
    ]


def test_what_opens_together_is_one_message_and_what_follows_another(desk) -> None:
    bench = desk(names=("log",))
    bench.decide("labels", "features.weather")
    bench.at(2)
    bench.decide("records")
    bench.at(3)
    bench.decide("skew.wind")
    assert bench.took() == [(0, "log", "firing", "features.weather+labels")]
    bench.at(4)
    bench.decide("auc")  # worse than all that was told: it does not wait, and takes the others along
    bench.at(9)
    told = bench.took()
    assert told[0][:3] == (4, "log", "firing")
    assert "auc" in told[0][3]
    assert sum(rules.count("records") for *_, rules in told) == 1
    assert sum(rules.count("skew.wind") for *_, rules in told) == 1
    notices = bench.channels["log"].notices
    assert len({each.group for each in notices}) == 1
    assert len(notices[-1].alerts) == 5
    bench.decide("labels", "features.weather", "records", "skew.wind", fire=False)
    assert [state for _, _, state, _ in bench.took()] == ["firing"]
    assert len(bench.channels["log"].notices[-1].open) == 1
    bench.decide("auc", fire=False)
    assert [state for _, _, state, _ in bench.took()] == ["resolved"]
    bench.at(30)
    (late,) = bench.decide("labels")
    assert late.flaps == 1
    (other,) = bench.decide("volume")
    assert other.group == other.id  # the group that labels came back to began half an hour ago


def test_what_flaps_is_one_alert_and_few_messages(desk) -> None:
    bench = desk()
    for minute in range(0, 60, 5):
        bench.at(minute)
        bench.decide("auc", fire=minute % 10 == 0)
    (alert,) = bench.journey.alerts()
    assert alert.flaps == 5
    assert [(at, state) for at, _, state, _ in bench.took()] == [
        (0, "firing"),
        (5, "resolved"),
        (10, "firing"),
    ]
    assert alert.state is AlertState.RESOLVED
    bench.at(114)
    assert bench.took() == []
    bench.at(115)  # an hour after it went away for the last time
    assert [(at, state) for at, _, state, _ in bench.took()] == [(115, "resolved")]
    bench.to(T0 + timedelta(days=2))
    (again,) = bench.decide("auc")
    assert (again.id, again.flaps) == ("delay-auc-2013-05-04", 0)


def test_who_took_it_still_has_it_when_it_comes_back_before_its_end_was_told(desk) -> None:
    bench = desk(names=("chat", "pager"), escalations=(escalation((0, "chat"), (30, "pager")),))
    for minute in (0, 2):
        bench.at(minute)
        (alert,) = bench.decide("auc")
        bench.at(minute + 1)
        bench.decide("auc", fire=False)
    bench.at(4)
    bench.decide("auc")
    bench.journey.acknowledge(alert.id, "grace")
    bench.at(5)
    bench.decide("auc", fire=False)
    bench.at(6)
    (back,) = bench.decide("auc")
    assert (back.state, back.acknowledged_by) == (AlertState.ACKNOWLEDGED, "grace")
    bench.at(50)
    assert "pager" not in {channel for _, channel, *_ in bench.told}


def test_a_silence_keeps_and_shows_and_its_end_tells(desk) -> None:
    bench = desk(names=("chat", "pager"), escalations=(escalation((0, "chat"), (10, "pager")),))
    made = bench.journey.silence("delay", span=minutes(30), by="ada", why="the source moves", rule="a*")
    assert bench.journey.silences() == (made,)
    (alert,) = bench.decide("auc")
    bench.decide("brier")
    assert alert.silenced == made.id
    bench.at(29)
    assert {rules for *_, rules in bench.took()} == {"brier"}
    bench.open()
    bench.at(30)
    assert (30, "chat", "firing", "auc") in bench.took()
    bench.at(39)
    assert bench.took() == []
    bench.at(40)
    assert bench.took() == [(40, "pager", "firing", "auc")]
    second = bench.journey.silence("delay", span=timedelta(days=2), by="ada", why="again")
    bench.at(600)
    bench.decide("auc", fire=False)  # who was told hears of the end
    assert [(channel, state) for _, channel, state, _ in bench.took()] == [
        ("chat", "firing"),
        ("pager", "firing"),
    ]
    bench.at(601)
    ended = bench.journey.unsilence(second.id, "grace")
    assert ended.ended == T0 + minutes(601)
    bench.journey.deliver()
    assert bench.took() == [(601, "chat", "firing", "brier")]
    assert bench.journey.silences() == ()
    assert [each.id for each in bench.journey.silences(everything=True)] == [second.id, made.id]
    with pytest.raises(Conflict, match="is over since 2013-05-02 22:01 UTC"):
        bench.journey.unsilence(second.id, "grace")
    with pytest.raises(NotFound, match="did you mean"):
        bench.journey.unsilence(second.id[:-1], "grace")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"endpoint": "dely"}, NotFound),
        ({"span": timedelta(0)}, UsageError),
        ({"span": -MINUTE}, UsageError),
        ({"span": timedelta(days=400)}, UsageError),
        ({"by": "  "}, UsageError),
        ({"why": ""}, UsageError),
    ],
)
def test_a_silence_says_who_why_and_how_long(desk, changes, error) -> None:
    given = {"endpoint": "delay", "span": MINUTE, "by": "ada", "why": "because", **changes}
    with pytest.raises(error):
        desk().journey.silence(given.pop("endpoint"), **given)


def test_what_nobody_heard_of_has_no_end(desk) -> None:
    bench = desk()
    bench.decide("auc", turn=False)
    bench.decide("auc", fire=False)
    assert bench.took() == []
    bench.channels["log"].broken = True
    bench.decide("labels")  # it may have arrived: its end is told, and only that
    bench.decide("labels", fire=False)
    bench.channels["log"].broken = False
    bench.at(10)
    assert bench.took() == [(10, "log", "resolved", "labels")]


def test_a_channel_that_refuses_is_shown_and_tried_slowly_without_its_secret(desk, caplog) -> None:
    bench = desk(
        names=("chat", "log"),
        notify=(
            NotifySettings(kind="slack", name="chat", url=f"https://chat.example.org/{SECRET}", key=SECRET),
        ),
    )
    chat = bench.channels["chat"]

    def refuse(notice: Notice) -> str:
        raise ChannelTrouble(f"https://chat.example.org/{SECRET} answered 401", refused=True)

    chat.send = refuse
    with caplog.at_level(logging.DEBUG):
        bench.decide("auc")
    (state,) = bench.journey.troubles()
    assert (state.channel, state.refused, state.waiting) == ("chat", True, 1)
    assert state.next_try == T0 + timedelta(hours=1)
    assert state.next_command == "mlwright alerts test chat"
    assert bench.took() == [(0, "log", "firing", "auc")]
    answer = bench.journey.try_channel("chat")
    assert (answer.delivered, "answered 401" in answer.said) == (False, True)
    everything = caplog.text + str(answer) + str(state) + str(bench.journey.alerts())
    rows = (bench.root / "alerts.db").read_bytes() + (bench.root / "alerts.db-wal").read_bytes()
    assert SECRET not in everything
    assert SECRET.encode() not in rows
    del chat.send
    bench.at(59)
    assert bench.took() == []
    bench.at(60)
    assert bench.took() == [(60, "chat", "firing", "auc")]
    assert bench.journey.troubles() == ()


def test_a_channel_that_fails_keeps_no_other_waiting_and_is_tried_ever_later(desk) -> None:
    bench = desk(names=("dead", "log"))
    tries: list[float] = []

    def fail(notice: Notice) -> str:
        tries.append((bench.clock.now() - T0) / MINUTE)
        raise ZeroDivisionError(SECRET)

    bench.channels["dead"].send = fail
    bench.decide("auc")
    bench.decide("auc", endpoint="fares")
    for step in range(1, 70):
        bench.at(step / 2)
    assert [rules for *_, rules in bench.took()] == ["auc", "auc"]
    (state,) = bench.journey.troubles()
    assert (state.error, state.refused) == ("ZeroDivisionError in the channel", False)
    gaps = [later - sooner for sooner, later in pairwise(tries)]
    assert max(gaps) >= 8
    assert len(tries) < 20


def test_a_channel_that_left_the_settings_is_shown_until_the_alert_is_over(desk) -> None:
    bench = desk(names=("old", "log"))
    bench.channels["old"].broken = True
    bench.decide("auc")
    bench.names = ("log",)
    bench.open()
    bench.at(5)
    (state,) = bench.journey.troubles()
    assert (state.channel, state.error) == ("old", "the channel is not in mlwright.toml any more")
    bench.decide("auc", fire=False)
    bench.at(6)
    assert bench.journey.troubles() == ()


def test_what_a_receiver_forgets_is_said_again_while_it_is_open(desk) -> None:
    bench = desk(names=("am", "log"), resend={"am": minutes(2)})
    bench.decide("auc")
    for minute in (1, 2, 3, 4):
        bench.at(minute)
    assert bench.took() == [
        (at, *rest)
        for at, rest in [
            (0, ("am", "firing", "auc")),
            (0, ("log", "firing", "auc")),
            (2, ("am", "firing", "auc")),
            (4, ("am", "firing", "auc")),
        ]
    ]
    kinds = [each.kind for each in bench.channels["am"].notices]
    assert kinds == [NoticeKind.CHANGE, NoticeKind.REFRESH, NoticeKind.REFRESH]
    assert len({each.key for each in bench.channels["am"].notices}) == 3
    bench.channels["am"].broken = True
    bench.at(6)
    (state,) = bench.journey.troubles()
    assert (state.channel, state.next_try) == ("am", T0 + minutes(6.5))
    bench.channels["am"].broken = False
    bench.at(6.5)
    assert bench.journey.troubles() == ()
    assert [each[0] for each in bench.took()] == [6.5]
    bench.decide("auc", fire=False)
    bench.at(60)
    assert [(channel, state) for _, channel, state, _ in bench.took()] == [
        ("am", "resolved"),
        ("log", "resolved"),
    ]


def test_two_processes_send_each_message_once(desk) -> None:
    bench = desk(names=("a", "b", "c"))
    for number in range(8):
        bench.decide("auc", "labels", endpoint=f"e{number}", turn=False)
    first, second = bench.parts(), bench.parts()
    sent: list[str] = []
    start = threading.Barrier(2)

    def work(parts: Parts) -> None:
        for channel in parts.notifiers:
            cast("Any", channel).send = lambda notice, name=channel.name: (
                sent.append(f"{name} {notice.key}") or "ok"
            )
        start.wait(10)
        AlertJourney(parts).deliver()

    threads = [threading.Thread(target=work, args=(each,)) for each in (first, second)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert len(sent) == len(set(sent)) == 24


def test_a_process_that_dies_while_it_sends_leaves_the_message_to_the_next(desk) -> None:
    bench = desk()
    bench.decide("auc", turn=False)
    parts = bench.journey._parts

    class Killed(BaseException):
        """As ``kill -9``: nothing after it runs."""

    keys: list[str] = []

    def die(notice: Notice) -> str:
        keys.append(notice.key)
        raise Killed

    bench.channels["log"].send = die
    with pytest.raises(Killed):
        bench.journey.deliver()
    bench.open()
    bench.at(1)
    assert bench.took() == []  # its claim still counts: it may be sending
    bench.at(outbox.LEASE / MINUTE)
    assert bench.took() == [(3, "log", "firing", "auc")]
    assert bench.channels["log"].notices[0].key == keys[0]
    bench.at(60)
    assert bench.took() == []
    assert parts is not bench.journey._parts


def test_an_alert_says_whom_to_ask_what_to_do_and_what_changed_before(desk) -> None:
    bench = desk()
    parts = bench.journey._parts
    toml = bench.root / "mlwright.toml"
    toml.write_text("a = 1")
    bench.at(0)
    for minute, action, subject, details in (
        (1, "deploy", "endpoint:delay", {"version": "flight-delay/7"}),
        (2, "deploy", "endpoint:fares", {"version": "fare/3"}),
        (3, "acknowledge", "endpoint:delay", {}),
    ):
        bench.to(T0 + minutes(minute))
        with parts.write() as tx:
            parts.audit(tx, action, subject, **details)
    bench.at(20)
    (alert,) = bench.decide("auc")
    change = alert.suspected
    assert change is not None
    assert (change.what, change.subject, change.by) == (
        "flight-delay/7 was deployed",
        "endpoint:delay",
        "tester",
    )
    assert (change.at, change.before) == (T0 + minutes(1), minutes(19))
    assert (alert.owner, alert.runbook) == ("ada@example.org", "https://runbooks.example.org/delay")
    assert bench.journey.find(alert.id) == alert
    toml.write_text("a = 2")
    bench.at(25)
    (later,) = bench.decide("labels", endpoint="fares", window=["x", (T0 + minutes(21)).isoformat()])
    assert later.suspected is not None
    assert later.suspected.what == "fare/3 was deployed"  # the settings changed after the window's end
    assert "ask whoever sends the truth" in later.runbook
    (other,) = bench.decide("brier", endpoint="fares")
    assert other.suspected is not None
    assert (other.suspected.what, other.suspected.subject) == (
        "mlwright.toml was changed",
        "project:mlwright.toml",
    )
    bench.to(T0 + timedelta(days=90))
    (lone,) = bench.decide("brier")
    assert lone.suspected is None


def test_a_channel_is_tried_and_says_what_came_back(desk) -> None:
    bench = desk()
    answer = bench.journey.try_channel("log")
    assert (answer.delivered, answer.said) == (True, "kept")
    (notice,) = bench.channels["log"].notices
    assert (notice.kind, notice.alerts[0].level) == (NoticeKind.TEST, AlertLevel.INFO)
    bench.channels["log"].keeps = True
    assert bench.journey.try_channel("log").said == "kept; then kept"
    assert bench.channels["log"].notices[-1].state is AlertState.RESOLVED
    assert bench.journey.alerts() == ()
    with pytest.raises(NotFound, match="did you mean 'log'"):
        bench.journey.try_channel("lgo")


def test_people_are_told_while_the_loop_is_busy(desk, caplog) -> None:
    bench = desk()
    bench.decide("auc", turn=False)
    log = bench.channels["log"]
    journey = bench.journey
    failed = threading.Event()
    arrived = threading.Event()
    keep = log.send
    log.send = lambda notice: (keep(notice), arrived.set())[0]
    escalate = journey.escalate

    def stumble() -> None:
        if not failed.is_set():
            failed.set()
            raise OSError("the database is locked")
        escalate()

    journey.escalate = stumble
    telling = Telling(journey, every_s=0.01)
    telling.start()
    assert arrived.wait(20)
    telling.stop()
    assert bench.took() == [(0, "log", "firing", "auc")]
    assert "the database is locked" in caplog.text
    idle = Telling(journey, every_s=None)
    idle.start()
    idle.stop()
