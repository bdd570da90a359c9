#!/bin/sh
# Finds a Python that is new enough and hands over to environment.py, which makes the environment when it
# must and then becomes the module named by the first argument. Every step is an exec: one process, so
# Ctrl-C and SIGTERM reach the real program.
root=$(cd -- "$(dirname -- "$0")/../.." && pwd -P) || exit 3
for python in "$root/.venv/bin/python" "$CONCORD_PYTHON" python3.11 python3.12 python3.13 python3.14 python3 python; do
    [ -n "$python" ] || continue
    command -v "$python" >/dev/null 2>&1 || continue
    if "$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        exec "$python" -I "$root/hub/bootstrap/environment.py" "$@"
    fi
done
echo "Concord needs Python 3.11 or later, and none was found (looked for python3.11 to python3.14 and python3)." >&2
echo "Install one (Debian: apt-get install python3 python3-venv), or name it: CONCORD_PYTHON=/path/to/python3.11" >&2
exit 3
