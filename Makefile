# The two commands a newcomer needs: `make demo` and `make test`.
.PHONY: setup demo test lint clean

setup:
	@tools/setup.sh

# VIDEO=path runs the demo on any other video; DEMO_ARGS goes to tools/demo.py.
demo: setup
	@. tools/env.sh && python tools/demo.py $(if $(VIDEO),--video "$(VIDEO)") $(DEMO_ARGS)

test: setup
	@. tools/env.sh && python -m pytest $(PYTEST_ARGS)

lint: setup
	@. tools/env.sh && ruff check . && ruff format --check . && mypy && lint-imports && python tools/check_package_xml.py

clean:
	rm -rf .venv build install log out
