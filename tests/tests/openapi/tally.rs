//! [`Tally`], the schema's verdicts beside the engine's.

use crate::exchange::Response;
use std::collections::BTreeMap;

/// Codes of details for what no schema can express.
pub(crate) const BEYOND_SCHEMAS: [&str; 5] =
    ["invalid_domain", "below_plan_floor", "unknown_proxy", "ambiguous_proxy", "duplicate_field"];

/// What came of the random requests: nothing that could come of them may be missing in the end.
#[derive(Default)]
pub(crate) struct Tally(BTreeMap<String, usize>);

impl Tally {
    /// Compares the schema's verdict with the engine's.
    pub(crate) fn compare(
        &mut self,
        is_described: bool,
        twice: bool,
        about: &str,
        answer: &Response,
    ) {
        let codes = answer.codes_of_details();
        let beyond = codes.iter().all(|code| BEYOND_SCHEMAS.contains(&code.as_str()));
        let is_accepted = matches!(answer.status, 200 | 201 | 409);
        assert!(
            is_accepted || (answer.status == 400 && !codes.is_empty()),
            "{about}: {}",
            answer.body
        );
        if is_described {
            assert!(is_accepted || beyond, "described, but refused: {about}: {}", answer.body);
        } else {
            assert!(!is_accepted, "not described, but accepted: {about}");
        }
        assert_eq!(twice, codes.contains(&"duplicate_field".into()), "{about}: {}", answer.body);
        let verdict = if is_described { "described" } else { "not described" };
        *self.0.entry(format!("{verdict}, {}", answer.status)).or_default() += 1;
        for code in codes {
            *self.0.entry(code).or_default() += 1;
        }
    }

    pub(crate) fn must_have(&self, kinds: &[&str]) {
        println!("{:?}", self.0);
        for kind in kinds {
            assert!(self.0.contains_key(*kind), "{kind} never happened");
        }
    }
}
