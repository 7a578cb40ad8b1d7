#!/usr/bin/env bash
# Checks the API's description against a running server: requests that it describes and requests that it does not.
#   tests/schemathesis/run.sh BASE_URL KEY [ARGUMENT OF `schemathesis run` ...]
# The key needs every scope, the server the plan enterprise and a fresh store. CONNECTORY_SEED repeats a run, PYTHON
# says which Python has the packages of requirements.txt.
set -euo pipefail
base_url=${1:-$BASE_URL}
export KEY=${2:-$KEY}
shift $(($# < 2 ? $# : 2))
cd "$(dirname "$0")"
# Examples name this proxy; and a store that is not empty is never filled by a load.
curl --fail --silent --show-error --output /dev/null --request PUT "$base_url/proxies/px-1" \
    --header "Authorization: Bearer $KEY" --header 'Content-Type: application/json' --data '{"name":"Berlin"}'
export PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=../../target/hypothesis
"${PYTHON:-python3}" -m schemathesis.cli --config-file schemathesis.toml \
    run "$base_url/openapi.json" --url "$base_url" --checks all --seed "${CONNECTORY_SEED:-$RANDOM}" "$@"
