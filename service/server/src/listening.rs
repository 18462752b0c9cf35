//! The socket: connections come in, requests go to the router, and at the end everybody may finish.
//!
//! axum's own server waits for a request's head for as long as a client likes to send it, so that a thousand clients that
//! never end theirs keep everybody else out. This one sets hyper's limit, and is otherwise the same.

use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a client may take for a request's head, and a connection rest between two requests.
pub const HEAD: Duration = Duration::from_secs(30);

/// Serves until `shutdown`, and returns when the requests under way have their answers. A connection on which no request's
/// head is complete within `head` is closed.
pub async fn serve(
    mut listener: TcpListener,
    router: Router,
    head: Duration,
    shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    loop {
        // Where no more files may be open it waits a moment and tries again.
        let (stream, _) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = shutdown.cancelled() => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let shutdown = shutdown.clone();
        connections.spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(head)
                .serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn who_does_not_end_a_head_is_shown_out_and_others_are_served() {
        const SHORT: Duration = Duration::from_millis(200);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let router = Router::new().route("/", get(|| async { "here" }));
        let server = tokio::spawn(serve(listener, router, SHORT, shutdown.clone()));

        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost: a").await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(SHORT * 50, slow.read_to_end(&mut answer));
        ended.await.expect("the connection is closed").unwrap();

        let mut quick = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        quick.write_all(request).await.unwrap();
        let mut answer = [0; 512];
        let read = quick.read(&mut answer).await.unwrap();
        assert!(answer[..read].ends_with(b"here"));

        shutdown.cancel();
        tokio::time::timeout(SHORT * 50, server)
            .await
            .expect("the server ends with its connections")
            .unwrap();
    }
}
