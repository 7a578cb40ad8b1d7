#!/usr/bin/env bash
# The steps of the site's page "Code" with curl, against `connectory serve` at BASE_URL with the key KEY: a program that
# fails where an answer is not as it should be. The page shows what stands between `step` and `end`.
set -euo pipefail

# step: open
# connectory serve --listen 127.0.0.1:8787 --keys keys.json
api() { curl --silent --show-error --header "Authorization: Bearer $KEY" "$@"; }
connections="$BASE_URL/auth/connections"

[ "$(api "$BASE_URL/healthz")" = '{"status":"ok"}' ]
# end

# step: create
request='{
    "domain": "netflix.com",
    "profile_name": "user-123",
    "login_url": "https://netflix.com/login"
}'

first=$(api "$connections" --json "$request")
id=$(jq --raw-output .id <<<"$first")
[[ $id == ma_* ]]
# end

# step: conflict
status=$(api "$connections" --json "$request" --output conflict.json --write-out '%{http_code}')
[ "$status" = 409 ]
[ "$(jq --raw-output .existing_id conflict.json)" = "$id" ]
# end

# step: ensure
ensured=$(api "$connections" --json "$request" --header "Prefer: resolution=ignore-duplicates")
[ "$ensured" = "$first" ]
# end

# step: retry
signup=(--json '{"domain": "github.com", "profile_name": "user-123"}' --header "Idempotency-Key: signup-42")

made=$(api "$connections" "${signup[@]}")
# As if the answer had been lost:
again=$(api "$connections" "${signup[@]}" --dump-header headers)
[ "$again" = "$made" ]
grep --quiet --ignore-case '^idempotency-replayed: true' headers
# end

# step: many
seq 0 249 | xargs --max-procs=16 -I N \
    curl --silent --fail --output /dev/null "$connections" --header "Authorization: Bearer $KEY" \
    --json '{"domain": "shop-N.example.com", "profile_name": "bulk"}'
# end

# step: get
[ "$(api "$connections/$id")" = "$first" ]

found=$(api "$connections?profile_name=user-123&domain=netflix.com")
[ "$(jq --raw-output '.[0].id' <<<"$found")" = "$id" ]
# end

# step: list
pages=()
address="$connections?profile_name=bulk&limit=100"
cursor=
while
    pages+=("$(api "$address$cursor" --dump-header headers | jq length)")
    next=$(sed --quiet 's/^x-next-cursor: \(.*\)\r$/\1/Ip' headers)
    [ -n "$next" ]
do
    cursor="&cursor=$next"
done
[ "${pages[*]}" = "100 100 50" ]
# end

# step: update
updated=$(api --request PATCH "$connections/$id" --json '{"login_url": "", "record_session": true}')
jq --exit-status '(has("login_url") | not) and .record_session' <<<"$updated" >/dev/null
# end

# step: delete
[ "$(api --request DELETE "$connections/$id" --write-out '%{http_code}')" = 204 ]
[ "$(api "$connections/$id" | jq --raw-output .code)" = not_found ]
# end

# step: dump
api "$BASE_URL/dump" >accounts.jsonl

copy=(--header "X-Kernel-Project-Id: copy") # another project, still empty
lines=(--header "Content-Type: application/jsonl" --data-binary @accounts.jsonl)
[ "$(api "$BASE_URL/load" "${copy[@]}" "${lines[@]}" | jq .connections)" = 251 ]
api "$BASE_URL/dump" "${copy[@]}" | cmp - accounts.jsonl # to the byte
# end
