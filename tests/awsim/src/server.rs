//! The listener: HTTP/1.1 on loopback, one task for each connection, one [`World`] behind one lock.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::SignedDuration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::calls::Calls;
use crate::clock::Clock;
use crate::control;
use crate::exchange;
use crate::faults::Faults;
use crate::limits::Throttle;
use crate::services;
use crate::world::{Settings, World};

/// No request of the services here comes near this many bytes.
const LONGEST_BODY: usize = 32 << 20;

/// How the simulated AWS behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    pub settings: Settings,
    /// Whether answers take as long as AWS's (divided by the time scale).
    pub latency: bool,
    /// Whether calls beyond AWS's rates are refused.
    pub throttle: bool,
}

impl Default for Options {
    /// A free port on loopback, accounts created in ten seconds, no throttling, no latency.
    fn default() -> Self {
        Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            settings: Settings {
                seed: 1,
                create_account: SignedDuration::from_secs(10),
                time_scale: 1,
            },
            latency: false,
            throttle: false,
        }
    }
}

/// How calls travel: may be changed while awsim runs, for a bench that sets its stage fast and then measures.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// Whether answers take as long as AWS's (divided by the time scale).
    pub latency: bool,
    /// Whether calls beyond AWS's rates are refused.
    pub throttle: bool,
    /// Shortens latencies, and fills the buckets faster. What the world itself takes is in [`Settings`].
    pub time_scale: u32,
}

/// What every request has at hand.
pub struct Shared {
    pub(crate) options: Options,
    traffic: Mutex<Traffic>,
    world: Mutex<World>,
    calls: Mutex<Calls>,
    /// The world has them too, for what befalls events on their way.
    faults: Arc<Mutex<Faults>>,
    throttle: Mutex<Throttle>,
    pub clock: Clock,
    requests: AtomicU64,
}

impl Shared {
    fn new(options: Options) -> Self {
        let clock = Clock::default();
        let traffic = Traffic {
            latency: options.latency,
            throttle: options.throttle,
            time_scale: options.settings.time_scale.max(1),
        };
        let faults = Arc::new(Mutex::new(Faults::new(options.settings.seed)));
        let mut world = World::new(options.settings.clone(), clock.now());
        services::events::heed(&mut world, faults.clone());
        Shared {
            traffic: Mutex::new(traffic),
            world: Mutex::new(world),
            calls: Mutex::default(),
            faults,
            throttle: Mutex::default(),
            requests: AtomicU64::new(0),
            clock,
            options,
        }
    }

    pub fn traffic(&self) -> Traffic {
        *lock(&self.traffic)
    }

    pub fn set_traffic(&self, traffic: Traffic) {
        *lock(&self.traffic) = traffic;
        *self.throttle() = Throttle::default();
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub fn calls(&self) -> MutexGuard<'_, Calls> {
        lock(&self.calls)
    }

    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(crate) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        lock(&self.throttle)
    }

    /// Starts over with a new world, and forgets faults and everything counted.
    pub fn reset(&self) {
        self.clock.reset();
        let mut world = World::new(self.options.settings.clone(), self.clock.now());
        services::events::heed(&mut world, self.faults.clone());
        *self.world() = world;
        *self.calls() = Calls::default();
        *self.faults() = Faults::new(self.options.settings.seed);
        *self.throttle() = Throttle::default();
    }

    /// A request id in the form of AWS's, different for each request and the same from run to run.
    pub(crate) fn request_id(&self) -> RequestId {
        let n = self.requests.fetch_add(1, Ordering::Relaxed);
        // The finalizer of SplitMix64 spreads the counter evenly.
        let mut chance = (n ^ self.options.settings.seed.rotate_left(32))
            .wrapping_add(1)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        chance = (chance ^ (chance >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        RequestId {
            text: format!(
                "{:08x}-0000-4000-8000-{n:012x}",
                self.options.settings.seed & 0xffff_ffff
            ),
            chance: chance ^ (chance >> 31),
        }
    }
}

pub(crate) struct RequestId {
    pub(crate) text: String,
    /// An even chance of the request's own, for what is to scatter but repeat.
    pub(crate) chance: u64,
}

/// A panic under a lock cuts the connection of the call that it befell; what it left is as good as any world.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running simulated AWS. Dropping it stops it.
pub struct Sim {
    shared: Arc<Shared>,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Sim {
    /// Starts on threads of its own, so that it may be started and dropped inside and outside of any runtime.
    pub fn start(options: Options) -> anyhow::Result<Sim> {
        let listener = std::net::TcpListener::bind(options.listen)
            .with_context(|| format!("listen on {}", options.listen))?;
        listener
            .set_nonblocking(true)
            .context("make the listener non-blocking")?;
        let address = listener
            .local_addr()
            .context("ask the listener's address")?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("awsim")
            .enable_all()
            .build()
            .context("start the runtime")?;
        let shared = Arc::new(Shared::new(options));
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).context("hand the listener to the runtime")?
        };
        runtime.spawn(accept(listener, shared.clone()));
        Ok(Sim {
            shared,
            address,
            runtime: Some(runtime),
        })
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// World, clock and counters, for a test in the same process.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // Out of file descriptors is the only error to expect, and it passes.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        // Small answers on a connection that is kept would otherwise wait for the client's delayed ACK.
        let _ = stream.set_nodelay(true);
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| serve(shared.clone(), request));
            // An error here is a connection that the client or a fault has cut.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
pub(crate) struct Cut;

async fn serve(
    shared: Arc<Shared>,
    request: http::Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LONGEST_BODY)
        .collect()
        .await
        .map_err(|_| Cut)?
        .to_bytes();
    let response = if let Some(path) = parts.uri.path().strip_prefix("/_awsim") {
        control::answer(&shared, &parts, path, &body)
    } else {
        exchange::exchange(&shared, parts, body).await?
    };
    Ok(response.map(Full::new))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::{Duration, Instant};

    use super::*;

    /// Sends one call and answers the status line.
    fn status(sim: &Sim, service: &str, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(sim.address).unwrap();
        let credential = format!("AWSIMMANAGEMENT0000/20261122/us-east-1/{service}/aws4_request");
        let length = body.len();
        write!(
            stream,
            "POST / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n{head}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00\r\n\r\n{body}",
            sim.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    const IDENTITY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

    #[tokio::test]
    async fn it_starts_and_stops_inside_a_runtime() {
        let sim = Sim::start(Options::default()).unwrap();
        assert_eq!(
            status(&sim, "sts", "x-test: 1", IDENTITY),
            "HTTP/1.1 200 OK"
        );
        assert_eq!(sim.shared().calls().counts().values().sum::<u64>(), 1);
        let address = sim.address;
        drop(sim);
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_ok() {
            assert!(Instant::now() < deadline, "the listener is still there");
        }
    }

    #[test]
    fn rates_are_enforced_and_answers_take_their_time_where_asked() {
        let sim = Sim::start(Options {
            throttle: true,
            latency: true,
            ..Options::default()
        })
        .unwrap();
        let started = Instant::now();
        status(&sim, "sts", "x-test: 1", IDENTITY);
        assert!(started.elapsed() >= Duration::from_millis(42));

        let target = "x-amz-target: AWSOrganizationsV20161128.DescribeOrganization";
        // A bucket of two that fills by one a second: of four calls at once some are refused.
        let answers: Vec<String> = std::thread::scope(|scope| {
            let calls: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| status(&sim, "organizations", target, "{}")))
                .collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        let refused = answers
            .iter()
            .filter(|line| line.contains("400 Bad Request"))
            .count();
        assert!(refused >= 1, "{answers:?}");
        assert!(answers.iter().any(|line| line.contains("200 OK")));
    }
}
