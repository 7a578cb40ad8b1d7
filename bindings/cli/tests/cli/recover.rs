//! A damaged store, recovered from the command line.

use crate::shell::Shell;
use serde_json::json;
use std::fmt::Write;

const PAGE: usize = 4096;

/// A store of 300 connections, closed; and its dump.
fn filled() -> (Shell, String) {
    let shell = Shell::new();
    let mut requests = String::new();
    for n in 0..300 {
        let request =
            json!({ "domain": format!("d{n}.example"), "profile_name": format!("user-{}", n % 7) });
        writeln!(requests, "{request}").unwrap();
    }
    let file = shell.path("requests.jsonl");
    std::fs::write(&file, requests).unwrap();
    shell.run(&["import", file.to_str().unwrap()]).exits(0);
    let dump = shell.run(&["dump"]).exits(0).out;
    (shell, dump)
}

fn names<'a>(shell: &Shell, paths: &'a mut Vec<String>) -> [&'a str; 2] {
    let new = shell.path("salvaged").join("default.connectory");
    std::fs::create_dir_all(new.parent().unwrap()).unwrap();
    *paths = [shell.store(), new].map(|path| path.to_str().unwrap().to_owned()).to_vec();
    [&paths[0], &paths[1]]
}

#[test]
fn a_sound_store_is_recovered_into_its_equal() {
    let (shell, dump) = filled();
    let mut paths = Vec::new();
    let [file, new] = names(&shell, &mut paths);
    let report = shell.run(&["recover", file, new]).exits(0).tells("everything is there").json();
    assert_eq!(report["connections"], 300);
    assert_eq!((&report["is_newest"], &report["lost"]["count"]), (&json!(true), &json!(0)));
    let salvaged = shell.path("salvaged");
    let of_new = ["--store", salvaged.to_str().unwrap()];
    assert_eq!(shell.run(&[&of_new[..], &["dump"]].concat()).exits(0).out, dump);
    shell.run(&[&of_new[..], &["check"]].concat()).exits(0);

    shell.run(&["recover", file, new]).exits(2).tells("is there already");
    shell.run(&["recover", "nowhere", "elsewhere"]).exits(4).tells("there is no file nowhere");
}

#[test]
fn what_is_lost_is_named_and_whoever_finds_the_damage_is_told_what_to_do() {
    let (shell, dump) = filled();
    let mut paths = Vec::new();
    let [file, new] = names(&shell, &mut paths);
    let sound = std::fs::read(file).unwrap();
    // Every page in which this record stands: one of them is a leaf of records, another tells of changes.
    let record = b"\x01\x06user-3\x0bd59.example";
    let places = (0..sound.len() - record.len()).filter(|&at| sound[at..].starts_with(record));
    let mut pages: Vec<usize> = places.map(|at| at / PAGE).collect();
    pages.dedup();
    assert!(!pages.is_empty());
    let mut bytes = sound.clone();
    for page in pages {
        bytes[page * PAGE + 1000] ^= 1;
    }
    std::fs::write(file, bytes).unwrap();

    shell.run(&["check"]).exits(1).tells("connectory recover");
    let ran = shell.run(&["recover", file, new]).exits(1).tells("lost: ma_");
    let report = ran.json();
    let lost = report["lost"]["count"].as_u64().unwrap();
    assert!(lost > 0 && lost < 100, "{report:#}");
    assert_eq!(report["connections"].as_u64().unwrap() + lost, 300);
    assert_eq!((&report["is_newest"], &report["unnamed"]), (&json!(true), &json!([])));
    let ids = |lines: &str| -> Vec<String> {
        let ids = lines.lines().filter_map(|line| line.split("\"id\":\"").nth(1));
        ids.map(|rest| rest[..29].to_owned()).collect()
    };
    let salvaged = shell.path("salvaged");
    let rest = shell.run(&["--store", salvaged.to_str().unwrap(), "dump"]).exits(0).out;
    assert!(rest.lines().all(|line| dump.contains(line)), "what is there is as it was");
    for id in ids(&dump) {
        let is_named = ran.err.contains(&format!("lost: {id} ("));
        assert_ne!(ids(&rest).contains(&id), is_named, "{id} is there, or named");
    }

    std::fs::remove_file(new).unwrap();
    let table = shell.run(&["-o", "table", "recover", file, new]).exits(1).out;
    assert!(table.contains("doubtful") && table.contains(&lost.to_string()), "{table}");
}

#[test]
fn a_file_of_something_else_is_refused() {
    let shell = Shell::new();
    let file = shell.path("notes");
    std::fs::write(&file, "notes").unwrap();
    let new = shell.path("new");
    let [file, new] = [&file, &new].map(|path| path.to_str().unwrap());
    shell.run(&["recover", file, new]).exits(1).tells("not a Connectory store");
    assert!(!shell.path("new").exists());
}
