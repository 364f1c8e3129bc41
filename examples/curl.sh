#!/usr/bin/env bash
# The HTTP API with nothing but curl: a session, code, a stream.
set -euo pipefail
api="${TASKWEAVER_URL:-http://localhost:8000}/api/v1"
json=(-H "Content-Type: application/json" -H "X-API-Key: ${TASKWEAVER_API_KEY:-}")
trap 'curl -s -X DELETE "$api/sessions/from-curl" "${json[@]}" > /dev/null' EXIT

expect() { # expect PATTERN TEXT: the text, or an end with what came instead
    grep -q -- "$1" <<< "$2" || { echo "expected $1 in: $2" >&2; exit 1; }
    echo "$2"
}

expect '"status":"healthy"' "$(curl -s "$api/health")"
expect '"status":"created"' "$(curl -s -X POST "$api/sessions" "${json[@]}" -d '{"session_id": "from-curl"}')"
expect '"output":"   a\\n0  1\\n1  2\\n2  3"' "$(curl -s -X POST "$api/sessions/from-curl/execute" "${json[@]}" \
    -d '{"exec_id": "exec-001", "code": "import pandas as pd\ndf = pd.DataFrame({\"a\": [1, 2, 3]})\ndf"}')"
expect '"stream_url"' "$(curl -s -X POST "$api/sessions/from-curl/execute" "${json[@]}" \
    -d '{"exec_id": "exec-002", "code": "for i in range(5): print(i)", "stream": true}')"
expect 'event: done' "$(curl -sN "$api/sessions/from-curl/execute/exec-002/stream" "${json[@]}")"
