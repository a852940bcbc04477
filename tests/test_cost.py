import datetime as dt

import pytest

from lean_magic.cost import PRICES, dollars, electricity, per_hour, share


def test_seconds_times_price():
    """Half an hour at three dollars costs a dollar and a half."""
    assert dollars(1800, 3.0) == 1.5
    assert dollars(0, 3.0) == 0


def test_an_unknown_price_costs_none():
    """What has no price has no cost, which is not the same as a cost of 0."""
    assert dollars(1800, None) is None
    assert dollars(1800, per_hour(None)) is None


@pytest.mark.parametrize(
    "gpu",
    [None, "", "Apple M3", "NVIDIA GeForce GTX 1080", "NVIDIA GB200", "NVIDIA A100-SXM4-80GB MIG 1g.10gb"],
)
def test_what_is_not_listed_has_no_price(gpu):
    """No GPU, one that is not in the table, and a slice of one have no price."""
    assert per_hour(gpu) is None


@pytest.mark.parametrize(
    ("gpu", "price"),
    [
        ("NVIDIA H100 80GB HBM3", 3.99),
        ("NVIDIA H100 PCIe", 2.89),
        ("NVIDIA H100 NVL", 3.19),
        ("NVIDIA H200", 4.59),
        ("NVIDIA B200", 6.79),
        ("NVIDIA A100-SXM4-80GB", 1.79),
        ("NVIDIA A100 80GB PCIe", 1.79),
        ("NVIDIA A100-SXM4-40GB", 1.99),
        ("NVIDIA A40", 0.44),
    ],
)
def test_names_as_the_driver_spells_them(gpu, price):
    """A GPU is found by the name that its driver reports."""
    assert per_hour(gpu) == price


def test_every_price_says_when_and_where():
    """Each price has a day, a seller, and is more than nothing."""
    for price in PRICES:
        assert dt.date.fromisoformat(price.day) <= dt.datetime.now(tz=dt.UTC).date()
        assert price.seller
        assert price.dollars_per_hour > 0


def test_own_prices_come_first():
    """One price for all, or one for a model, replaces the table's; what is not named keeps the table's."""
    assert per_hour("NVIDIA H100 PCIe", 1.25) == 1.25
    assert per_hour("NVIDIA GeForce GTX 1080", 0.1) == 0.1
    assert per_hour("NVIDIA H100 PCIe", {"h100 pcie": 2.5}) == 2.5
    assert per_hour("NVIDIA A40", {"H100": 2.5}) == 0.44
    assert per_hour("NVIDIA A40", 0.0) == 0.44


def test_electricity():
    """Half a kilowatt at 30 cents a kilowatt hour costs 15 cents an hour."""
    assert electricity(500.0, 0.3) == 0.15
    assert electricity(None, 0.3) is None


def test_a_share_is_what_others_cannot_use():
    """A holder pays for what it holds, and for its part of a rest that is too small for anybody."""
    gib = 1 << 30
    assert share(20 * gib, 80 * gib, 60 * gib, 20 * gib) == 0.25
    assert share(60 * gib, 80 * gib, gib, 79 * gib) == 60 / 79
    assert share(79 * gib, 80 * gib, gib, 79 * gib) == 1.0
    assert share(None, 80 * gib, gib, 0) is None
    assert share(gib, None, None, gib) is None
