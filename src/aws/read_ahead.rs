//! Read-ahead: while one object is read, the next ones are fetched.
//!
//! A request takes tens of milliseconds, longer than reading what it brings. So the objects that will be read next are
//! requested early. Their number and the pieces that wait are bounded, and with them the memory.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::account::{Account, CallError};
use crate::ingest::{Remote, Source};

/// A piece of content, or why there is no more.
type Piece = Result<Bytes, CallError>;

/// Objects that are requested before they are read.
const AHEAD: usize = 16;

/// Pieces of each that wait to be read.
const WAITING: usize = 1;

/// Fetches an object's content, piece by piece.
pub(super) trait Fetch: std::fmt::Debug + Send + Sync + 'static {
    /// Fetches the object at a position, until its reader wants no more.
    fn fetch(
        self: &Arc<Self>,
        position: usize,
        to: &Pieces,
    ) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// Where pieces go.
pub(super) struct Pieces(Sender<Piece>);

impl Pieces {
    /// Sends a piece; says whether the reader wants more.
    pub(super) async fn send(&self, piece: Bytes) -> bool {
        // An empty one would be the end.
        piece.is_empty() || self.0.send(Ok(piece)).await.is_ok()
    }
}

/// A source's name, its size if known, and what identifies its content.
pub(super) struct Label {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) identity: String,
}

/// Sources of what `fetch` brings, which are best read in this order.
pub(super) fn sources<F: Fetch>(account: &Account, labels: Vec<Label>, fetch: F) -> Vec<Source> {
    let ahead = Arc::new(ReadAhead {
        account: account.clone(),
        fetch: Arc::new(fetch),
        count: labels.len(),
        state: Mutex::default(),
    });
    let source = |(position, label): (usize, Label)| {
        let Label {
            name,
            size,
            identity,
        } = label;
        let thing = RemoteObject {
            ahead: Arc::clone(&ahead),
            position,
            identity,
        };
        Source::remote(&name, size, Arc::new(thing))
    };
    labels.into_iter().enumerate().map(source).collect()
}

/// Objects in the order in which they will be read.
#[derive(Debug)]
struct ReadAhead<F> {
    /// Its runtime brings them.
    account: Account,
    fetch: Arc<F>,
    count: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Objects before this one were requested.
    next: usize,
    under_way: BTreeMap<usize, Receiver<Piece>>,
    failures: BTreeMap<usize, CallError>,
}

impl<F: Fetch> ReadAhead<F> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The content of an object; the next ones are requested too.
    fn open(&self, position: usize) -> impl Read + '_ {
        let mut state = self.state();
        // Objects that were skipped are not wanted.
        state.under_way = state.under_way.split_off(&position.saturating_sub(AHEAD));
        let until = (position + 1 + AHEAD).min(self.count);
        for next in state.next.max(position)..until {
            let pieces = self.start(next);
            state.under_way.insert(next, pieces);
        }
        state.next = state.next.max(until);
        // A source may be opened twice.
        let pieces = state
            .under_way
            .remove(&position)
            .unwrap_or_else(|| self.start(position));
        state.failures.remove(&position);
        Content {
            ahead: self,
            position,
            pieces,
            rest: Bytes::new(),
            ended: false,
        }
    }

    fn start(&self, position: usize) -> Receiver<Piece> {
        let (to, pieces) = mpsc::channel(WAITING);
        let fetch = Arc::clone(&self.fetch);
        self.account.handle().spawn(async move {
            let to = Pieces(to);
            let end = fetch.fetch(position, &to).await.map(|()| Bytes::new());
            // The reader may be gone.
            let _ = to.0.send(end).await;
        });
        pieces
    }
}

/// One object.
#[derive(Debug)]
struct RemoteObject<F> {
    ahead: Arc<ReadAhead<F>>,
    position: usize,
    identity: String,
}

impl<F: Fetch> Remote for RemoteObject<F> {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.ahead.open(self.position)))
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    fn failure(&self) -> Option<String> {
        let state = self.ahead.state();
        state.failures.get(&self.position).map(ToString::to_string)
    }
}

struct Content<'a, F> {
    ahead: &'a ReadAhead<F>,
    position: usize,
    pieces: Receiver<Piece>,
    /// What is left of the last one.
    rest: Bytes,
    ended: bool,
}

impl<F: Fetch> Read for Content<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() && !self.ended {
            let piece = self.pieces.blocking_recv().unwrap_or_else(|| {
                Err(CallError::other(
                    "reading",
                    "what fetched it ended before it did",
                ))
            });
            match piece {
                Ok(piece) => {
                    self.ended = piece.is_empty();
                    self.rest = piece;
                }
                Err(error) => {
                    self.ended = true;
                    let text = error.to_string();
                    self.ahead.state().failures.insert(self.position, error);
                    return Err(io::Error::other(text));
                }
            }
        }
        let count = buffer.len().min(self.rest.len());
        buffer[..count].copy_from_slice(&self.rest.split_to(count));
        Ok(count)
    }
}
