//! What must hold of every refusal: it says where and what, and is not many times as long as the request.

use connectory::{Json, Refusal, Violation, ViolationCode};

/// As many violations are listed one by one.
const LISTED_MAX: usize = 200;
/// No field is described at greater length, whatever was sent.
const TEXT_MAX_BYTES: usize = 3000;

/// Asserts that every violation names a field, and that the name leads to where the fault is in the request. Two have
/// none: that the request is no object, and that more violations are not listed.
pub(super) fn assert_leads_to_its_faults(refusal: &Refusal, request: &Json) {
    let Refusal::Invalid(violations) = refusal else { panic!("{refusal:?}") };
    assert!(!violations.is_empty());
    assert_reads_well(violations);
    let Json::Object(_) = request else {
        let [whole] = violations.as_slice() else { panic!("{violations:?}") };
        assert_eq!((whole.code, whole.field.as_str()), (ViolationCode::InvalidType, ""));
        return;
    };
    for (n, violation) in violations.iter().enumerate() {
        if violation.field.is_empty() {
            assert!(n == LISTED_MAX && n + 1 == violations.len(), "{n}: {violation:?}");
        } else {
            assert!(leads(request, violation), "{violation:?} leads nowhere");
        }
    }
}

/// Asserts that there are not too many violations, that each says something, and that it can be shown in a line.
pub(super) fn assert_reads_well(violations: &[Violation]) {
    assert!(violations.len() <= LISTED_MAX + 1, "{} violations", violations.len());
    for violation in violations {
        assert!(!violation.problem.is_empty(), "{violation:?}");
        let text = violation.to_string();
        assert!(text.len() <= TEXT_MAX_BYTES, "{} bytes: {text}", text.len());
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

/// Whether the field of a violation is in the request; if it is missing, whether the object is that it is missing in.
fn leads(request: &Json, violation: &Violation) -> bool {
    let Violation { code, field, .. } = violation;
    if *code == ViolationCode::MissingField {
        let (parent, name) = field.rsplit_once('.').unwrap_or(("", field));
        let lacks = |at: &Json| {
            let Json::Object(members) = at else { return false };
            members.iter().all(|(has, _)| has != name)
        };
        return if parent.is_empty() { lacks(request) } else { walk(request, parent, &lacks) };
    }
    walk(request, field, &|_| true)
}

/// Whether some way along `path` ends at a value that `fits`. Names may hold dots, so there may be several.
fn walk(at: &Json, path: &str, fits: &dyn Fn(&Json) -> bool) -> bool {
    let go_on = |value: &Json, rest: &str| match rest.strip_prefix('.') {
        Some(rest) => walk(value, rest, fits),
        None if rest.is_empty() => fits(value),
        None => walk(value, rest, fits),
    };
    match at {
        Json::Object(members) => members.iter().any(|(name, value)| {
            path.strip_prefix(shown(name).as_str()).is_some_and(|rest| go_on(value, rest))
        }),
        Json::Array(items) => {
            let Some((number, rest)) =
                path.strip_prefix('[').and_then(|inside| inside.split_once(']'))
            else {
                return false;
            };
            let item = number.parse().ok().and_then(|n: usize| items.get(n));
            item.is_some_and(|item| go_on(item, rest))
        }
        _ => false,
    }
}

/// How a message shows the name of a field: in quotes if it is no plain one, and not all of it if it is long.
fn shown(name: &str) -> String {
    const SHOWN: usize = 64;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=255).contains(&name.len()) && name.bytes().all(plain) {
        return name.into();
    }
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?} and {} more bytes", &name[..end], name.len() - end),
        None => format!("{name:?}"),
    }
}
