"""What is known to fall short and not mended yet: faults that match are counted, not failed. The list only gets shorter."""

import re

# (what the fault says, what the notebook says, what it is)
KNOWN = [
    (
        r"^\w+: order:",
        r"import \*|globals\(\)",
        "the order of names that a star import or a dict binds anew",
    ),
    (r"names Out", r"\bOut\b", "`Out`, read by a cached cell, has the numbers of the first run"),
    ("names", r"setflags", "an array closed in place"),
    (
        r"names \w+: wanted \['type'",
        r"__slots__[\s\S]*= property",
        "where a slot stands among the members of a class that is made again",
    ),
    ("names", r"^vars\(|__dict__", "the attributes of an object as a value of their own"),
    ("modules", r"__import__", "modules that a cell loaded without binding them"),
    (
        "names",
        r"class (\w)\b(?:(?!# %%)[\s\S])*^class \1\b",
        "the source of the first of two classes of one name in a cell",
    ),
]
_PATTERNS = [(re.compile(fault), re.compile(text, re.MULTILINE)) for fault, text, _ in KNOWN]


_SHIFTED = re.compile(r"wanted 'same as object \d+', found 'same as object \d+'$")


def unknown(faults, text):
    """Leave out what is known of a notebook whose cells say `text`, and the numbers of objects that it shifts."""
    left = [
        fault
        for fault in faults
        if not any(said.search(fault) and where.search(text) for said, where in _PATTERNS)
    ]
    shifted = len(left) < len(faults) and all(_SHIFTED.search(fault) for fault in left)
    return [] if shifted else left
