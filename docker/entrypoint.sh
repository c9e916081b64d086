#!/usr/bin/env bash
# Looks at the settings before a worker starts, then becomes the command it was given, so that signals reach that.
# Ends with 78, as a stage does, when a person has to change something; one sentence says what.
set -euo pipefail

fail() { echo "mmsearch: $*" >&2; exit 78; }

[ $# -gt 0 ] || fail "The entrypoint got no command: give it one, such as /entrypoint scheduler."
python=${MMSEARCH_PYTHON:-}
[ -x "$python" ] || fail "MMSEARCH_PYTHON is '$python', which cannot be run: name the interpreter that has mmsearch."

device=$("$python" -c '
import sys
from mmsearch_core.errors import BadSettings
from mmsearch_core.settings import load_settings
try:
    print(load_settings().models.device)
except BadSettings as error:
    sys.exit(str(error))
' 2>&1) || fail "${device##*$'\n'}"

if [[ $device == cuda* ]]; then
  "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' \
    || fail "models.device is $device, and no GPU is to be seen here: start with compose.gpu.yaml, or set it to cpu."
fi
exec "$@"
