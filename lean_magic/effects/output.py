"""Everything the cell shows, in order: streams, displays, figures, the last value."""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from lean_magic import clock
from lean_magic.effects import numbered, widgets
from lean_magic.effects.asks import without_our_frames
from lean_magic.effects.caught import Caught, catches_warnings
from lean_magic.effects.elsewhere import Channel, may_fork
from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.effects.warned import place_of
from lean_magic.errors import Unstorable

__all__ = ["Output", "aside"]


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Show a line or a bar of ours, which is no output of the cell that runs."""
    before, _ours.speak = _is_aside(), True
    try:
        yield
    finally:
        _ours.speak = before


def _is_aside() -> bool:
    return getattr(_ours, "speak", False)


_ours = threading.local()


class Output(Recorder):
    """Listens on the live streams, the display publisher and the display hook, which all go on working."""

    name = "output"

    def __init__(self) -> None:
        self._events: list[list[Any]] = []
        self._undo: list[Callable[[], None]] = []
        self._muted = 0
        self._failed = False
        self._caught = Caught()
        self._counted: dict[str, int] = {}
        self._warning = ""
        self._others: Channel | None = None

    def begin(self, run: Run) -> None:
        """Start listening."""
        self._others = Channel() if may_fork(run) else None
        self._caught, self._counted = Caught(), numbered.counted()
        self._put(warnings, "_showwarnmsg", self._warned(warnings._showwarnmsg))  # type: ignore[attr-defined]  # noqa: SLF001
        for stream in ("stdout", "stderr"):
            self._listen_stream(stream)
        publisher, hook = run.shell.display_pub, run.shell.displayhook
        self._listen(publisher, "publish", self._published)
        self._listen(publisher, "clear_output", self._cleared)
        self._listen(hook, "fill_exec_result", self._result)
        self._listen(run.shell, "showtraceback", self._showed_error)
        self._listen(hook, "write_format_data", self._formatted, mute=True)
        self._listen(hook, "write_output_prompt", None, mute=True)
        self._listen(hook, "finish_displayhook", None, mute=True)
        if _is_kept():
            self._put(sys, "displayhook", self._captured(run.shell, sys.displayhook))

    def end(self, run: Run) -> Record:
        """Show pending figures while still listening, then stop."""
        _flush_figures(run.shell)
        self._sync()
        self._take_over()
        self.cancel(run)
        if self._failed:
            raise Unstorable(
                "the cell", "showed an error, though it went on", "mend what cannot be displayed"
            )
        self._caught.check()
        observed = {"warned": self._caught.warned, "unseen": _missing()}
        seen = {name: value for name, value in observed.items() if value}
        return Record(seen or None, numbered.since(self._counted), widgets.settled(self._events))

    def cancel(self, run: Run) -> None:
        """Stop listening."""
        del run
        while self._undo:
            self._undo.pop()()
        if self._others is not None:
            self._others.close()
            self._others = None

    def still_holds(self, observed: Any, run: Run) -> str:
        """Believe no entry with warnings where somebody catches them, nor one of a run that nothing could show."""
        del run
        if observed and observed.get("warned") and catches_warnings():
            return "it warns, and warnings are caught here"
        unseen = set((observed or {}).get("unseen", ())) - set(_missing())
        return f"it was run without {min(unseen)}" if unseen else ""

    def include(self, record: Record) -> None:
        """Take over that there was a warning."""
        self._caught.warned = self._caught.warned or bool(record.observed and record.observed.get("warned"))

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Show everything again, in order."""
        del undo  # what was shown was shown
        for kind, *rest in numbered.renumbered(record.values, record.effects or {}):
            if kind != "warning":
                _REPLAY[kind](run.shell, *rest)
            elif rest[-1] not in run.shown:
                _replay_stream(run.shell, *rest[:2])

    # -- listening ----------------------------------------------------------------

    def _listen(self, owner: Any, name: str, note: Callable[..., None] | None, *, mute: bool = False) -> None:
        original = getattr(owner, name)

        def listening(*args: Any, **options: Any) -> Any:
            if note is not None:
                note(*args, **options)
            with self._mute() if mute else contextlib.nullcontext():
                return original(*args, **options)

        self._put(owner, name, listening)

    def _put(self, owner: Any, name: str, new: Any) -> None:
        had = name in vars(owner)
        old = vars(owner).get(name)
        setattr(owner, name, new)
        self._undo.append(lambda: setattr(owner, name, old) if had else delattr(owner, name))

    def _warned(self, original: Callable[..., None]) -> Callable[..., None]:
        """Keep what a warning shows by itself: a replay leaves it out where it would not be shown again."""

        def warned(message: Any) -> None:
            self._caught.note(message)
            before, self._warning = self._warning, place_of(message.message, message.category, message.lineno)
            try:
                original(message)
            finally:
                self._warning = before

        return warned

    def _listen_stream(self, name: str) -> None:
        stream = getattr(sys, name)
        if stream is None:
            return
        original = stream.write

        def write(text: str) -> Any:
            written = original(text)
            self._wrote(name, text)
            return written

        self._put(stream, "write", write)

    @contextlib.contextmanager
    def _mute(self) -> Iterator[None]:
        self._muted += 1
        try:
            yield
        finally:
            self._muted -= 1

    def _sync(self) -> None:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            _drain(stream)
            stream.flush()

    # -- noting --------------------------------------------------------------------

    def _wrote(self, name: str, text: str) -> None:
        if self._muted or not text or _is_aside():
            return
        if self._others is not None and self._others.is_elsewhere():
            self._others.tell(name, text)
            return
        last = self._events[-1] if self._events else [""]
        new = ["warning", name, str(text), self._warning] if self._warning else ["stream", name, str(text)]
        if last[:2] == new[:2] and last[3:] == new[3:]:
            last[2] += str(text)
        else:
            self._events.append(new)

    def _take_over(self) -> None:
        """Note what other processes wrote; when it came is chance, but the value of the last line comes after it."""
        said = list(self._others.told()) if self._others is not None else []
        last = [self._events.pop()] if said and self._events and self._events[-1][0] == "result" else []
        for name, text in said:
            self._wrote(name, text)
        self._events += last

    def _published(self, data: Any, metadata: Any = None, *_: Any, **options: Any) -> None:
        if _is_aside() or not isinstance(data, dict):  # anything else is refused
            return
        told = {name: options[name] for name in ("transient", "update") if options.get(name)}
        self._events.append(["display", dict(data), dict(metadata or {}), told])

    def _cleared(self, wait: bool = False) -> None:
        self._events.append(["clear", bool(wait)])

    def _result(self, value: Any) -> None:
        self._events.append(["result", value, {}, {}])

    def _showed_error(self, *_: Any, **__: Any) -> None:
        without_our_frames(sys.exc_info()[1])
        self._failed = True

    def _captured(self, shell: Any, hook: Callable[[Any], None]) -> Callable[[Any], None]:
        """Note what a cell around this one keeps."""

        def capture(value: Any = None) -> None:
            if value is None:
                return
            formatted = shell.display_formatter.format(value)
            self._events.append(["result", value, *map(dict, formatted)])
            with _formatting(shell, formatted):
                hook(value)

        return capture

    def _formatted(self, data: Any, metadata: Any = None) -> None:
        self._events[-1][2:] = [dict(data), dict(metadata or {})]


def _missing() -> list[str]:
    """Name the streams that are not there, as in a program without a console."""
    return [name for name in ("stdout", "stderr") if getattr(sys, name) is None]


def _drain(stream: Any) -> None:
    """Wait until the kernel has read what C code wrote to a stream's descriptor; it does so in a thread."""
    pipe = getattr(stream, "_fid", None)
    if pipe is None or getattr(stream, "watch_fd_thread", None) is None:
        return
    import fcntl
    import termios

    for _ in range(_DRAIN_TRIES):
        # What was just read still has to pass through the thread.
        clock.sleep(0.002)
        count = fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4)
        if not int.from_bytes(count, sys.byteorder):
            return


_DRAIN_TRIES = 500


def _flush_figures(shell: Any) -> None:
    """Show the figures that the inline backend would show right after the cell, drawn first if pyplot would.

    The shell itself calls both, so that what cannot be drawn is told as it always is.
    """
    inline = sys.modules.get("matplotlib_inline.backend_inline")
    callbacks = shell.events.callbacks["post_execute"]
    if inline is None or inline.flush_figures not in callbacks:
        return
    before = callbacks[: callbacks.index(inline.flush_figures)]
    draws = [call for call in before if call.__module__ == "matplotlib.pyplot"]  # which moves axes
    shell.events.callbacks["post_execute"] = [*draws, inline.flush_figures]
    try:
        shell.events.trigger("post_execute")
    finally:
        shell.events.callbacks["post_execute"] = callbacks


def _replay_stream(shell: Any, name: str, text: str) -> None:
    del shell
    stream = getattr(sys, name)
    if stream is not None:
        stream.write(text)


def _replay_display(shell: Any, data: Any, metadata: Any, told: Any) -> None:
    shell.display_pub.publish(data=data, metadata=metadata, **told)


def _replay_clear(shell: Any, wait: bool) -> None:
    shell.display_pub.clear_output(wait)


def _replay_result(shell: Any, value: Any, data: Any, metadata: Any) -> None:
    """Let the hook in force do all it does for a value (`Out`, `_`, history), with the recorded data."""
    hook = sys.displayhook if _is_kept() else shell.displayhook
    with _formatting(shell, (data, metadata)):
        hook(value)


def _is_kept() -> bool:
    """Whether a cell around this one keeps values instead of showing them, as `%%capture` does."""
    return hasattr(sys.displayhook, "outputs")


@contextlib.contextmanager
def _formatting(shell: Any, formatted: tuple[Any, Any]) -> Iterator[None]:
    """Let whatever is formatted come out as it did before."""
    formatter = shell.display_formatter
    formatter.format = lambda *_, **__: formatted
    try:
        yield
    finally:
        del formatter.format


_REPLAY: dict[str, Callable[..., None]] = {
    "stream": _replay_stream,
    "display": _replay_display,
    "clear": _replay_clear,
    "result": _replay_result,
}
