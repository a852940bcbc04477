"""The panel in JupyterLab, told what the golden files say: every state, in light and dark, narrow and wide."""

import json

import pytest
from staging import GOLDEN, PANEL, picture, run, shown

STATES = sorted(path.stem for path in GOLDEN.glob("*.json"))
IDLE = "embed_corpus.ipynb"


def told(staged, page, name, change=None):
    """Tell the sidebar a golden state, and let it look."""
    _, world = staged
    world.show(name, change)
    run(page, "lean-magic:refresh")


def contrast(page, selector):
    """Return the contrast of a text with what it stands on, as WCAG defines it."""
    return page.evaluate(
        """selector => {
          const channels = colour => {
            const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
            canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data];
          };
          const linear = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
          const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
          const element = document.querySelector(selector);
          let ground = element;
          while (channels(getComputedStyle(ground).backgroundColor)[3] < 255) ground = ground.parentElement;
          const under = channels(getComputedStyle(ground).backgroundColor);
          const over = getComputedStyle(element).color;
          const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
          canvas.fillStyle = getComputedStyle(ground).backgroundColor; canvas.fillRect(0, 0, 1, 1);
          canvas.fillStyle = over; canvas.fillRect(0, 0, 1, 1);
          const [a, b] = [light(under), light([...canvas.getImageData(0, 0, 1, 1).data])].sort((x, y) => y - x);
          return (a + 0.05) / (b + 0.05);
        }""",
        selector,
    )


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_state_is_shown_in_both_themes(staged, open_page, theme):
    """Each state of the wire has its own page, without an error in the console, in light and dark."""
    lab, _ = staged
    page = open_page(lab, theme=f"JupyterLab {theme}")
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for name in STATES:
        told(staged, page, name)
        status = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))["status"]
        told_of = status["state"] == "ok" or name == "elsewhere"
        shown(page, "Notebooks" if told_of else status["message"])
        picture(page, f"{name}-{theme.lower()}")
    assert errors == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_words_can_be_read(staged, open_page, theme):
    """What the warning row says stands out from its ground by at least 4.5 to 1, the small print by 3 to 1."""
    lab, _ = staged
    page = open_page(lab, theme=f"JupyterLab {theme}")
    told(staged, page, "idle_warning")
    shown(page, "idle 34 min")
    row = ".jp-LeanMagic-row.jp-mod-idle"
    assert contrast(page, f"{row} .jp-LeanMagic-name") >= 4.5
    for part in ("doing > b", "held", "facts", "button.jp-mod-final"):
        assert contrast(page, f"{row} .jp-LeanMagic-{part}") >= 3, part


def test_a_server_that_fails_is_said_to_and_comes_back(staged, open_page):
    """While the server fails the last figures stay, marked as old; once it answers they are fresh again."""
    lab, world = staged
    page = open_page(lab)
    told(staged, page, "two_gpus_three_kernels")
    shown(page, "87 %")
    world.tell({"http": 503})
    shown(page, "Reconnecting…")
    assert page.locator(".jp-LeanMagic-old .jp-LeanMagic-gpu").count() == 2
    picture(page, "disconnected-light")
    told(staged, page, "two_gpus_three_kernels")
    page.locator(".jp-LeanMagic-condition").wait_for(state="detached")


def test_a_server_without_us_is_named(staged, open_page):
    """A page whose server does not know lean_magic says what to install where."""
    lab, world = staged
    world.tell({"http": 404})
    shown(open_page(lab), "This Jupyter server runs without lean_magic")


@pytest.mark.parametrize("width", [220, 640])
def test_the_panel_fits_its_width(staged, open_page, width):
    """Nothing sticks out of a panel of 220 pixels, nor of one of 640."""
    lab, _ = staged
    page = open_page(lab, panel=width)
    told(staged, page, "countdown")
    shown(page, "Shuts down in")
    picture(page, f"wide-{width}")
    outside = page.evaluate(
        """() => {
          const panel = document.querySelector('.jp-LeanMagic-panel');
          const right = panel.getBoundingClientRect().right;
          return [...panel.querySelectorAll('*')].filter(one => one.getBoundingClientRect().right > right + 1)
            .map(one => `${one.getAttribute('class')}: ${one.textContent}`);
        }"""
    )
    assert outside == []


def test_remedies_reach_the_server(staged, open_page):
    """Give back, snooze, pin and shut down each ask the server for that, for the notebook that they stand at."""
    lab, world = staged
    page = open_page(lab)
    told(staged, page, "idle_warning")
    kernel = json.loads((GOLDEN / "idle_warning.json").read_text("utf-8"))["kernels"][1]["kernel_id"]
    row = page.locator(".jp-LeanMagic-row", has_text=IDLE)
    row.get_by_role("button", name="Give back").click()
    row.get_by_role("button", name="Snooze notices").click()
    row.get_by_role("button", name="Snooze notices", exact=False).first.press(
        "Enter"
    )  # it has the focus: 1 hour
    row.get_by_role("button", name=f"Pin {IDLE}").click()
    row.get_by_role("button", name="Shut down").click()
    dialog = page.locator(".jp-Dialog")
    assert "All variables of the notebook are lost" in dialog.inner_text()
    picture(page, "dialog-light")
    dialog.locator(".jp-mod-accept").click()
    page.locator(".Toastify__toast", has_text="21.8 GiB of GPU memory are free again").wait_for()
    asked = [(verb, body) for verb, of, body in world.posts() if of == kernel]
    assert asked == [
        ("release", {}),
        ("snooze", {"seconds": 3600}),
        ("pin", {"pinned": True}),
        ("shutdown", {"busy_too": False}),
    ]


def test_a_countdown_goes_down_and_is_called_off(staged, open_page):
    """The notice of an automatic stop counts down, and Keep, in the notice or the row, calls the stop off."""
    lab, world = staged
    page = open_page(lab)

    def left(seconds):
        def change(state):
            state["countdowns"][0]["seconds_left"] = seconds

        return change

    told(staged, page, "countdown", left(240.0))
    toast = page.locator(".Toastify__toast", has_text=f"{IDLE} will be shut down in 4 min")
    toast.wait_for()
    told(staged, page, "countdown", left(42.0))
    toast = page.locator(".Toastify__toast", has_text=f"{IDLE} will be shut down in 42 s")
    toast.wait_for()
    page.wait_for_function("document.querySelectorAll('.Toastify__toast').length === 1")
    before = len(world.posts())
    page.locator(".jp-LeanMagic-row").get_by_role("button", name=f"Keep {IDLE}").click()
    toast.get_by_role("button", name="Keep").click()
    told(staged, page, "two_gpus_three_kernels")
    toast.wait_for(state="detached")
    assert [(verb, body) for verb, _, body in world.posts()[before:]] == [("snooze", {"seconds": 3600})] * 2


def test_all_of_it_is_reached_by_keyboard(staged, open_page):
    """Tab reaches every control of the panel, in the order in which they are shown."""
    lab, _ = staged
    page = open_page(lab)
    told(staged, page, "idle_warning")
    shown(page, "idle 34 min")
    page.locator(f"{PANEL} button").first.focus()
    names = []
    for _ in range(9):
        names.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
        page.keyboard.press("Tab")
    assert names == [
        "Open train_reranker.ipynb",
        "What to do about train_reranker.ipynb",
        f"Open research/{IDLE}",
        f"What to do about {IDLE}",
        f"Give back 9.3 GiB of cache of {IDLE}",
        f"Snooze notices of {IDLE}",
        f"Pin {IDLE}",
        f"Shut down {IDLE}…",
        "Open scratch/try it.ipynb",
    ]


def test_a_page_that_nobody_sees_asks_for_nothing(staged, open_page):
    """While the page is hidden the server is left alone."""
    lab, _ = staged
    page = open_page(lab)
    told(staged, page, "two_gpus_three_kernels")
    shown(page, "87 %")
    page.evaluate(
        """() => {
          Object.defineProperty(document, 'visibilityState', {get: () => 'hidden'});
          document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    page.wait_for_timeout(2500)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "lean-magic/api" in request.url else None)
    page.wait_for_timeout(4500)
    assert asked == []
