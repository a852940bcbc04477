# Everything starts from a machine that has Python ≥ 3.11 and make. Try: make demo

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
READY_LAB := $(VENV)/.ready-lab
PIP := $(PY) -m pip -qq --disable-pip-version-check install $(PIP_FLAGS) -c constraints.txt

# The first of these that runs and is new enough is used; `make PYTHON=...` names another.
PYTHON ?=
PYTHONS := $(PYTHON) python3 python3.13 python3.12 python3.11 python
FIT := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.PHONY: help demo test lab bench lint clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

demo: $(READY)  ## run a real embedding notebook twice, in two fresh kernels
	@$(PY) demo_notebooks/run_twice.py $(ARGS)

test: $(READY)  ## lint, types and tests: what has to pass
	@$(checks) \
	check "ruff check" $(PY) -m ruff check; \
	check "ruff format" $(PY) -m ruff format --check; \
	check "mypy" $(PY) -m mypy; \
	check "pytest" $(PY) -m pytest -n auto $(ARGS); \
	verdict

lint: $(READY)  ## the linters alone
	@$(checks) \
	check "ruff check" $(PY) -m ruff check; \
	check "ruff format" $(PY) -m ruff format --check; \
	check "mypy" $(PY) -m mypy; \
	verdict

lab: $(READY_LAB)  ## open JupyterLab with the demo notebooks
	@cd demo_notebooks && ../$(PY) -m jupyterlab $(ARGS)

bench: $(READY)  ## measure, side by side with joblib.Memory
	@$(PY) benchmarks/run.py $(ARGS)

clean:  ## remove what was made here, the environment too
	@rm -rf $(VENV) build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache demo_notebooks/.executed
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
