//! The real `landfall serve`, as a process of its own: started, killed with no warning, and started again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use awsim::{MANAGEMENT_ACCESS_KEY, Sim};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::database::within;
use crate::world::LANDING_ZONE;

/// The administrator's token of every server here.
pub const TOKEN: &str = "the-token-that-only-tests-know-0123456789";

/// What the log says once the server answers; the address follows.
const READY: &str = "landfall serves on http://";

/// How a server is started. It inherits nothing from the test's own environment.
pub struct Serve {
    variables: BTreeMap<String, String>,
    directory: TempDir,
}

impl Serve {
    /// With the landing zone of the documentation.
    pub fn new(sim: &Sim, database_url: &str) -> Self {
        let mut serve = Serve {
            variables: BTreeMap::new(),
            directory: tempfile::tempdir().expect("a directory for a server"),
        };
        let landing_zone = serve.file("landing-zone.toml", LANDING_ZONE);
        for (variable, value) in [
            ("LANDFALL_LISTEN", "127.0.0.1:0"),
            ("LANDFALL_DATABASE_URL", database_url),
            ("LANDFALL_BOOTSTRAP_TOKEN", TOKEN),
            ("LANDFALL_LANDING_ZONE", &landing_zone.to_string_lossy()),
            ("AWS_ENDPOINT_URL", &sim.url()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", MANAGEMENT_ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", "any"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ] {
            serve.set(variable, value);
        }
        serve
    }

    /// Sets a variable of the server's environment.
    pub fn set(&mut self, variable: &str, value: impl Into<String>) -> &mut Self {
        self.variables.insert(variable.to_owned(), value.into());
        self
    }

    /// Takes a variable out of the server's environment.
    pub fn unset(&mut self, variable: &str) -> &mut Self {
        self.variables.remove(variable);
        self
    }

    /// Writes a file into the server's own directory.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a file stands in a directory"))
            .expect("the directory is ours");
        std::fs::write(&path, text).expect("the directory is ours");
        path
    }

    /// Starts it, and does not wait for anything.
    pub fn start(&self) -> Process {
        let log = self.directory.path().join("log");
        let open = |file: &Path| -> io::Result<File> {
            OpenOptions::new().create(true).append(true).open(file)
        };
        let stderr = open(&log).expect("the directory is ours");
        let begins_at = stderr.metadata().expect("the log is there").len();
        let child = Command::new(landfall())
            .arg("serve")
            .env_clear()
            .envs(&self.variables)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .expect("landfall starts");
        Process {
            child,
            log,
            begins_at: usize::try_from(begins_at).expect("a log fits into memory"),
        }
    }

    /// Starts a server that is to end by itself: its exit status and its log.
    pub async fn fails(&self) -> (ExitStatus, String) {
        let mut process = self.start();
        let status = within("the server gives up", process.child.wait()).await;
        (status.expect("the child is ours"), process.log())
    }

    /// Runs a command of the client against a server, as its administrator: exit status, standard output and error.
    pub async fn client(&self, server: SocketAddr, arguments: &[&str]) -> (i32, String, String) {
        let url = format!("http://{server}");
        let variables = [("LANDFALL_URL", url.as_str()), ("LANDFALL_TOKEN", TOKEN)];
        command(self.directory.path(), &variables, arguments).await
    }

    /// Everything that all servers started from here have logged, shown when a test fails.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

/// Runs a command in a directory, with these variables and no others: exit status, standard output and error.
pub async fn command(
    directory: &Path,
    variables: &[(&str, &str)],
    arguments: &[&str],
) -> (i32, String, String) {
    let output = Command::new(landfall())
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(directory)
        .stdin(Stdio::null())
        .output();
    let output = within("the command ends", output).await;
    let output = output.expect("landfall starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let status = output.status.code().expect("nobody kills it");
    (status, text(output.stdout), text(output.stderr))
}

/// The program beside the tests: `cargo build --workspace` makes it.
fn landfall() -> PathBuf {
    let own = std::env::current_exe().expect("a program knows its own file");
    // Benches stand beside it, tests one folder below.
    let mut beside = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|at| at.join("landfall"));
    beside.find(|program| program.is_file()).unwrap_or_else(|| {
        panic!(
            "no landfall beside {}: run `cargo build --workspace` first",
            own.display()
        )
    })
}

/// A server at work. Dropping it kills it.
pub struct Process {
    child: Child,
    log: PathBuf,
    /// Where its part of the log begins.
    begins_at: usize,
}

impl Process {
    /// What it has logged.
    pub fn log(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(log.get(self.begins_at..).unwrap_or_default()).into_owned()
    }

    /// The operating system's number of it.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it still runs")
    }

    /// Where it answers, as soon as it does.
    pub fn address(&self) -> Option<SocketAddr> {
        let log = self.log();
        let (_, after) = log.split_once(READY)?;
        // A line that is only half written has no end yet.
        let (address, _) = after.split_once(char::is_whitespace)?;
        address.parse().ok()
    }

    /// Waits until it answers.
    pub async fn ready(&mut self) -> SocketAddr {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(address) = self.address() {
                return address;
            }
            let ended = self.child.try_wait().expect("the child is ours");
            assert!(
                ended.is_none(),
                "the server ended by itself:\n{}",
                self.log()
            );
            assert!(
                tokio::time::Instant::now() < deadline,
                "the server is never ready:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// `kill -9`: it gets no chance to do anything more.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("the child is ours");
    }

    /// SIGTERM, as at a shutdown; returns when it ended, which must be in order.
    pub async fn stop(mut self) {
        let id = self.child.id().expect("it still runs").to_string();
        // The shell's own: a bare Debian has no program `kill`.
        let kill = format!("kill -TERM {id}");
        let killed = Command::new("sh").args(["-c", &kill]).status().await;
        assert!(killed.expect("there is a shell").success());
        let status = within("the server stops", self.child.wait())
            .await
            .expect("the child is ours");
        assert!(status.success(), "{status}:\n{}", self.log());
    }
}

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

/// Makes one call of the API, as the administrator. An error is one of the wire: nobody knows whether the server acted.
pub async fn call(
    server: SocketAddr,
    method: &str,
    path: &str,
    idempotency_key: Option<&str>,
    body: Option<&Value>,
) -> io::Result<Answer> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let key = idempotency_key
        .map(|key| format!("idempotency-key: {key}\r\n"))
        .unwrap_or_default();
    let request = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nhost: {server}\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n{key}\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "half an answer");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(cut)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(cut)?;
    let body = serde_json::from_str(body).map_err(|_| cut())?;
    Ok(Answer { status, body })
}
