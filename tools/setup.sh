#!/usr/bin/env bash
# Set up everything that the targets of the Makefile need: Python's own parts and system packages (Debian, Ubuntu), the
# virtual environment from the lock file, and the package itself in editable mode. Safe to run again; does nothing when
# all is there. Whatever can make it fail is looked at before anything is installed. With "demo" only what the demo needs
# is installed (requirements-demo.lock, part of requirements.lock in the same versions), with "report" only what it needs without
# a window (requirements-report.lock), and what neither loads is removed again (tools/demo_unneeded.txt). Such an environment is
# marked .demo-only: whoever needs more begins with a new one.
set -euo pipefail
cd "$(dirname "$0")/.."

oldest=11 # of Python 3, as in pyproject.toml
newest=14

# --- who may install system packages -------------------------------------------------------------------------------
as_root=()
may_install=no
if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    if [ "$(id -u)" = 0 ]; then
        may_install=yes
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        may_install=yes
        as_root=(sudo)
    fi
fi

updated=no
update_lists() {
    if [ "$updated" = no ]; then
        "${as_root[@]}" apt-get update -qq
        updated=yes
    fi
}

# --- Python ----------------------------------------------------------------------------------------------------------
find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c "import sys; sys.exit(not (3, $oldest) <= sys.version_info[:2] <= (3, $newest))" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

packages=()
python=""
if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    python=$(find_python)
    if [ -z "$python" ]; then
        wanted="Python 3.$oldest to 3.$newest is needed and was not found (set PYTHON=/path/to/python3.12)"
        minor=""
        if [ "$may_install" = yes ]; then
            update_lists
            minor=$(apt-cache show --no-all-versions python3 2>/dev/null | sed -nE 's/^Version: 3\.([0-9]+).*/\1/p')
        fi
        if [ -z "$minor" ]; then
            echo "$wanted. Nothing was installed." >&2
            exit 1
        elif [ "$minor" -lt "$oldest" ] || [ "$minor" -gt "$newest" ]; then
            echo "$wanted, and this distribution offers 3.$minor. Nothing was installed." >&2
            exit 1
        fi
        echo "No Python found; installing this distribution's Python 3.$minor"
        packages+=(python3 python3-venv)
    elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        packages+=("python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv")
    fi
fi

# --- system packages: Qt's xcb platform, OpenGL, and a virtual screen ------------------------------------------------
[ "${1:-}" = "report" ] || packages+=(libgl1 libegl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libxkbcommon0
    xvfb xauth libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0
    libxcb-shape0 libxcb-sync1 libxcb-xfixes0 libxcb-xkb1 libxkbcommon-x11-0 libx11-xcb1)
# Oracles of the tests: graph-tool (communities) and Chromium (the report); tests skip with a reason where they are absent.
if [ "${1:-}" = "test" ]; then
    packages+=(python3-graph-tool chromium)
fi

installed() { # Ubuntu 24.04 and Debian 13 renamed some libraries with the suffix t64
    dpkg-query -W -f='${Status}\n' "$1" 2>/dev/null | grep -q 'ok installed' ||
        dpkg-query -W -f='${Status}\n' "$1t64" 2>/dev/null | grep -q 'ok installed'
}

if command -v dpkg-query >/dev/null; then
    missing=()
    for package in "${packages[@]}"; do
        installed "$package" || missing+=("$package")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        if [ "$may_install" = no ]; then
            echo "Some system packages are missing, and this is neither root nor sudo. Please run:" >&2
            echo "    apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
            echo "and then the same make command again." >&2
            exit 1
        fi
        echo "Installing system packages: ${missing[*]}"
        update_lists
        needed=() # what this distribution offers
        for package in "${missing[@]}"; do
            if apt-cache show "$package" >/dev/null 2>&1 || apt-cache show "${package}t64" >/dev/null 2>&1; then
                needed+=("$package")
            else
                echo "note: this distribution has no package $package; the tests that use it will be skipped" >&2
            fi
        done
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${needed[@]}" >/dev/null
    fi
fi

if [ "${1:-}" = "system" ]; then # the caller brings an environment of its own
    exit 0
fi

# --- the virtual environment -----------------------------------------------------------------------------------------
stamp_of() {
    cat "$1" pyproject.toml | sha256sum | cut -d' ' -f1
}
there() { # whether all of a lock file is installed
    [ -x .venv/bin/python ] && [ "$(cat ".venv/.$1" 2>/dev/null)" = "$(stamp_of "$1")" ]
}
if there requirements.lock; then
    exit 0
fi
lock=requirements.lock
size="2.7 GB"
imports="napari_dynamic_connectome, napari, numba, tensorly"
if [ "${1:-}" = "demo" ] || [ "${1:-}" = "report" ]; then
    if there requirements-demo.lock || { [ "$1" = "report" ] && there requirements-report.lock; }; then
        exit 0
    fi
    lock=requirements-demo.lock
    size="0.9 GB"
    if [ "$1" = "report" ]; then
        lock=requirements-report.lock
        size="0.6 GB"
        imports="napari_dynamic_connectome, numba, tensorly"
    fi
elif [ -e .venv/.demo-only ]; then
    echo "The environment of the demo lacks parts; making a new one"
    rm -rf .venv
fi
if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    [ -n "$python" ] || python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "The module venv of $python is missing and could not be installed (Debian: python3-venv)." >&2
        exit 1
    fi
    echo "Creating .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
    [ "$lock" = requirements.lock ] || touch .venv/.demo-only
fi
compile=(--compile)
[ ! -e .venv/.demo-only ] || compile=(--no-compile) # what runs is compiled as it runs: a sixth of all
echo "Installing the locked packages into .venv ($size; some minutes the first time)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check "${compile[@]}" --require-hashes -r "$lock" 2>&1 |
    { grep -vE '^ *(WARNING|DEPRECATION)' || true; }
.venv/bin/python -m pip install --quiet --disable-pip-version-check "${compile[@]}" --no-build-isolation --no-deps -e . 2>&1 |
    { grep -vE '^ *(WARNING|DEPRECATION)' || true; }
if [ -e .venv/.demo-only ]; then
    PYTHONDONTWRITEBYTECODE=1 .venv/bin/python tools/trim_demo.py \
        "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
fi
.venv/bin/python -c "import $imports"
stamp_of "$lock" >".venv/.$lock"
