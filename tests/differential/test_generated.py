"""Notebooks that nobody wrote: cached, edited and changed back, they tell the same as uncached."""

import hypothesis
import pytest
from campaign import Campaign, write
from hypothesis import strategies

CHUNKS = 40
PROGRAMS = 50  # in each chunk

QUIET = hypothesis.settings(
    max_examples=PROGRAMS,
    database=None,
    deadline=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


@strategies.composite
def cases(draw):
    """Write a program, each choice being one of Hypothesis's."""
    return write(lambda count: draw(strategies.integers(0, count - 1)))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_cached_is_uncached(chunk, oracle):
    """A generated notebook is the same cached and uncached, the second time, after an edit, and changed back."""
    campaign = Campaign(oracle)

    def judge(case):
        campaign.judge(f"{chunk}/{campaign.programs}", case, thorough=campaign.programs % 3 == 0)

    hypothesis.seed(chunk)(QUIET(hypothesis.given(cases())(judge)))()
    report = "\n\n".join(failure.shown() for failure in campaign.failures.values())
    assert not campaign.failures, f"\n{report}"
    assert campaign.programs >= PROGRAMS
    assert campaign.rate > 0.95, campaign.summary()
