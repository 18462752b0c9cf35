//! How many calls a second awsim answers, and what a call costs its own threads.
//!
//!     cargo bench -p awsim

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use awsim::{Options, Sim};

const RUN: Duration = Duration::from_secs(3);

struct Case {
    name: &'static str,
    service: &'static str,
    /// Method, path and further header lines.
    head: &'static str,
    body: &'static str,
}

const CASES: [Case; 4] = [
    Case {
        name: "sts GetCallerIdentity",
        service: "sts",
        head: "POST / HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded",
        body: "Action=GetCallerIdentity&Version=2011-06-15",
    },
    Case {
        name: "organizations ListAccounts",
        service: "organizations",
        head: "POST / HTTP/1.1\r\nx-amz-target: AWSOrganizationsV20161128.ListAccounts\r\n\
               content-type: application/x-amz-json-1.1",
        body: "{}",
    },
    Case {
        name: "guardduty ListDetectors",
        service: "guardduty",
        head: "GET /detector HTTP/1.1",
        body: "",
    },
    Case {
        name: "s3 ListBuckets",
        service: "s3",
        head: "GET / HTTP/1.1",
        body: "",
    },
];

fn main() -> anyhow::Result<()> {
    let sim = Sim::start(Options::default())?;
    let address = sim.url().replace("http://", "");
    let mut out = std::io::stdout();
    for case in &CASES {
        let request = format!(
            "{}\r\nhost: {address}\r\nx-amz-date: 20261122T000000Z\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential=AWSIMMANAGEMENT0000/20261122/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=00\r\n\
             content-length: {}\r\n\r\n{}",
            case.head,
            case.service,
            case.body.len(),
            case.body
        );
        let cpu = server_cpu()?;
        let started = Instant::now();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (address, request) = (address.clone(), request.clone());
                std::thread::spawn(move || call_again_and_again(&address, &request))
            })
            .collect();
        let mut calls = 0;
        for thread in threads {
            calls += thread.join().expect("no client panics")?;
        }
        let elapsed = started.elapsed();
        let cpu = server_cpu()?.saturating_sub(cpu);
        writeln!(
            out,
            "{:28} {:7.0} calls/s, {:5.1} µs of awsim's CPU a call: {:6.0} calls/s and core",
            case.name,
            f64::from(calls) / elapsed.as_secs_f64(),
            cpu.as_secs_f64() * 1e6 / f64::from(calls),
            f64::from(calls) / cpu.as_secs_f64(),
        )?;
    }
    Ok(())
}

fn call_again_and_again(address: &str, request: &str) -> std::io::Result<u32> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let started = Instant::now();
    let mut buffer = vec![0; 64 << 10];
    let mut calls = 0;
    while started.elapsed() < RUN {
        stream.write_all(request.as_bytes())?;
        let mut length = 0;
        while !is_whole(&buffer[..length]) {
            length += stream.read(&mut buffer[length..])?;
        }
        assert!(
            buffer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&buffer[..length])
        );
        calls += 1;
    }
    Ok(calls)
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|n| n.parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

/// The CPU time of awsim's own threads so far.
fn server_cpu() -> anyhow::Result<Duration> {
    let mut ticks = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let stat = std::fs::read_to_string(task?.path().join("stat"))?;
        if let Some((name, fields)) = stat.rsplit_once(") ")
            && name.contains("(awsim")
        {
            let fields: Vec<i64> = fields
                .split(' ')
                .filter_map(|field| field.parse().ok())
                .collect();
            // utime and stime, the state before them being a letter.
            let ticks_of = |index: usize| {
                fields
                    .get(index)
                    .and_then(|n| u64::try_from(*n).ok())
                    .unwrap_or_default()
            };
            ticks += ticks_of(10) + ticks_of(11);
        }
    }
    Ok(Duration::from_millis(ticks * 10))
}
