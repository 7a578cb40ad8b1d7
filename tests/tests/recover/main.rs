//! What is recovered from a damaged store: everything intact, nothing else, and a report that covers the rest.

mod damage;
mod law;
mod life;

use connectory::{NewConnection, Store, StoreError};
use connectory_tests::power::Image;
use life::{Kind, Life, opened, recovered};

#[test]
fn a_sound_store_is_recovered_line_for_line() {
    let seed = connectory_tests::seed();
    for kind in [Kind::CLOSED, Kind::CRASHED, Kind { log_bytes: 64 << 10, ..Kind::CRASHED }] {
        let life = Life::lived(seed, kind);
        let (lines, report) = recovered(&life.image).unwrap();
        assert!(report.is_complete(), "{kind:?}: {report:#?}");
        assert_eq!(report.problems, [""; 0], "{kind:?}");
        assert!(lines == life.truth, "{kind:?}: {:?}", law::missing(&life.truth, &lines));
        assert!((report.found.log > 0) == !kind.is_closed, "{report:?}");
    }
}
