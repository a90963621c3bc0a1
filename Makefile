# The two commands a newcomer needs: `make demo` and `make test`.
.PHONY: setup setup-torch demo test lint clean

setup:
	@tools/setup.sh

setup-torch:
	@tools/setup.sh torch

# VIDEO=path runs the demo on any other video; DEMO_ARGS goes to tools/demo.py.
demo: setup
	@. tools/env.sh && python tools/demo.py $(if $(VIDEO),--video "$(VIDEO)") $(DEMO_ARGS)

# Keypoint R-CNN is tested on the CPU, for which .venv gets torch. The tests of one file run in one process.
test: setup-torch
	@. tools/env.sh && python -m pytest -n logical --maxprocesses 4 --dist loadfile -m "not soak and not slow" $(PYTEST_ARGS)

lint: setup
	@. tools/env.sh && ruff check . && ruff format --check . && mypy && lint-imports && python tools/check_package_xml.py && python tools/check_vocabulary.py

clean:
	rm -rf .venv build install log out
