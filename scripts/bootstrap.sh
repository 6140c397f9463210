# Sourced by scripts/test, scripts/demo and others: finds a Python, makes .venv, installs a lock file into it.
#
#   source scripts/bootstrap.sh
#   bootstrap run     the runtime lock (requirements.txt) and this project, editable
#   bootstrap dev     the development lock, which contains the runtime lock with the same pins
#
# Afterwards "$venv/bin/python" runs. A stamp in .venv makes the second call cost nothing.
# XINQIAO_PYTHON=/path/to/python chooses the interpreter.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.venv"

# Prints the first interpreter that runs, is 3.11 or newer and can make virtual environments.
find_python() {
    local name candidate search
    search="$PATH:/usr/local/bin:/opt/homebrew/bin:${HOME:-/nonexistent}/.local/bin:${HOME:-/nonexistent}/.pyenv/shims"
    for name in ${XINQIAO_PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        # Every hit on the path is tried: a version switcher's shim may exist and still not run.
        while IFS= read -r candidate; do
            if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
                printf '%s\n' "$candidate"
                return 0
            fi
        done < <(PATH="$search" type -ap "$name" || true)
    done
    {
        echo "No Python 3.11 or newer with the venv module was found."
        echo "Looked for: ${XINQIAO_PYTHON:-python3, python3.11 to python3.14} in $search"
        echo "Install one (Debian or Ubuntu: apt-get install python3 python3-venv), or name it:"
        echo "  XINQIAO_PYTHON=/path/to/python3 ${0}"
    } >&2
    return 1
}

# Prints what an up-to-date .venv must have been made from: this place, a Python, one lock file, the project file, and
# what was compiled.
_stamp() {
    "$venv/bin/python" - "$root" "$1" <<'PYTHON'
import hashlib, pathlib, sys

root = pathlib.Path(sys.argv[1])
print(root, sys.version.split()[0])
compiled = ("slot_reader.pyx", "text_checks.pxi", "term_bits.pyx")
for name in (sys.argv[2], "pyproject.toml", *(f"node/core/{each}" for each in compiled)):
    print(name, hashlib.sha256((root / name).read_bytes()).hexdigest())
PYTHON
}

_is_current() {
    [ -f "$venv/stamp-$1" ] && [ "$(cat "$venv/stamp-$1")" = "$(_stamp "$2")" ]
}

# Makes an empty .venv unless one is there that runs and was made in this place (scripts in it name their place).
_make_venv() {
    local python
    if "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 &&
        [ "$(cat "$venv/place" 2>/dev/null)" = "$venv" ]; then
        return 0
    fi
    python="$(find_python)" || return 1
    echo "Making .venv with $python ($("$python" --version))" >&2
    "$python" -m venv --clear "$venv" || return 1
    printf '%s\n' "$venv" >"$venv/place"
}

bootstrap() {
    local kind="$1" lock
    case "$kind" in
        run) lock=requirements.txt ;;
        dev) lock=requirements-dev.txt ;;
        *) echo "bootstrap: run or dev, not '$kind'" >&2; return 2 ;;
    esac
    _make_venv || return 1
    if _is_current "$kind" "$lock"; then
        return 0
    fi
    echo "Installing $lock into .venv" >&2
    rm -f "$venv/stamp-run" "$venv/stamp-dev"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$root/$lock" || return 1
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e "$root" || return 1
    # The stamps come last: an interrupted installation is repeated, not trusted.
    _stamp requirements.txt >"$venv/stamp-run"
    if [ "$kind" = dev ]; then
        _stamp requirements-dev.txt >"$venv/stamp-dev"
    fi
}
