//! The page's interface on the running program. Here is the program with its page, and what is done
//! to it; what is held of it stands in a file for each thing that it does.

mod access;
mod alerts;
mod changes;
mod description;
mod operating;
mod trials;

use crate::needs;
use crate::program::{Saker, Scope};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// A running Saker with a page of its own.
struct Page {
    saker: Saker,
    address: String,
    token: String,
}

/// An answer.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }
}

fn told(output: &std::process::Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Page {
    fn start(scope: &Scope, folder: &Path, more: &[&str]) -> Page {
        let store = format!("store.path={}", folder.join("alerts.db").display());
        let socket = folder.join("control.sock");
        let control = format!("control.socket={}", socket.display());
        let mut args = vec![
            "-o",
            &store,
            "-o",
            &control,
            "-o",
            "page.address=127.0.0.1:0",
        ];
        args.extend(more);
        let saker = Saker::watch(scope, &args);
        let mut ask = std::process::Command::new(crate::program::saker());
        let asked = ask
            .args(["ctl", "--socket"])
            .arg(&socket)
            .arg("page")
            .output();
        let link = told(&asked.expect("saker runs"));
        let (address, token) = link.split_once("/#token=").expect("a link");
        Page {
            saker,
            address: address.trim_start_matches("http://").into(),
            token: token.into(),
        }
    }

    /// Sends a request with these lines in its head, and a body.
    fn send(&self, method: &str, path: &str, head: &[&str], body: &[u8]) -> Answer {
        let mut stream = self.begin(method, path, head, body);
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer in text");
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Answer {
            status: status.expect("a status"),
            head: head.to_ascii_lowercase(),
            body: body.into(),
        }
    }

    fn begin(&self, method: &str, path: &str, head: &[&str], body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).expect("a socket");
        let mut request = format!(
            "{method} {path} HTTP/1.0\r\ncontent-length: {}\r\n",
            body.len()
        );
        if !head.iter().any(|line| line.starts_with("host:")) {
            request.push_str(&format!("host: {}\r\n", self.address));
        }
        for line in head {
            request.push_str(&format!("{line}\r\n"));
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend(body);
        // What is refused for its length is not read to its end.
        let _ = stream.write_all(&bytes);
        stream
    }

    fn authorization(&self) -> String {
        format!("authorization: Bearer {}", self.token)
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.send(
            "GET",
            &format!("/api/v1{path}"),
            &[&self.authorization()],
            b"",
        );
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    fn post(&self, path: &str, body: &[u8]) -> Answer {
        let head = [&*self.authorization(), "content-type: application/json"];
        self.send("POST", &format!("/api/v1{path}"), &head, body)
    }

    fn done(&self, path: &str, body: &[u8]) -> Value {
        let answer = self.post(path, body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Asks until the answer is as wanted.
    fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.get(path);
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < end, "{path} stays {answer}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for files of the test")
}

const RULE: &str = "- rule: Somebody reads it\n  desc: d\n  condition: >\n    evt.type in (open, \
                    openat) and fd.name = /etc/shadow and not proc.name in (login, sshd)\n  \
                    output: \"%proc.name reads %fd.name\"\n  priority: CRITICAL\n  tags: [mine]\n";

/// A rule file of the test.
fn rules(folder: &Path) -> String {
    let path = folder.join("rules.yaml");
    std::fs::write(&path, RULE).expect("a folder of the test");
    path.display().to_string()
}

/// Reads it inside, by a program of that name.
fn attack(scope: &Scope, folder: &Path, name: &str) {
    let program = folder.join(name);
    if !program.exists() {
        std::fs::copy("/bin/cat", &program).expect("a folder of the test");
    }
    let mut shell = scope.command("/bin/sh");
    shell
        .arg("-c")
        .arg("\"$0\" /etc/shadow > /dev/null; :")
        .arg(&program);
    assert!(shell.status().expect("a shell").success());
}
