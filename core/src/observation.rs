//! [`Observation`], what a login driver saw, and [`Flow`], the login it was going through.

use crate::json::Fields;
use crate::text::{text_type, word_enum};
use crate::{Edit, Json, Problem, Refusal, Timestamp, WebUrl};
use serde::Serialize;
use std::borrow::Cow;

word_enum! {
    /// Whether the profile is logged in to the domain.
    Status {
        /// It was, when last looked at.
        Authenticated = "AUTHENTICATED",
        /// It is not, or never was.
        NeedsAuth = "NEEDS_AUTH",
    }
}

word_enum! {
    /// How a login stands.
    FlowStatus {
        /// Under way.
        InProgress = "IN_PROGRESS",
        /// Ended logged in.
        Success = "SUCCESS",
        /// Ended with an error.
        Failed = "FAILED",
        /// Ran out of time.
        Expired = "EXPIRED",
        /// Called off.
        Canceled = "CANCELED",
    }
}

word_enum! {
    /// What a login is doing.
    FlowStep {
        /// Looking for the login page.
        Discovering = "DISCOVERING",
        /// Waiting for values from a person.
        AwaitingInput = "AWAITING_INPUT",
        /// Waiting for something outside the browser, such as a tap on a phone.
        AwaitingExternalAction = "AWAITING_EXTERNAL_ACTION",
        /// Sending what it was given.
        Submitting = "SUBMITTING",
        /// Done.
        Completed = "COMPLETED",
    }
}

word_enum! {
    /// What a login is for.
    FlowType {
        /// The first one, or one that was asked for.
        Login = "LOGIN",
        /// One after a health check failed.
        Reauth = "REAUTH",
    }
}

word_enum! {
    /// The kind of a form field.
    FieldType {
        /// Plain text
        Text = "text",
        /// An e-mail address
        Email = "email",
        /// A password
        Password = "password",
        /// A telephone number
        Tel = "tel",
        /// A number
        Number = "number",
        /// An address of a page
        Url = "url",
        /// A code that was sent
        Code = "code",
        /// A code from an authenticator
        Totp = "totp",
    }
}

word_enum! {
    /// How a second factor is delivered.
    MfaType {
        /// A text message
        Sms = "sms",
        /// A telephone call
        Call = "call",
        /// An e-mail
        Email = "email",
        /// An authenticator
        Totp = "totp",
        /// A prompt on a device
        Push = "push",
        /// A password after all
        Password = "password",
        /// A switch to another method
        Switch = "switch",
    }
}

/// Whether a connection can be logged in again without a person, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reauth {
    possible: bool,
    reason: Cow<'static, str>,
}

impl Reauth {
    /// Every reason that this version writes, with the value of `can_reauth` that it explains.
    pub const REASONS: [(&'static str, bool); 14] = [
        ("external_credential", true),
        ("cua_has_credential", true),
        ("has_credential", true),
        ("viable_plans_found", true),
        ("no_requirements_recorded", true),
        ("requirements_satisfiable", true),
        ("no_prior_successful_login", false),
        ("no_credential", false),
        ("no_viable_plans", false),
        ("viable_plans_require_external_action", false),
        ("requires_external_action", false),
        ("requires_totp_without_secret", false),
        ("requires_sms_code", false),
        ("requires_email_code", false),
    ];

    /// What `reason` explains.
    ///
    /// # Errors
    ///
    /// A [`Problem`] for a word that is none of [`REASONS`](Self::REASONS).
    pub fn because(reason: &str) -> Result<Self, Problem> {
        match Self::REASONS.into_iter().find(|(known, _)| *known == reason) {
            Some((known, possible)) => Ok(Self { possible, reason: Cow::Borrowed(known) }),
            None => Err(crate::text::not_a_word(reason, &Self::REASONS.map(|(known, _)| known))),
        }
    }

    /// That of a connection which has never been logged in.
    pub fn fresh() -> Self {
        Self { possible: false, reason: Cow::Borrowed("no_prior_successful_login") }
    }

    /// What was stored, perhaps by a version with more reasons.
    pub(crate) fn stored(possible: bool, reason: &str) -> Self {
        match Self::because(reason) {
            Ok(known) => Self { possible, ..known },
            Err(_) => Self { possible, reason: Cow::Owned(reason.into()) },
        }
    }

    /// Whether it can: `can_reauth`.
    pub fn is_possible(&self) -> bool {
        self.possible
    }

    /// Why: `can_reauth_reason`, one of [`REASONS`](Self::REASONS) or a word of a later version.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// What a login driver saw; only what it names changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observation {
    /// Whether the profile is logged in.
    pub status: Option<Status>,
    /// Whether a login without a person is possible, and why.
    pub reauth: Option<Reauth>,
    /// When health was last checked.
    pub last_auth_check_at: Option<Timestamp>,
    /// Where the last login ended.
    pub post_login_url: Option<WebUrl>,
    /// The most recent login, replaced whole.
    pub flow: Edit<Box<Flow>>,
}

impl Observation {
    /// Reads an observation: any of `status`, `can_reauth_reason` (with or without the `can_reauth` that
    /// it explains), `last_auth_check_at`, `post_login_url` and `flow` (`null` forgets the flow).
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] with every violation.
    pub fn from_json(json: &Json) -> Result<Self, Refusal> {
        let mut fields = Fields::of_request(json)?;
        let observation = Self::read(&mut fields, Source::Driver);
        fields.finish(Some(observation))
    }

    pub(crate) fn read(fields: &mut Fields<'_>, source: Source) -> Self {
        Self {
            status: fields.read("status", Json::parse_str),
            reauth: read_reauth(fields, source),
            last_auth_check_at: fields.read("last_auth_check_at", Json::parse_str),
            post_login_url: fields.read("post_login_url", Json::parse_str),
            flow: if fields.take_null("flow") {
                Edit::Clear
            } else {
                fields.object("flow", Flow::read).map_or(Edit::Keep, |flow| Edit::Set(flow.into()))
            },
        }
    }
}

/// Who wrote an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A login driver, which is held to the reasons of this version.
    Driver,
    /// A dump, which may come from a later one.
    Dump,
}

fn read_reauth(fields: &mut Fields<'_>, source: Source) -> Option<Reauth> {
    let possible = fields.read("can_reauth", Json::as_bool);
    if source == Source::Dump {
        let word = fields.read("can_reauth_reason", Json::as_str);
        return Some(Reauth::stored(possible?, word?));
    }
    let explained = fields.read("can_reauth_reason", |json| Reauth::because(json.as_str()?));
    match (possible, &explained) {
        (Some(sent), Some(Reauth { possible, reason })) if sent != *possible => {
            let message = format!("is not what {reason} explains; send {possible}");
            fields.note("can_reauth", Problem::value(message));
        }
        (Some(_), None) => {
            fields.note("can_reauth", Problem::value("has no reason; send can_reauth_reason too"));
        }
        _ => {}
    }
    explained
}

text_type! {
    /// A text that a login driver read or wrote: at most 4096 bytes.
    FlowText, check_text
}

fn check_text(text: &str) -> Result<Box<str>, Problem> {
    if text.len() <= 4096 {
        return Ok(text.into());
    }
    Err(Problem::value(format!("is {} bytes long; send at most 4096", text.len())))
}

/// What a flow shows of one kind, such as fields or options: at most 100.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Shown<T>(Vec<T>);

/// The most that a [`Shown`] holds.
const MOST: usize = 100;

impl<T> Shown<T> {
    /// Checks the number.
    ///
    /// # Errors
    ///
    /// A [`Problem`] above 100.
    pub fn new(items: Vec<T>) -> Result<Self, Problem> {
        if items.len() > MOST {
            return Err(Problem::value(format!("has {} items; send at most {MOST}", items.len())));
        }
        Ok(Self(items))
    }

    /// The items.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    fn read(
        fields: &mut Fields<'_>,
        name: &'static str,
        read: fn(&mut Fields<'_>) -> Option<T>,
    ) -> Option<Self> {
        fields.objects_or_null(name, MOST, read).map(Self)
    }
}

/// A login, as the API shows it: every field of the answer whose name begins with `flow_`, and those beside them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// How it stands.
    pub flow_status: FlowStatus,
    /// What it is doing.
    pub flow_step: Option<FlowStep>,
    /// What it is for.
    pub flow_type: FlowType,
    /// When it ends by itself.
    pub flow_expires_at: Option<Timestamp>,
    /// The form fields that want values.
    pub discovered_fields: Option<Shown<DiscoveredField>>,
    /// The second factors to choose from.
    pub mfa_options: Option<Shown<MfaOption>>,
    /// The other choices, such as accounts.
    pub sign_in_options: Option<Shown<SignInOption>>,
    /// The sign-in buttons of other providers.
    pub pending_sso_buttons: Option<Shown<SsoButton>>,
    /// What a person should do outside the browser.
    pub external_action_message: Option<FlowText>,
    /// What the web site complained of.
    pub website_error: Option<FlowText>,
    /// The sign-in provider in use.
    pub sso_provider: Option<FlowText>,
    /// Why the login failed, for people.
    pub error_message: Option<FlowText>,
    /// Why the login failed, for machines.
    pub error_code: Option<FlowText>,
    /// Where a person can take part.
    pub hosted_url: Option<WebUrl>,
    /// Where a person can watch.
    pub live_view_url: Option<WebUrl>,
    /// The browser session that the login runs in.
    pub browser_session_id: Option<FlowText>,
}

impl Flow {
    /// A login of which nothing but this is known.
    pub fn new(flow_type: FlowType, flow_status: FlowStatus) -> Self {
        Self {
            flow_status,
            flow_step: None,
            flow_type,
            flow_expires_at: None,
            discovered_fields: None,
            mfa_options: None,
            sign_in_options: None,
            pending_sso_buttons: None,
            external_action_message: None,
            website_error: None,
            sso_provider: None,
            error_message: None,
            error_code: None,
            hosted_url: None,
            live_view_url: None,
            browser_session_id: None,
        }
    }

    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let flow_status = fields.require("flow_status", Json::parse_str);
        let flow_type = fields.require("flow_type", Json::parse_str);
        let flow_step = fields.read_or_null("flow_step", Json::parse_str);
        let flow_expires_at = fields.read_or_null("flow_expires_at", Json::parse_str);
        let discovered_fields = Shown::read(fields, "discovered_fields", DiscoveredField::read);
        let mfa_options = Shown::read(fields, "mfa_options", MfaOption::read);
        let sign_in_options = Shown::read(fields, "sign_in_options", SignInOption::read);
        let pending_sso_buttons = Shown::read(fields, "pending_sso_buttons", SsoButton::read);
        let mut text = |name| fields.read_or_null(name, Json::parse_str);
        let external_action_message = text("external_action_message");
        let website_error = text("website_error");
        let sso_provider = text("sso_provider");
        let error_message = text("error_message");
        let error_code = text("error_code");
        let browser_session_id = text("browser_session_id");
        let hosted_url = fields.read_or_null("hosted_url", Json::parse_str);
        let live_view_url = fields.read_or_null("live_view_url", Json::parse_str);
        Some(Self {
            flow_status: flow_status?,
            flow_step,
            flow_type: flow_type?,
            flow_expires_at,
            discovered_fields,
            mfa_options,
            sign_in_options,
            pending_sso_buttons,
            external_action_message,
            website_error,
            sso_provider,
            error_message,
            error_code,
            hosted_url,
            live_view_url,
            browser_session_id,
        })
    }
}

/// A form field that wants a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiscoveredField {
    /// Its name.
    pub name: FlowText,
    /// Its kind.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// What it is called on the page.
    pub label: FlowText,
    /// Where it is on the page.
    pub selector: FlowText,
    /// The example that it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placeholder: Option<FlowText>,
    /// Whether it must be filled in; taken to be so where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// The second factor that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linked_mfa_type: Option<MfaType>,
    /// The help beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<FlowText>,
}

impl DiscoveredField {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.require("name", Json::parse_str);
        let field_type = fields.require("type", Json::parse_str);
        let label = fields.require("label", Json::parse_str);
        let selector = fields.require("selector", Json::parse_str);
        let placeholder = fields.read("placeholder", Json::parse_str);
        let required = fields.read("required", Json::as_bool);
        let linked_mfa_type = fields.read_or_null("linked_mfa_type", Json::parse_str);
        let hint = fields.read("hint", Json::parse_str);
        Some(Self {
            name: name?,
            field_type: field_type?,
            label: label?,
            selector: selector?,
            placeholder,
            required,
            linked_mfa_type,
            hint,
        })
    }
}

/// A second factor to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MfaOption {
    /// How it is delivered.
    #[serde(rename = "type")]
    pub mfa_type: MfaType,
    /// What it is called on the page.
    pub label: FlowText,
    /// Where it goes, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<FlowText>,
    /// What the page says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<FlowText>,
}

impl MfaOption {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let mfa_type = fields.require("type", Json::parse_str);
        let label = fields.require("label", Json::parse_str);
        let target = fields.read_or_null("target", Json::parse_str);
        let description = fields.read_or_null("description", Json::parse_str);
        Some(Self { mfa_type: mfa_type?, label: label?, target, description })
    }
}

/// A choice that is no second factor, such as an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignInOption {
    /// What to answer with.
    pub id: FlowText,
    /// What it is called on the page.
    pub label: FlowText,
    /// What the page says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<FlowText>,
}

impl SignInOption {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let id = fields.require("id", Json::parse_str);
        let label = fields.require("label", Json::parse_str);
        let description = fields.read_or_null("description", Json::parse_str);
        Some(Self { id: id?, label: label?, description })
    }
}

/// A button that signs in with another provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SsoButton {
    /// Where it is on the page.
    pub selector: FlowText,
    /// The provider's name.
    pub provider: FlowText,
    /// What it is called on the page.
    pub label: FlowText,
}

impl SsoButton {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let selector = fields.require("selector", Json::parse_str);
        let provider = fields.require("provider", Json::parse_str);
        let label = fields.require("label", Json::parse_str);
        Some(Self { selector: selector?, provider: provider?, label: label? })
    }
}
