#!/usr/bin/env bash
# Runs a command with address space randomisation off where the system lets us. ThreadSanitizer of
# g++ 12 aborts with "unexpected memory mapping" on kernels that randomise more bits than it knows.
set -euo pipefail
if setarch "$(uname -m)" -R true 2>/dev/null; then
  exec setarch "$(uname -m)" -R "$@"
fi
exec "$@"
