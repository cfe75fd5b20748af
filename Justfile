# Recipes take the same arguments as the commands they call.

run *ARGS:
    uv run taskgraph run {{ARGS}}

rerun *ARGS:
    uv run taskgraph rerun {{ARGS}}

resume *ARGS:
    uv run taskgraph resume {{ARGS}}

show *ARGS:
    uv run taskgraph show {{ARGS}}

extract-spec *ARGS:
    uv run taskgraph extract-spec {{ARGS}}

inspect-xlsx *ARGS:
    uv run taskgraph inspect-xlsx {{ARGS}}

test *ARGS:
    uv run pytest {{ARGS}}

# Tests whose names match an expression.
test-k EXPRESSION:
    uv run pytest -k "{{EXPRESSION}}"

# Writes what people see into tests/data/screens anew; read the difference before you commit it.
screens:
    UPDATE_SCREENS=1 uv run pytest -n 0 -q tests/unit/cli/test_screens.py tests/unit/cli/test_live.py

# What CI checks before the tests.
check:
    uv run ruff check
    uv run ruff format --check
    uv run pyright

sync:
    uv sync

lock:
    uv lock

bench *ARGS:
    uv run python -m benchmarks {{ARGS}}
