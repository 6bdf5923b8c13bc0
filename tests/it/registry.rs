//! Modules and rules by way of registries and folders: a real registry, one that lies, and keys
//! that sign.

use crate::engines::Daemon;
use crate::needs;
use crate::program::saker;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use saker::distribution::Place;
use saker::distribution::artefact::{Descriptor, MediaType, Packed};
use saker::distribution::digest::Digest;
use saker::distribution::layout::Layout;
use saker::distribution::registry::Registry;
use saker_rules_compiler::{Options, Source, compile};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const RULES: &str = "
- required_engine_version: 0.31.0
- rule: Opens
  desc: d
  condition: evt.type = openat
  output: opened
  priority: INFO
";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for files of the test")
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Runs the program: what it printed and said, and whether it succeeded.
fn run(args: &[&str]) -> (String, String, bool) {
    let output = Command::new(saker()).args(args).output();
    let output = output.expect("saker starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        text(&output.stdout),
        text(&output.stderr),
        output.status.success(),
    )
}

#[track_caller]
fn succeeds(args: &[&str]) -> Value {
    let (out, err, success) = run(args);
    assert!(success, "{args:?}: {out}{err}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?}: {error}: {out}"))
}

#[track_caller]
fn fails(args: &[&str], why: &str) {
    let (out, err, success) = run(args);
    assert!(!success, "{args:?}: {out}");
    assert!(err.contains(why), "{args:?}: {err}");
    assert!(!err.contains("panicked"), "{err}");
}

/// A module in a file: a ruleset, which needs no other compiler.
fn module(folder: &Path) -> PathBuf {
    let source = Source {
        name: "opens.yaml".into(),
        text: RULES.into(),
    };
    let ruleset = compile(&[source], &Options::default()).ruleset;
    let path = folder.join("opens.wasm");
    std::fs::write(&path, ruleset.expect("it is right").wasm).expect("a folder of the test");
    path
}

fn openssl(args: &[&str]) -> bool {
    let output = Command::new("openssl").args(args).output();
    output.is_ok_and(|output| output.status.success())
}

/// A key pair, as cosign makes them.
struct Pair {
    private: String,
    public: String,
}

fn pair(folder: &Path, name: &str) -> Option<Pair> {
    let missing = (!openssl(&["version"])).then(|| "no openssl".to_owned());
    if !needs::have("registry", missing) {
        return None;
    }
    let private = text(&folder.join(format!("{name}.key")));
    let public = text(&folder.join(format!("{name}.pub")));
    let curve = "ec_paramgen_curve:P-256";
    assert!(openssl(&[
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        curve,
        "-out",
        &private
    ]));
    assert!(openssl(&[
        "pkey", "-in", &private, "-pubout", "-out", &public
    ]));
    Some(Pair { private, public })
}

impl Pair {
    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let folder = folder();
        let (message, signature) = (folder.path().join("m"), folder.path().join("s"));
        std::fs::write(&message, bytes).expect("a folder of the test");
        assert!(openssl(&[
            "dgst",
            "-sha256",
            "-sign",
            &self.private,
            "-out",
            &text(&signature),
            &text(&message),
        ]));
        std::fs::read(&signature).expect("it was just written")
    }

    /// Signs an artefact where it is, as `cosign sign --key` does.
    fn sign_artefact(&self, place: &dyn Place, digest: &str) {
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": "registry.example/opens"},
                "image": {"docker-manifest-digest": digest},
                "type": "cosign container image signature",
            },
            "optional": null,
        });
        let payload = payload.to_string().into_bytes();
        let config = b"{}";
        let mut layer = Descriptor::of(&payload, MediaType::SIGNED);
        layer.annotations.insert(
            "dev.cosignproject.cosign/signature".into(),
            STANDARD.encode(self.sign(&payload)),
        );
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::MANIFEST,
            "config": Descriptor::of(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [layer],
        });
        place.put_blob(config).expect("it is taken");
        place.put_blob(&payload).expect("it is taken");
        let tag = format!("{}.sig", digest.replace(':', "-"));
        let manifest = manifest.to_string().into_bytes();
        let put = place.put_manifest(&tag, MediaType::MANIFEST, &manifest);
        put.expect("it is taken");
    }
}

/// Debian's registry, with all it keeps in a folder of the test's own.
struct Server {
    host: String,
    _daemon: Daemon,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Option<Server> {
        let program = Path::new("/usr/bin/docker-registry");
        let missing = (!program.exists()).then(|| "no docker-registry".to_owned());
        if !needs::have("registry", missing) {
            return None;
        }
        let folder = folder();
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = free.local_addr().expect("it has one").to_string();
        drop(free);
        let config = folder.path().join("config.yml");
        let kept = folder.path().join("kept");
        std::fs::write(
            &config,
            format!(
                "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
                 http: {{addr: \"{host}\"}}\n",
                kept.display()
            ),
        )
        .expect("a folder of the test");
        let mut command = Command::new(program);
        command.arg("serve").arg(&config);
        let daemon = Daemon::start(&mut command, &folder.path().join("log"));
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(&host).is_err() {
            assert!(Instant::now() < end, "the registry does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Server {
            host,
            _daemon: daemon,
            _folder: folder,
        })
    }
}

#[test]
fn a_module_comes_back_from_a_registry_as_it_was_pushed() {
    let Some(server) = Server::start() else {
        return;
    };
    let folder = folder();
    let module = module(folder.path());
    let name = format!("{}/team/opens:1.0", server.host);
    let pushed = succeeds(&["module", "push", &text(&module), &name, "--json"]);
    let digest = pushed["digest"].as_str().expect("a digest");
    // Pushing it again changes nothing.
    let again = succeeds(&["module", "push", &text(&module), &name, "--json"]);
    assert_eq!(again["digest"], digest);
    // The folder is made.
    let into = folder.path().join("all/pulled");
    for name in [&name, &format!("{}/team/opens@{digest}", server.host)] {
        let pulled = succeeds(&["module", "pull", name, "-d", &text(&into), "--json"]);
        assert_eq!(pulled["digest"], digest);
        assert_eq!(pulled["key"], Value::Null);
        let file = into.join("opens.wasm");
        assert_eq!(pulled["files"], json!([text(&file)]));
        let bytes = std::fs::read(&file).expect("it is there");
        assert_eq!(bytes, std::fs::read(&module).expect("it is there"));
        std::fs::remove_file(&file).expect("it is ours");
    }
    let other = format!("{}/team/opens@{}", server.host, Digest::of(b"other"));
    fails(
        &["module", "pull", &other, "-d", &text(&into)],
        "there is no `sha256:",
    );
    let other = format!("{}/team/opens:2.0", server.host);
    fails(
        &["module", "pull", &other, "-d", &text(&into)],
        "there is no `2.0`",
    );
    assert_eq!(std::fs::read_dir(&into).expect("ours").count(), 0);
}

#[test]
fn rules_are_packed_as_falcos_are_and_come_back() {
    let Some(server) = Server::start() else {
        return;
    };
    let folder = folder();
    let rules = folder.path().join("team_rules.yaml");
    std::fs::write(&rules, RULES).expect("a folder of the test");
    let name = format!("{}/team/rules:0.1.0", server.host);
    succeeds(&["module", "push", &text(&rules), &name, "--json"]);
    let place = Registry::new(&server.host, "team/rules", true).expect("a registry");
    let manifest = place.manifest(&saker::distribution::Which::Tag("0.1.0".into()));
    let manifest: Value = serde_json::from_slice(&manifest.expect("it is there")).expect("JSON");
    assert_eq!(
        manifest["config"]["mediaType"],
        "application/vnd.cncf.falco.rulesfile.config.v1+json"
    );
    assert_eq!(
        manifest["layers"][0]["mediaType"],
        "application/vnd.cncf.falco.rulesfile.layer.v1+tar.gz"
    );
    let into = text(folder.path());
    let pulled = folder.path().join("team_rules.yaml");
    std::fs::remove_file(&rules).expect("ours");
    succeeds(&["module", "pull", &name, "-d", &into, "--json"]);
    assert_eq!(
        std::fs::read_to_string(&pulled).expect("it is there"),
        RULES
    );
    // What is made for a newer engine is not taken.
    let newer = RULES.replace("0.31.0", "0.999.0");
    let packed = Packed::rules(
        "team_rules.yaml",
        "0.1.0",
        newer.as_bytes(),
        Some("0.999.0"),
    );
    packed.put(&place, "0.1.0").expect("it is taken");
    fails(
        &["module", "pull", &name, "-d", &into],
        "the rules need version 0.999.0 of Falco's engine",
    );
    std::fs::write(&rules, newer).expect("ours");
    fails(
        &["module", "push", &text(&rules), &name],
        "`saker check` finds mistakes in it",
    );
}

#[test]
fn an_artefact_is_believed_if_the_owner_of_a_key_signed_it() {
    let Some(server) = Server::start() else {
        return;
    };
    let folder = folder();
    let (Some(ours), Some(theirs)) = (pair(folder.path(), "ours"), pair(folder.path(), "theirs"))
    else {
        return;
    };
    let module = module(folder.path());
    let name = format!("{}/opens:1", server.host);
    let digest = succeeds(&["module", "push", &text(&module), &name, "--json"])["digest"].clone();
    let digest = digest.as_str().expect("a digest");
    let verify = ["module", "verify", &name, "--json", "--key"];
    fails(
        &[&verify[..], &[&ours.public]].concat(),
        "nobody has signed it",
    );
    let into = text(folder.path());
    let place = Registry::new(&server.host, "opens", true).expect("a registry");
    // A signature of something else says nothing.
    let other = Digest::of(b"other").to_string();
    let tag = |digest: &str| format!("{}.sig", digest.replace(':', "-"));
    ours.sign_artefact(&place, &other);
    let of_other = place.manifest(&saker::distribution::Which::Tag(tag(&other)));
    let of_other = of_other.expect("it is there");
    place
        .put_manifest(&tag(digest), MediaType::MANIFEST, &of_other)
        .expect("it is taken");
    fails(
        &[&verify[..], &[&ours.public]].concat(),
        "by none of the keys",
    );
    ours.sign_artefact(&place, digest);
    let told = succeeds(&[&verify[..], &[&theirs.public, "--key", &ours.public]].concat());
    assert_eq!(told["digest"], digest);
    assert_eq!(told["key"], *ours.public);
    fails(
        &[&verify[..], &[&theirs.public]].concat(),
        "by none of the keys",
    );
    let pull = ["module", "pull", &name, "-d", &into, "--json", "--key"];
    fails(
        &[&pull[..], &[&theirs.public]].concat(),
        "by none of the keys",
    );
    let pulled = succeeds(&[&pull[..], &[&ours.public]].concat());
    assert_eq!(pulled["key"], *ours.public);

    // What was pulled is believed when it is loaded, and only by who believes that key.
    let keys = |key: &Pair| format!("modules.keys={}", key.public);
    let check = |key: &Pair| {
        let required = "modules.require_signature=true";
        run(&["check", &text(&module), "-o", required, "-o", &keys(key)])
    };
    assert!(check(&ours).2, "{:?}", check(&ours));
    assert!(!check(&theirs).2);
    assert!(
        check(&theirs)
            .1
            .contains("none of `modules.keys` has signed it")
    );
    // Not with another byte in it.
    let bytes = std::fs::read(&module).expect("it is there");
    let mut changed = bytes.clone();
    changed.extend_from_slice(b"\0\x01\0");
    std::fs::write(&module, &changed).expect("ours");
    assert!(!check(&ours).2);
    // Nor without what was said of it.
    std::fs::write(&module, &bytes).expect("ours");
    let evidence = folder.path().join("opens.wasm.evidence.json");
    std::fs::rename(&evidence, folder.path().join("elsewhere")).expect("it was pulled");
    assert!(
        check(&ours).1.contains("it is not signed"),
        "{:?}",
        check(&ours)
    );
    // A signature of the file itself is as good.
    let signature = folder.path().join("opens.wasm.sig");
    std::fs::write(&signature, STANDARD.encode(ours.sign(&bytes))).expect("ours");
    assert!(check(&ours).2);
    assert!(!check(&theirs).2);
    std::fs::write(&signature, ours.sign(&changed)).expect("ours");
    assert!(!check(&ours).2);
}

#[test]
fn a_folder_does_for_a_registry() {
    let folder = folder();
    let module = module(folder.path());
    let kept = folder.path().join("kept");
    let packed = succeeds(&[
        "module",
        "pack",
        &text(&module),
        "-o",
        &text(&kept),
        "-t",
        "1.0",
        "--json",
    ]);
    assert!(kept.join("oci-layout").is_file());
    let into = folder.path().join("pulled");
    std::fs::create_dir(&into).expect("ours");
    let name = format!("oci:{}:1.0", kept.display());
    let pulled = succeeds(&["module", "pull", &name, "-d", &text(&into), "--json"]);
    assert_eq!(pulled["digest"], packed["digest"]);
    assert_eq!(
        std::fs::read(into.join("opens.wasm")).expect("it is there"),
        std::fs::read(&module).expect("it is there")
    );
    fails(
        &["module", "pull", &format!("oci:{}:2", kept.display())],
        "there is no",
    );
    // What is in it may have been changed since.
    for blob in std::fs::read_dir(kept.join("blobs/sha256")).expect("ours") {
        let path = blob.expect("ours").path();
        let mut bytes = std::fs::read(&path).expect("ours");
        if bytes.starts_with(b"\0asm") {
            *bytes.last_mut().expect("it begins with four") ^= 1;
            std::fs::write(&path, bytes).expect("ours");
        }
    }
    fails(
        &["module", "pull", &name, "-d", &text(&into)],
        "its digest is",
    );
}

/// Answers every request by what `answer` makes of its line and headers, until it is dropped.
struct Fake {
    host: String,
}

impl Fake {
    fn start(answer: impl Fn(&str, &str) -> Vec<u8> + Send + Sync + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("it has one").to_string();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = answer.clone();
                std::thread::spawn(move || serve(stream, &*answer));
            }
        });
        Fake { host }
    }
}

fn serve(mut stream: TcpStream, answer: &(dyn Fn(&str, &str) -> Vec<u8> + Send + Sync)) {
    let Ok(read) = stream.try_clone() else { return };
    let mut lines = BufReader::new(read);
    let (mut request, mut headers) = (String::new(), String::new());
    if lines.read_line(&mut request).is_err() {
        return;
    }
    loop {
        let mut line = String::new();
        match lines.read_line(&mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) if line == "\r\n" => break,
            Ok(_) => headers += &line,
        }
    }
    let said = answer(&request, &headers);
    let endless = said.ends_with(b"ENDLESS");
    if stream.write_all(&said).is_err() {
        return;
    }
    while endless && stream.write_all(&[b'x'; 65536]).is_ok() {}
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read(&mut [0; 1024]);
}

fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn status(line: &str, header: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\n{header}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .into_bytes()
}

/// A manifest of a module of those bytes.
fn manifest(wasm: &[u8], size: u64) -> Vec<u8> {
    let config = Descriptor::of(b"{}", MediaType::WASM_CONFIG);
    let mut layer = Descriptor::of(wasm, MediaType::WASM);
    layer.size = size;
    json!({"schemaVersion": 2, "config": config, "layers": [layer]})
        .to_string()
        .into_bytes()
}

fn index(manifests: usize) -> Vec<u8> {
    let one = Descriptor::of(b"x", MediaType::MANIFEST);
    json!({"schemaVersion": 2, "manifests": vec![one; manifests]})
        .to_string()
        .into_bytes()
}

fn layered(layers: usize) -> Vec<u8> {
    let one = Descriptor::of(b"x", MediaType::WASM);
    json!({"schemaVersion": 2, "config": one, "layers": vec![&one; layers]})
        .to_string()
        .into_bytes()
}

#[test]
fn nothing_is_pushed_to_where_a_registry_leads() {
    let folder = folder();
    let module = module(folder.path());
    let elsewhere = Fake::start(|request, _| panic!("{request}"));
    let leads = format!("Location: http://{}/v2/a/blobs/uploads/1", elsewhere.host);
    let registry = Fake::start(move |request, _| match request.starts_with("POST") {
        true => status("202 Accepted", &leads),
        false => status("404 Not Found", "X-A: b"),
    });
    let name = format!("{}/a", registry.host);
    fails(
        &["module", "push", &text(&module), &name],
        "sent to another server",
    );
}

#[test]
fn a_registry_that_lies_gets_nothing_written() {
    const WASM: &[u8] = b"\0asm, more or less";
    let sound = manifest(WASM, WASM.len() as u64);
    let pinned = format!("@{}", Digest::of(&sound));
    let other = manifest(b"other", 5);
    let answers = |of_manifest: Vec<u8>, of_blob: Vec<u8>| {
        Fake::start(move |request, _| match request {
            _ if request.contains(".sig") => status("404 Not Found", "X-A: b"),
            _ if request.contains("/manifests/") => of_manifest.clone(),
            _ => of_blob.clone(),
        })
    };
    let endless = |status: &str| format!("HTTP/1.1 {status}\r\n\r\nENDLESS").into_bytes();
    let leads = |to: &str| status("307 Temporary Redirect", &format!("Location: {to}"));
    for (of_manifest, of_blob, tag, why) in [
        // Another manifest than the one that is asked for by digest.
        (ok(&other), ok(WASM), pinned.as_str(), "instead of"),
        // Another blob than the manifest says.
        (ok(&sound), ok(b"\0asm, more or more"), "", "instead of"),
        (ok(&sound), ok(b""), "", "instead of"),
        (ok(&sound), endless("200 OK"), "", "is larger than"),
        (endless("200 OK"), ok(WASM), "", "is larger than 4096 KiB"),
        (
            ok(&manifest(WASM, u64::MAX)),
            ok(WASM),
            "",
            "is larger than 32768 KiB",
        ),
        (ok(&manifest(WASM, 3)), ok(WASM), "", "is larger than"),
        (ok(b"{}"), ok(WASM), "", "is not what it ought to be"),
        (
            ok(&[b'['; 100_000]),
            ok(WASM),
            "",
            "is not what it ought to be",
        ),
        (
            ok(b"{\"schemaVersion\":2,\"manifests\":[]}"),
            ok(WASM),
            "",
            "lists nothing",
        ),
        (ok(&index(65)), ok(WASM), "", "more than 64 manifests"),
        (ok(&layered(65)), ok(WASM), "", "more than 64 layers"),
        (ok(&sound), leads("/v2/a/blobs/x"), "", "leads in circles"),
        (
            ok(&sound),
            leads("file:///etc/shadow"),
            "",
            "not safe to fetch",
        ),
        (
            ok(&sound),
            leads("http://user@host/"),
            "",
            "not safe to fetch",
        ),
        (
            status("200 OK", "X-A: b"),
            ok(WASM),
            "",
            "is not what it ought to be",
        ),
        (endless("500 No"), ok(WASM), "", "answers 500"),
        (b"what?".to_vec(), ok(WASM), "", "does not answer"),
    ] {
        let fake = answers(of_manifest, of_blob);
        let folder = folder();
        let name = format!("{}/a{tag}", fake.host);
        fails(&["module", "pull", &name, "-d", &text(folder.path())], why);
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("ours").count(),
            0,
            "{why}"
        );
    }
}

#[test]
fn who_one_is_is_told_to_the_registry_and_to_nobody_it_leads_to() {
    const WASM: &[u8] = b"\0asm, more or less";
    let elsewhere = Fake::start(|_, headers| {
        assert!(!headers.to_ascii_lowercase().contains("authorization"));
        match headers.to_ascii_lowercase().contains("authorization") {
            true => status("403 Forbidden", "X-A: b"),
            false => ok(WASM),
        }
    });
    let blobs = format!("Location: http://{}/blob", elsewhere.host);
    let basic = STANDARD.encode("alice:secret");
    let token_server = {
        let basic = basic.clone();
        Fake::start(move |request, headers| {
            let is_right = headers.contains(&format!("Basic {basic}"))
                && request.contains("scope=repository%3Aa%3Apull")
                && request.contains("service=here");
            match is_right {
                true => ok(b"{\"token\":\"abc\"}"),
                false => status("401 Unauthorized", "X-A: b"),
            }
        })
    };
    let challenge = format!(
        "WWW-Authenticate: Bearer realm=\"http://{}/token\",service=\"here\"",
        token_server.host
    );
    let registry = Fake::start(move |request, headers| {
        if !headers.contains("Bearer abc") {
            return status("401 Unauthorized", &challenge);
        }
        match request {
            _ if request.contains(".sig") => status("404 Not Found", "X-A: b"),
            _ if request.contains("/manifests/") => ok(&manifest(WASM, WASM.len() as u64)),
            _ => status("307 Temporary Redirect", &blobs),
        }
    });
    let folder = folder();
    let name = format!("{}/a", registry.host);
    let pull = |config: &Path| {
        let mut command = Command::new(saker());
        command
            .args(["module", "pull", &name, "-d"])
            .arg(folder.path());
        let output = command.env("DOCKER_CONFIG", config).output();
        output.expect("saker starts")
    };
    let output = pull(Path::new("/nonexistent"));
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("lets nobody in"), "{said}");
    let config = json!({"auths": {registry.host.clone(): {"auth": basic}}});
    std::fs::write(folder.path().join("config.json"), config.to_string()).expect("ours");
    let output = pull(folder.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let pulled = std::fs::read(folder.path().join("a.wasm")).expect("it is there");
    assert_eq!(pulled, WASM);
}

/// A packed archive being written.
type Archive = tar::Builder<flate2::write::GzEncoder<Vec<u8>>>;

/// Rules are unpacked from archives that anybody may have packed.
#[test]
fn a_hostile_archive_writes_no_file_but_rules_by_a_plain_name() {
    let archive = |fill: &dyn Fn(&mut Archive)| {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut archive = tar::Builder::new(gzip);
        fill(&mut archive);
        let gzip = archive.into_inner().expect("memory");
        gzip.finish().expect("memory")
    };
    let entry = |archive: &mut tar::Builder<_>, name: &str, kind, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o777);
        let field = &mut header.as_old_mut().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        if kind == tar::EntryType::Symlink {
            header.set_link_name("/etc/passwd").expect("it fits");
        }
        header.set_cksum();
        let written: std::io::Result<()> = archive.append(&header, bytes);
        written.expect("memory");
    };
    let regular = tar::EntryType::Regular;
    let zeros = vec![0; 17 << 20];
    for (layer, why) in [
        (
            archive(&|a| entry(a, "a/.b.yaml", regular, b"x")),
            "is no name for a file",
        ),
        (
            archive(&|a| entry(a, "a b.yaml", regular, b"x")),
            "is no name for a file",
        ),
        (
            archive(&|a| entry(a, "a.txt", regular, b"x")),
            "holds no rule file",
        ),
        (
            archive(&|a| entry(a, "a.yaml", tar::EntryType::Symlink, b"")),
            "holds no rule file",
        ),
        (archive(&|a| entry(a, "a.yaml", regular, &zeros)), "archive"),
        (
            archive(&|a| {
                entry(a, "a.yaml", regular, b"x");
                entry(a, "b/a.yaml", regular, b"y");
            }),
            "two files named `a.yaml`",
        ),
        (
            archive(&|a| {
                for file in 0..65 {
                    entry(a, &format!("{file}.yaml"), regular, b"x");
                }
            }),
            "more than 64 rule files",
        ),
        (b"no archive".to_vec(), "archive is broken"),
    ] {
        let folder = folder();
        let kept = folder.path().join("kept");
        let place = Layout::new(&kept);
        let config = b"{}";
        let manifest = json!({
            "schemaVersion": 2,
            "config": Descriptor::of(config, MediaType::RULES_CONFIG),
            "layers": [Descriptor::of(&layer, MediaType::RULES)],
        });
        place.put_blob(config).expect("ours");
        place.put_blob(&layer).expect("ours");
        let manifest = manifest.to_string().into_bytes();
        place
            .put_manifest("latest", MediaType::MANIFEST, &manifest)
            .expect("ours");
        let into = folder.path().join("into/deep");
        std::fs::create_dir_all(&into).expect("ours");
        let name = format!("oci:{}", kept.display());
        fails(&["module", "pull", &name, "-d", &text(&into)], why);
        assert_eq!(std::fs::read_dir(&into).expect("ours").count(), 0, "{why}");
    }
    // Where it lay in the archive does not matter.
    let folder = folder();
    let kept = folder.path().join("kept");
    let place = Layout::new(&kept);
    let layer = archive(&|a| entry(a, "../../etc/a.yaml", regular, b"x"));
    let manifest = json!({
        "schemaVersion": 2,
        "config": Descriptor::of(b"{}", MediaType::RULES_CONFIG),
        "layers": [Descriptor::of(&layer, MediaType::RULES)],
    });
    place.put_blob(b"{}").expect("ours");
    place.put_blob(&layer).expect("ours");
    let manifest = manifest.to_string().into_bytes();
    place
        .put_manifest("latest", MediaType::MANIFEST, &manifest)
        .expect("ours");
    let into = folder.path().join("into");
    std::fs::create_dir(&into).expect("ours");
    let name = format!("oci:{}", kept.display());
    let pulled = succeeds(&["module", "pull", &name, "-d", &text(&into), "--json"]);
    assert_eq!(pulled["files"], json!([text(&into.join("a.yaml"))]));
}
