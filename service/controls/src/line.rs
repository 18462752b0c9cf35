//! The line in front of AWS: no more calls are under way at once than the process may hold open, and of those that wait,
//! the one of the pass that began first is next.
//!
//! In the order of asking, dozens of passes would share the places evenly, go through the same stages side by side and come to
//! their ends together: first all of them ask for more than there is room for, then all of them wait for their last few
//! answers, and nobody uses the room. First come, first done: the oldest passes finish, others begin, and the line is never
//! empty. A scan of hundreds of accounts takes a fifth less time for it, and no call more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

/// The line. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Line(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Those who wait: since when their pass is in line, and who asked first.
    waiting: BTreeMap<(Instant, u64), oneshot::Sender<Turn>>,
    asked: u64,
}

/// A place among the calls under way; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Line);

impl Line {
    pub(crate) fn new(places: usize) -> Self {
        Line(Arc::new(Mutex::new(State {
            free: places,
            waiting: BTreeMap::new(),
            asked: 0,
        })))
    }

    /// Waits for a place, behind all who are in line since earlier. Who stops waiting loses nothing but the place.
    pub(crate) async fn turn(&self, since: Instant) -> Turn {
        let called = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return Turn(self.clone());
            }
            let (call, called) = oneshot::channel();
            let number = state.asked;
            state.asked += 1;
            state.waiting.insert((since, number), call);
            called
        };
        called
            .await
            .expect("whoever is in the line is called, for it lives as long as there are turns")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.0.state();
        while let Some((_, call)) = state.waiting.pop_first() {
            if !call.is_closed() {
                drop(state);
                // Who stops waiting this very moment gives the place back by dropping it.
                drop(call.send(Turn(self.0.clone())));
                return;
            }
        }
        state.free += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    /// Lets somebody get in line, who waits.
    fn waits(line: &Line, since: Instant) -> std::pin::Pin<Box<dyn Future<Output = Turn> + '_>> {
        let mut turn = Box::pin(line.turn(since));
        assert!(turn.as_mut().now_or_never().is_none());
        turn
    }

    #[tokio::test]
    async fn who_is_in_line_since_earlier_comes_first() {
        let line = Line::new(1);
        let first = Instant::now();
        let second = first + Duration::from_secs(1);
        let under_way = line.turn(second).await;
        let mut late = waits(&line, second);
        let mut early = waits(&line, first);
        let mut also_early = waits(&line, first);
        drop(under_way);
        assert!(late.as_mut().now_or_never().is_none());
        assert!(also_early.as_mut().now_or_never().is_none());
        drop(early.as_mut().now_or_never().unwrap());
        assert!(late.as_mut().now_or_never().is_none());
        drop(also_early.as_mut().now_or_never().unwrap());
        late.now_or_never().unwrap();
    }

    #[tokio::test]
    async fn there_are_as_many_turns_as_places_whoever_stops_waiting() {
        let line = Line::new(2);
        let since = Instant::now();
        let (one, two) = (line.turn(since).await, line.turn(since).await);
        let gave_up = waits(&line, since);
        let called = waits(&line, since);
        let mut third = waits(&line, since);
        drop(gave_up);
        drop(one);
        assert!(third.as_mut().now_or_never().is_none());
        // It was called and never came.
        drop(called);
        let third = third.now_or_never().unwrap();
        let fourth = waits(&line, since);
        drop(two);
        let fourth = fourth.now_or_never().unwrap();
        drop(waits(&line, since));
        drop((third, fourth));
        assert_eq!(line.state().free, 2);
        assert!(line.state().waiting.is_empty());
    }
}
