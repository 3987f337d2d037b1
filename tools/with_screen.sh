#!/usr/bin/env bash
# Run a command on the screen there is, or else on a virtual one.
if [ -z "${DISPLAY:-}" ] && [ -z "${WAYLAND_DISPLAY:-}" ] && [ "$(uname)" = Linux ]; then
    exec xvfb-run -a -s "-screen 0 1600x1000x24 +extension GLX" "$@"
fi
exec "$@"
