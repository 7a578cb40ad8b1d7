//! [`Server`], `connectory serve` as a process.

use crate::shell::Shell;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command};
use std::thread::JoinHandle;

/// A running server; killed when it goes, unless it was stopped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
    log: Option<JoinHandle<String>>,
}

impl Server {
    pub(crate) fn start(shell: &Shell, arguments: &[&str]) -> Self {
        let mut command = vec!["serve", "--listen", "127.0.0.1:0"];
        command.extend(arguments);
        let mut process = shell.start(&command);
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the server did not start");
            if let Some(address) = line.trim_end().strip_prefix("listening on http://") {
                break address.parse().unwrap();
            }
        };
        // The log goes on, and must not fill the pipe.
        let log = std::thread::spawn(move || {
            let mut text = Vec::new();
            log.read_to_end(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        });
        Self { process, address, log: Some(log) }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }

    /// Sends bytes and reads whatever comes back until the server closes.
    pub(crate) fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // A server that has read enough may close before everything is written.
        stream.write_all(bytes).ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        String::from_utf8(answer).unwrap()
    }

    pub(crate) fn request(&self, head: &str, body: &str) -> String {
        let length = body.len();
        let request = format!(
            "{head}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.send(request.as_bytes())
    }

    pub(crate) fn create(&self, domain: &str, profile: &str) -> String {
        let head = format!("POST /auth/connections HTTP/1.1\r\nhost: {}", self.address);
        self.request(&head, &json!({ "domain": domain, "profile_name": profile }).to_string())
    }

    pub(crate) fn get(&self, path: &str) -> String {
        self.request(&format!("GET {path} HTTP/1.1\r\nhost: {}", self.address), "")
    }

    /// Megabytes of memory that the server has used at most.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory_mb(&self) -> usize {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(self) -> Option<i32> {
        self.signal("TERM");
        self.wait()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(&self.process, name);
    }

    /// Stops it; everything that it logged.
    pub(crate) fn stop_and_tell(mut self) -> String {
        self.signal("TERM");
        let log = self.log.take().unwrap().join().unwrap();
        assert_eq!(self.wait(), Some(0), "{log}");
        log
    }

    /// Waits until it has ended; the exit status, where it was not killed.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The digest of a key, as the file of `--keys` has it.
pub(crate) fn sha256(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// Sends a running command a signal, by its name.
pub(crate) fn signal(process: &Child, name: &str) {
    let id = process.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
}
