//! What is true of every answer, whatever a step says of it.

use super::{Answer, Operation};
use serde_json::Value;

const ALWAYS: [&str; 11] = [
    "id",
    "profile_name",
    "domain",
    "status",
    "save_credentials",
    "record_session",
    "health_checks",
    "auto_reauth",
    "health_check_interval",
    "can_reauth",
    "can_reauth_reason",
];
const PRESENT_OR_NULL: [&str; 16] = [
    "flow_status",
    "flow_step",
    "flow_type",
    "flow_expires_at",
    "discovered_fields",
    "mfa_options",
    "sign_in_options",
    "pending_sso_buttons",
    "external_action_message",
    "website_error",
    "sso_provider",
    "error_message",
    "error_code",
    "hosted_url",
    "live_view_url",
    "browser_session_id",
];
const ABSENT_WHEN_UNSET: [&str; 7] = [
    "login_url",
    "credential",
    "proxy_id",
    "allowed_domains",
    "last_auth_check_at",
    "last_auth_at",
    "post_login_url",
];

/// Checks what is true of every answer, whatever a step says of it.
pub(super) fn shape(operation: &Operation, answer: &Answer, faults: &mut Vec<String>) {
    match answer.is.as_str() {
        "created" | "replayed" | "existing" => connection_shape(&answer.body, faults),
        "found" => match operation {
            Operation::Changes { .. } => {
                only(&answer.body, &["seq", "kind", "id"], &["connection"], faults);
                match (answer.body["kind"].as_str(), answer.body.get("connection")) {
                    (Some("created" | "updated"), Some(connection)) => {
                        connection_shape(connection, faults);
                    }
                    (Some("deleted"), None) => {}
                    _ => faults.push("a change has a connection, unless that is gone".into()),
                }
            }
            Operation::Profiles(_) => only(&answer.body, &["name", "connections"], &[], faults),
            Operation::Proxies(_) | Operation::RegisterProxy(..) => {
                only(&answer.body, &["id", "connections"], &["name"], faults);
            }
            _ => connection_shape(&answer.body, faults),
        },
        "listed" => answer.items.iter().for_each(|item| shape(operation, item, faults)),
        "done" | "true" | "false" | "too_old" => {}
        "conflict" => {
            only(&answer.body, &["code", "message", "existing_id"], &[], faults);
            if answer.body["code"] != "already_exists" {
                faults.push("a conflict's code is already_exists".into());
            }
        }
        refused => {
            only(&answer.body, &["code", "message"], &["details"], faults);
            if answer.body["code"] != refused || answer.body["message"] == "" {
                faults.push("an error has its code and a message".into());
            }
            if (refused == "bad_request") != answer.body["details"].is_array() {
                faults.push("a bad request has details, and nothing else has".into());
            }
        }
    }
}

fn connection_shape(body: &Value, faults: &mut Vec<String>) {
    only(body, &[ALWAYS.as_slice(), &PRESENT_OR_NULL].concat(), &ABSENT_WHEN_UNSET, faults);
    for name in ALWAYS.iter().chain(&ABSENT_WHEN_UNSET) {
        if body.get(name) == Some(&Value::Null) {
            faults.push(format!("{name} should never be null"));
        }
    }
}

/// Checks that an object has the members that it must have, and no other than those and the optional ones.
fn only(body: &Value, required: &[&str], optional: &[&str], faults: &mut Vec<String>) {
    let Some(members) = body.as_object() else {
        return faults.push(format!("{body} should be an object"));
    };
    for name in required.iter().filter(|name| !members.contains_key(**name)) {
        faults.push(format!("{name} should never be absent"));
    }
    for name in members.keys() {
        if !required.contains(&name.as_str()) && !optional.contains(&name.as_str()) {
            faults.push(format!("{name} is not a member of such an answer"));
        }
    }
}
