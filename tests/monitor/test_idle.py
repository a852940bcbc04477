"""The idle rule: what makes a kernel an idle holder, and what never does."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lean_magic.monitor.idle import Observation, Track, follow, judge
from lean_magic.monitor.protocol import Guard

GIB = 1 << 30
GUARD = Guard(600.0, 1800.0, 0.5, stop=True, stop_seconds=3600.0, countdown_seconds=300.0)
START = 1_790_000_000.0
STILL = Observation(
    START, busy=False, executions=3, last_activity=START, cpu_seconds=100.0, memory={"g": 4 * GIB}, utilization=0.0,
    holds=True, certain=True,
)  # fmt: skip


def at(second, **changes):
    """Return an observation of a kernel that does nothing, but for the changes."""
    return replace(STILL, time=START + second, **changes)


def tracked(observations):
    """Return the track of these observations."""
    track = Track()
    for one in observations:
        track = follow(track, one)
    return track


def quiet(seconds, step=10, **changes):
    """Return the observations of a kernel that does nothing for so long."""
    return [at(second, **changes) for second in range(0, seconds + 1, step)]


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(60, "keep"), (590, "keep"), (610, "notice"), (1810, "warn"), (3590, "warn"), (3610, "stop")],
)
def test_the_steps(seconds, verdict):
    """A holder that does nothing gets a notice after 10 minutes, a warning after 30, and is stopped after 60."""
    assert judge(tracked(quiet(seconds)), GUARD).verdict == verdict


def test_money_warns_sooner():
    """What costs half a dollar before half an hour is over warns then."""
    assert judge(tracked(quiet(620)), GUARD, cost_per_hour=2.0).verdict == "notice"
    assert judge(tracked(quiet(620)), GUARD, cost_per_hour=3.0).verdict == "warn"
    assert judge(tracked(quiet(60)), GUARD, cost_per_hour=98.0).verdict == "keep"


def test_stopping_is_off_unless_asked_for():
    """Without the guard an idle holder is warned about, however long it lasts."""
    assert judge(tracked(quiet(9000)), replace(GUARD, stop=False)).verdict == "warn"


def test_the_sentence():
    """The reason says what is held, for how long, and what it cost."""
    told = judge(tracked(quiet(2040)), GUARD, cost_per_hour=1.09)
    assert told.reason == "holds 4.0 GiB and has been idle for 34 min (about $0.62)"
    assert (told.idle_seconds, told.idle_since) == (2040, START)


def test_a_busy_kernel_is_kept():
    """A kernel that runs a cell is at work, whatever else is known."""
    told = judge(tracked([*quiet(4000), at(4010, busy=True)]), GUARD)
    assert (told.verdict, told.idle_seconds) == ("keep", None)


def test_the_end_of_a_long_cell_is_no_idleness():
    """Idleness begins when a cell ends, not when it began."""
    long = [at(second, busy=True) for second in range(0, 4000, 10)]
    track = tracked([*long, at(4000), at(4010)])
    assert judge(track, GUARD).idle_seconds <= 10


def test_widgets_and_polling_panels_change_nothing():
    """What moves Jupyter's last activity without running a cell does not make a kernel active."""
    polled = [replace(one, last_activity=one.time) for one in quiet(4000)]
    assert judge(tracked(polled), GUARD).verdict == "stop"


def test_a_silent_thread_is_work():
    """A thread that trains without a word is seen by its processor time."""
    training = [at(second, cpu_seconds=100.0 + second) for second in range(0, 4000, 10)]
    assert judge(tracked(training), GUARD).verdict == "keep"


def test_work_in_the_background_is_not_called_idleness():
    """While a thread loads the GPU after its cell ended, there is no idle time; a cell's own load ends with the cell."""
    cell = [at(second, busy=True, utilization=90.0) for second in range(0, 400, 10)]
    thread = [at(second, utilization=90.0) for second in range(400, 800, 10)]
    told = judge(tracked([*cell, *thread]), GUARD)
    assert (told.verdict, told.reason, told.idle_seconds) == ("keep", "at work", None)
    assert judge(tracked([*cell, at(400, utilization=90.0), at(410), at(420)]), GUARD).idle_seconds == 20


def test_a_quick_cell_between_two_polls_is_work():
    """A cell that ran between two looks at the kernel counts."""
    track = tracked([*quiet(4000), at(4010, executions=4), at(4020, executions=4)])
    assert judge(track, GUARD).idle_seconds == 10


def test_memory_that_moves_is_work():
    """A kernel whose memory grows or shrinks does something."""
    track = tracked([*quiet(4000), at(4010, memory={"g": 5 * GIB})])
    assert judge(track, GUARD).idle_seconds == 0


def test_a_stray_sample_is_no_work_but_load_is():
    """One loaded poll in forty is forgiven, a kernel that loads the GPU time and again is not."""
    stray = [replace(one, utilization=30.0 if n == 200 else 0.0) for n, one in enumerate(quiet(4000))]
    often = [replace(one, utilization=30.0 if n % 10 == 0 else 0.0) for n, one in enumerate(quiet(4000))]
    assert judge(tracked(stray), GUARD).verdict == "stop"
    assert judge(tracked(often), GUARD).verdict == "keep"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"holds": False}, "holds no GPU memory worth mentioning"),
        ({"holds": None, "memory": {"g": None}}, "what it holds is not known"),
    ],
)
def test_only_holders_are_warned_about(changes, reason):
    """Who holds nothing, or what is not known, is left in peace."""
    told = judge(tracked(quiet(9000, **changes)), GUARD, cost_per_hour=5.0)
    assert (told.verdict, told.reason) == ("keep", reason)


def test_what_nobody_watched_is_taken_from_jupyter():
    """Looked at for the first time, a kernel has been idle since Jupyter's last activity; a quarter minute later it shows."""
    first = at(1000)
    assert judge(tracked([first]), GUARD).verdict == "keep"
    told = judge(tracked([at(second) for second in range(1000, 1031, 5)]), GUARD)
    assert (told.verdict, told.idle_seconds) == ("notice", 1030)


def test_what_nobody_watched_stops_nothing():
    """Only idleness that was watched throughout leads to a stop."""
    late = [at(second) for second in range(9000, 9100, 10)]
    assert judge(tracked(late), GUARD).verdict == "warn"


def test_a_thread_that_nobody_watched_is_work():
    """Processor time that was spent while nobody watched is work, too."""
    told = judge(tracked([at(0), at(3600, cpu_seconds=1900.0), at(3620, cpu_seconds=1900.0)]), GUARD)
    assert told.idle_seconds == 20


@pytest.mark.parametrize("unknown", [{"certain": False}, {"utilization": None}, {"cpu_seconds": None}])
def test_doubt_never_stops(unknown):
    """Where it is not certain that these figures are the kernel's, or one is missing, it is never stopped."""
    told = judge(tracked(quiet(9000, **unknown)), GUARD)
    assert told.verdict == "warn"
    assert judge(tracked([*quiet(9000), at(9010, **unknown)]), GUARD).verdict == "warn"


observations = st.builds(
    at, st.integers(0, 20_000), busy=st.booleans(), executions=st.none() | st.integers(0, 3),
    cpu_seconds=st.none() | st.floats(0, 1e6), utilization=st.none() | st.floats(0, 100), holds=st.sampled_from([True, False, None]),
    certain=st.booleans(), memory=st.dictionaries(st.sampled_from("gh"), st.none() | st.integers(0, 80 * GIB)),
)  # fmt: skip
stories = st.lists(observations, min_size=1, max_size=30).map(
    lambda them: sorted(them, key=lambda one: one.time)
)


@given(stories, st.floats(0, 100))
def test_never_stopped_without_cause(story, price):
    """Whatever came before: busy, unknown, pinned or snoozed, a kernel is never stopped."""
    track = tracked(story)
    last = story[-1]
    told = judge(track, GUARD, cost_per_hour=price)
    if (
        last.busy
        or not last.certain
        or last.utilization is None
        or last.cpu_seconds is None
        or not last.holds
    ):
        assert told.verdict != "stop"
    assert judge(track, GUARD, cost_per_hour=price, pinned=True).verdict == "keep"
    assert judge(track, GUARD, cost_per_hour=price, snoozed_until=last.time + 1).verdict == "keep"


@given(stories)
def test_idleness_is_never_longer_than_the_time_since_a_cell(story):
    """The idle time never reaches back before the last moment that the kernel was seen at work."""
    told = judge(tracked(story), GUARD)
    worked = [one.time for one in story if one.busy]
    if worked and told.idle_since is not None:
        assert told.idle_since >= max(worked)


@given(st.integers(20, 10_000), st.integers(0, 5_000), st.floats(0, 50))
def test_a_verdict_only_grows_while_nothing_happens(first, more, price):
    """Waiting longer never makes a verdict milder."""
    order = ["keep", "notice", "warn", "stop"]
    track = tracked(quiet(first, step=20))
    later = track
    for second in range(first, first + more, 20):
        later = follow(later, at(second))
    assert order.index(judge(track, GUARD, cost_per_hour=price).verdict) <= order.index(
        judge(later, GUARD, cost_per_hour=price).verdict
    )
