//! How flags become the JSON that the engine reads, and how its violations become words about flags.

use crate::args::{CreateArgs, ListArgs, PageArgs, RecordArgs, SettingsArgs, UpdateArgs};
use connectory::{Json, Violation};

/// An object that is being filled from flags.
#[derive(Default)]
struct Object(Vec<(String, Json)>);

impl Object {
    fn put(&mut self, name: &str, value: Json) {
        self.0.push((name.into(), value));
    }

    fn text(&mut self, name: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.put(name, Json::String(value.clone()));
        }
    }

    /// A number where the text is one; what is none is left for the engine to refuse.
    fn number(&mut self, name: &str, value: Option<&String>) {
        if let Some(text) = value {
            let number = text.parse().ok().filter(|number: &f64| number.is_finite());
            self.put(name, number.map_or_else(|| Json::String(text.clone()), Json::Number));
        }
    }

    fn switch(&mut self, name: &str, on: bool, off: bool) {
        if on || off {
            self.put(name, Json::Bool(on));
        }
    }

    fn object(&mut self, name: &str, object: Self) {
        if !object.0.is_empty() {
            self.put(name, Json::Object(object.0));
        }
    }
}

pub(crate) fn create(args: &CreateArgs) -> Json {
    let mut object = Object::default();
    object.put("domain", Json::String(args.domain.clone()));
    object.put("profile_name", Json::String(args.profile_name.clone()));
    settings(&mut object, &args.settings);
    Json::Object(object.0)
}

pub(crate) fn update(args: &UpdateArgs) -> Json {
    let mut object = Object::default();
    settings(&mut object, &args.settings);
    if args.no_proxy {
        object.put("proxy", Json::Null);
    }
    if args.no_credential {
        object.put("credential", Json::Null);
    }
    if args.no_allowed_domains {
        object.put("allowed_domains", Json::Array(Vec::new()));
    }
    Json::Object(object.0)
}

fn settings(object: &mut Object, args: &SettingsArgs) {
    object.text("login_url", args.login_url.as_ref());
    let mut proxy = Object::default();
    proxy.text("id", args.proxy_id.as_ref());
    proxy.text("name", args.proxy_name.as_ref());
    object.object("proxy", proxy);
    let mut credential = Object::default();
    credential.text("name", args.credential_name.as_ref());
    credential.text("provider", args.credential_provider.as_ref());
    credential.text("path", args.credential_path.as_ref());
    credential.switch("auto", args.credential_auto, false);
    object.object("credential", credential);
    if !args.allowed_domains.is_empty() {
        let hosts = args.allowed_domains.iter().cloned().map(Json::String).collect();
        object.put("allowed_domains", Json::Array(hosts));
    }
    object.number("health_check_interval", args.health_check_interval.as_ref());
    let switches = &args.switches;
    object.switch("health_checks", switches.health_checks, switches.no_health_checks);
    object.switch("auto_reauth", switches.auto_reauth, switches.no_auto_reauth);
    object.switch("save_credentials", switches.save_credentials, switches.no_save_credentials);
    object.switch("record_session", switches.record_session, switches.no_record_session);
}

pub(crate) fn list(args: &ListArgs) -> Json {
    let mut object = Object::default();
    object.text("profile_name", args.profile_name.as_ref());
    object.text("domain", args.domain.as_ref());
    object.text("query", args.query.as_ref());
    page_of(&mut object, &args.page);
    Json::Object(object.0)
}

pub(crate) fn page(args: &PageArgs) -> Json {
    let mut object = Object::default();
    page_of(&mut object, args);
    Json::Object(object.0)
}

fn page_of(object: &mut Object, args: &PageArgs) {
    object.number("limit", args.limit.as_ref());
    object.text("cursor", args.cursor.as_ref());
    if args.all {
        object.put("limit", Json::Number(100.0));
    }
}

/// The observation that the flags stand for, beside the fields of `more`.
pub(crate) fn record(args: &RecordArgs, more: Option<Json>) -> Json {
    let mut object = Object::default();
    match more {
        Some(Json::Object(entries)) => object.0 = entries,
        // Not an object: the engine says so.
        Some(other) => return other,
        None => {}
    }
    object.text("status", args.status.as_ref());
    object.text("can_reauth_reason", args.can_reauth_reason.as_ref());
    object.text("last_auth_check_at", args.last_auth_check_at.as_ref());
    object.text("post_login_url", args.post_login_url.as_ref());
    Json::Object(object.0)
}

/// What a person is told of a violation: of the flag that they typed, where there is one.
pub(crate) fn describe(violation: &Violation) -> String {
    let field = violation.field.as_str();
    // `allowed_domains[0]` was typed as `--allowed-domain`; lines and columns of files were not typed.
    let flag = match field.split_once('[') {
        Some(("allowed_domains", _)) => "--allowed-domain".into(),
        _ if field.is_empty() || field.starts_with("line ") || field.contains(['[', ' ']) => {
            return violation.to_string();
        }
        _ => format!("--{}", field.replace(['_', '.'], "-")),
    };
    format!("{flag}: {}", violation.problem)
}
