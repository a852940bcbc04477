"""Judge many programs and keep the books: outcomes, hits where a hit should be, and failures by what goes wrong."""

import re
from collections import Counter
from dataclasses import dataclass, field

from programs import Author, Editor
from shrink import Case, shrink, signature

# Of ten programs, so many are edited.
EDITED = 6


def write(choose):
    """Write a program and, mostly, its edit; `choose(n)` gives a number below n."""
    author = Author(choose)
    program = author.program()
    edited = Editor(author).edit(program) if choose(10) < EDITED else None
    return Case(program, None if edited == program else edited)


@dataclass
class Failure:
    """One way to go wrong: the smallest case so far, and how many programs went this way."""

    name: object
    case: Case
    faults: list[str]
    count: int = 1

    def shown(self):
        """Give a report."""
        faults = "\n".join(f"  {fault[:1500]}" for fault in self.faults[:4])
        return f"program {self.name} (and {self.count - 1} like it)\n{self.case.shown()}\n{faults}\n"


@dataclass
class Campaign:
    """Many programs, judged one by one."""

    oracle: object
    programs: int = 0
    unstable: int = 0
    should: int = 0
    hits: int = 0
    kinds: Counter = field(default_factory=Counter)
    needless: Counter = field(default_factory=Counter)
    bypasses: Counter = field(default_factory=Counter)
    failures: dict[str, Failure] = field(default_factory=dict)

    def judge(self, name, case, *, thorough=True):
        """Judge one program."""
        verdict = case.judged(self.oracle, thorough=thorough)
        self._count(verdict)
        if verdict.faults:
            self._failed(name, case, verdict.faults)

    def _count(self, verdict):
        self.programs += 1
        self.unstable += verdict.unstable
        self.kinds.update(verdict.kinds)
        self.should += verdict.cached
        self.hits += verdict.filled
        self.needless.update(map(_brief, verdict.needless))
        self.bypasses.update(map(_brief, verdict.bypasses))

    def _failed(self, name, case, faults):
        kind = signature(faults)
        if kind in self.failures:
            self.failures[kind].count += 1
            return
        small = shrink(case, self.oracle)
        self.failures[kind] = Failure(name, small, small.faults(self.oracle) or faults)

    @property
    def rate(self):
        """The share of cells that hit among those that should."""
        return self.hits / self.should if self.should else 1.0

    def summary(self):
        """Say what came of it."""
        lines = [
            f"{self.programs} programs · {sum(self.kinds.values())} cached cells ran · "
            + " · ".join(f"{kind} {count}" for kind, count in sorted(self.kinds.items())),
            f"cells that should hit: {self.should}, and do: {self.rate:.2%}",
            f"programs that are chance even uncached: {self.unstable}",
            f"ways to fail: {len(self.failures)}",
        ]
        lines += [f"  needless miss {count}× {text}" for text, count in self.needless.most_common(12)]
        lines += [f"  bypass {count}× {text}" for text, count in self.bypasses.most_common(12)]
        return "\n".join(lines)


def _brief(line):
    return re.sub(r"[\d.]+ m?s\b|[\d.]+ k?B\b|\d+", "…", line)[:160]
