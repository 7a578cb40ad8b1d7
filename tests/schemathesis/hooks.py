"""Which refusals of described requests are right: those for what a schema cannot express, and no others."""

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

# Codes of details for what no schema can express.
BEYOND_SCHEMAS = {
    "invalid_domain",
    "below_plan_floor",
    "unknown_proxy",
    "ambiguous_proxy",
    "duplicate_field",
}

# Dumps are text.
schemathesis.serializer.alias(["application/jsonl", "application/x-ndjson"], "text/plain")


def is_beyond_schemas(case, response) -> bool:
    body = response.json()
    # These two speak of what is in the store, not of the request.
    if response.status_code == 400 and body["code"] == "resource_in_use":
        operation = case.operation.definition.raw["operationId"]
        return operation in {"deleteProfile", "removeProxy", "load"}
    if response.status_code == 422:
        return body["code"] == "idempotency_key_reuse"
    details = body.get("details", [])
    allowed = [
        detail
        for detail in details
        if detail["code"] in BEYOND_SCHEMAS
        # Parameters cannot say that they exclude each other.
        or detail["message"] == "offset: cannot go with cursor; send either"
    ]
    return response.status_code == 400 and details != [] and allowed == details


@schemathesis.hook
def filter_failure(context, failure, case, response) -> bool:
    """Keeps every failure of every check, but for those of `positive_data_acceptance` that are right."""
    return not (isinstance(failure, RejectedPositiveData) and is_beyond_schemas(case, response))
