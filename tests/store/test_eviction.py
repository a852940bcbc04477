import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from on_disk import beside
from store_contract import a_manifest, writer

from lean_magic.errors import StoreError
from lean_magic.store import LocalStore
from lean_magic.store.eviction import (
    HALF_LIFE,
    Candidate,
    Use,
    candidates,
    carry_out,
    plan,
    prune,
    uses,
    worth,
)

NOW = 1_800_000_000.0
DAY = 86_400.0


def a_candidate(entry="e", **changes):
    """Return a candidate that took a minute, holds a megabyte and was used a day ago, with `changes`."""
    fields = {
        "family": "f",
        "key": "k",
        "size": 10**6,
        "seconds": 60.0,
        "created": NOW - DAY,
        "last_used": NOW - DAY,
    }
    return Candidate(entry, **{**fields, **changes})


# Small ranges, so that some are alike in some respect: size, seconds, last used, hits, pinned.
FIGURES = st.tuples(
    st.integers(1, 20) | st.integers(1, 10**12),
    st.sampled_from([0.0, 0.001, 1.0, 60.0]) | st.floats(0, 1e7),
    st.integers(-3, 30).map(lambda days: NOW - days * DAY) | st.floats(0, 2 * NOW),
    st.integers(0, 3),
    st.sampled_from([False, False, True]),
)


def numbered(figures):
    """Return candidates with these figures, each with an id of its own."""
    return [
        Candidate(f"{number:x}", "f", "k", size, seconds, 0.0, last_used, hits, pinned)
        for number, (size, seconds, last_used, hits, pinned) in enumerate(figures)
    ]


MANY = st.lists(FIGURES, max_size=10).map(numbered)
BUDGET = st.integers(0, 60) | st.integers(0, 10**13)


def held(entries):
    """Return the bytes of these entries."""
    return sum(entry.size for entry in entries)


def better(one, other):
    """Whether one entry is as good as another in every respect, and better in some."""
    pairs = [
        (one.seconds, other.seconds),
        (one.hits, other.hits),
        (one.last_used, other.last_used),
        (-one.size, -other.size),
    ]
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


# -- the plan -----------------------------------------------------------------------


@given(MANY, BUDGET)
def test_what_stays_fits(entries, budget):
    """What stays fits into the budget, unless what is pinned is more than that by itself."""
    gone = plan(entries, budget, NOW)
    stays = [entry for entry in entries if entry not in gone]
    assert held(stays) <= max(budget, held(entry for entry in entries if entry.pinned))


@given(MANY, st.integers(0, 10**9))
def test_nothing_goes_without_need(entries, room):
    """While all entries fit, none goes."""
    assert plan(entries, held(entries) + room, NOW) == []


@given(MANY, BUDGET)
def test_pinned_entries_stay(entries, budget):
    """A pinned entry never goes, and every entry that goes was given, once."""
    gone = plan(entries, budget, NOW)
    assert not any(entry.pinned for entry in gone)
    assert len(set(gone)) == len(gone)
    assert set(gone) <= set(entries)


@given(MANY, BUDGET)
def test_the_better_stays_longer(entries, budget):
    """An entry that is better in some respect and worse in none does not go before, or without, the other."""
    gone = plan(entries, budget, NOW)
    places = {entry: place for place, entry in enumerate(gone)}
    free = [entry for entry in entries if not entry.pinned]
    for one in gone:
        for other in free:
            if better(one, other):
                assert places.get(other, len(gone)) < places[one], (one, other)


@given(MANY, BUDGET, st.randoms())
def test_the_plan_is_the_same_everywhere(entries, budget, random):
    """The plan does not depend on the order in which the entries are listed."""
    shuffled = random.sample(entries, len(entries))
    assert plan(shuffled, budget, NOW) == plan(entries, budget, NOW)


@given(MANY, BUDGET)
def test_nothing_more_goes_than_has_to(entries, budget):
    """None of those that go would fit beside those that stay."""
    gone = plan(entries, budget, NOW)
    stays = held(entry for entry in entries if entry not in gone)
    assert all(entry.size + stays > budget for entry in gone)


def test_a_large_one_takes_no_small_ones_with_it():
    """An entry larger than the whole budget goes alone, even if small ones are worth less."""
    large, small = a_candidate("a", size=10**9, seconds=1e6), a_candidate("b", size=10, seconds=1e-6)
    assert plan([large, small], 10**8, NOW) == [large]


def test_the_least_worth_comes_first():
    """The order of the plan is that of eviction."""
    entries = [a_candidate(str(n), seconds=float(n)) for n in (3, 1, 2)]
    assert [entry.entry for entry in plan(entries, 0, NOW)] == ["1", "2", "3"]


# -- what an entry is worth -------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds": 120.0},
        {"size": 500_000},
        {"hits": 1},
        {"last_used": NOW - DAY + HALF_LIFE},
    ],
)
def test_what_doubles_the_worth(changes):
    """Twice the seconds, half the bytes, a first hit and a week less of idleness each double the worth."""
    now = NOW + HALF_LIFE
    assert worth(a_candidate(**changes), now) == pytest.approx(worth(a_candidate(), now) + 1)


@pytest.mark.parametrize(
    "changes", [{"seconds": 0.0}, {"size": 0}, {"last_used": -1e18}, {"last_used": 1e18}, {"hits": -1}]
)
def test_odd_figures_have_a_worth(changes):
    """Figures that only a broken clock or disk can give do not stop the plan."""
    assert plan([a_candidate(**changes)], 0, NOW) == (
        [] if changes.get("size") == 0 else [a_candidate(**changes)]
    )


def test_a_clock_that_jumped_back():
    """Entries from the future count as used just now, and the one used last stays."""
    entries = [a_candidate("a", last_used=NOW + DAY), a_candidate("b", last_used=NOW + 2 * DAY)]
    assert [entry.entry for entry in plan(entries, 10**6, NOW)] == ["a"]


# -- what the ledger knows ----------------------------------------------------------------


def test_uses():
    """Hits are counted, the making of an entry is its first use, and the latest line counts, not the last."""
    lines = [
        {"entry": "a", "time": 1.0, "outcome": "miss"},
        {"entry": "a", "time": 9.0, "outcome": "hit"},
        {"entry": "a", "time": 5.0, "outcome": "hit"},
        {"entry": "b", "time": 2, "outcome": "miss"},
    ]
    assert uses(lines) == {"a": Use(9.0, 2), "b": Use(2.0, 0)}


@pytest.mark.parametrize("odd", [{}, {"entry": 3, "time": 1.0}, {"entry": "", "time": 1.0}, {"entry": "a"}])
@pytest.mark.parametrize("time", [None, "soon", float("nan"), float("inf"), 10**400])
def test_odd_lines(odd, time):
    """Lines without an entry, or with a time that is none, are passed over."""
    assert uses([odd, {"entry": "a", "time": time, "outcome": "hit"}]) == {}


# -- a folder -------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    """Return a store with three entries of three families: small, pinned and large."""
    store = LocalStore(tmp_path / "cache")
    for number, (label, size) in enumerate({"small": 1_000, "pinned": 50_000, "large": 100_000}.items()):
        manifest = a_manifest(entry=label, label=label, family=f"{number:032x}", created=NOW)
        store.put(manifest, writer(b"x" * size))
    return store


def labels(store):
    """Return the labels of the entries that are there."""
    return {manifest.label for manifest in store.list()}


def test_candidates(store):
    """A candidate knows all bytes of its entry, its last use and hits, and whether its label is pinned."""
    manifest = next(manifest for manifest in store.list() if manifest.label == "small")
    store.open(manifest)
    found = {entry.entry: entry for entry in candidates(store, {manifest.entry: Use(NOW + 5, 2)}, {"pinned"})}
    one = found[manifest.entry]
    assert sum(entry.size for entry in found.values()) == store.size()
    assert one.size == sum(
        beside(store, manifest, suffix).stat().st_size for suffix in (".json", ".joblib", ".ok")
    )
    assert (one.last_used, one.hits, one.pinned) == (NOW + 5, 2, False)
    assert sum(entry.pinned for entry in found.values()) == 1


def test_an_entry_the_ledger_lost(store):
    """Without a line in the ledger, an entry was last used when it was made."""
    assert {(entry.last_used, entry.hits) for entry in candidates(store, {})} == {(NOW, 0)}


def test_prune(store):
    """A folder over its budget is brought under it, pinned labels stay, and a second time nothing goes."""
    gone = prune(store, [], 60_000, time.time(), {"pinned"})
    assert labels(store) == {"small", "pinned"}
    assert held(gone) > 100_000
    assert store.size() <= 60_000
    assert prune(store, [], 60_000, time.time(), {"pinned"}) == []


def test_hits_in_the_ledger_count(store):
    """An entry that is often hit outlives one that is not, even if it is larger."""
    large = next(manifest for manifest in store.list() if manifest.label == "large")
    lines = [{"entry": large.entry, "time": NOW, "outcome": "hit"}] * 500
    prune(store, lines, 110_000, NOW)
    assert labels(store) == {"large", "small"}


def test_progress(store):
    """Who asks is told the bytes that are done, up to all of them."""
    told = []
    gone = carry_out(store, plan(candidates(store, {}), 0, NOW), lambda *step: told.append(step))
    assert [done for done, _ in told] == [held(gone[:1]), held(gone[:2]), held(gone)]
    assert {total for _, total in told} == {held(gone)}


def test_an_entry_that_is_gone_already(store):
    """What another kernel deleted meanwhile is not counted as deleted here."""
    planned = plan(candidates(store, {}), 0, NOW)
    store.delete(next(store.list()))
    assert len(carry_out(store, planned)) == 2
    assert labels(store) == set()


def test_a_newer_entry_of_the_key_stays(store):
    """Only the planned entry goes, not another of the same key."""
    planned = plan(candidates(store, {}), 0, NOW)
    old = next(store.list())
    store.put(old._replace(entry="ab" * 16, payload=None), writer(b"new"))
    carry_out(store, planned)
    assert [manifest.entry for manifest in store.list()] == ["ab" * 16]


def test_one_that_cannot_be_deleted(store, monkeypatch):
    """An entry that cannot be deleted is told, once the others are gone."""
    stuck = next(store.list())
    delete = LocalStore.delete

    def refuse(self, manifest):
        if manifest.entry == stuck.entry:
            raise StoreError("cannot delete")
        delete(self, manifest)

    monkeypatch.setattr(LocalStore, "delete", refuse)
    with pytest.raises(StoreError, match="cannot delete"):
        prune(store, [], 0, NOW)
    assert labels(store) == {stuck.label}


def test_a_mapped_payload_outlives_its_entry(store):
    """A kernel that has a payload open goes on reading it after the entry is gone."""
    manifest = next(manifest for manifest in store.list() if manifest.label == "large")
    with store.open(manifest).open("rb") as file:
        prune(store, [], 0, NOW)
        assert file.read() == b"x" * 100_000
    assert labels(store) == set()
