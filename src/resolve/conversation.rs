//! Flows of one conversation: both directions, at every interface that saw it.

use super::ends::{End, Placed, Placer, Vantage};
use crate::flow::FlowTable;
use crate::net::{Protocol, Service};

/// An end and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Socket {
    pub(super) end: End,
    pub(super) port: u16,
}

/// The unordered pair of sockets that all rows of a conversation share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pair {
    pub(super) a: Socket,
    pub(super) b: Socket,
    pub(super) protocol: Protocol,
}

impl Pair {
    /// The side's own socket.
    pub(super) const fn socket(&self, side: Side) -> Socket {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }

    /// What `side` offers if it is the responder.
    pub(super) const fn service(&self, side: Side) -> Service {
        Service::new(self.protocol, self.socket(side).port)
    }
}

/// One of the two sockets of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    A,
    B,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(super) const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// One flow's part in a conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Position in the flow table.
    pub(super) flow: usize,
    pub(super) sender: Side,
    pub(super) vantage: Vantage,
}

/// A conversation with its parts.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) pair: Pair,
    pub(super) parts: Vec<Part>,
}

/// Every conversation, in the order of their pairs.
pub(super) fn conversations(table: &FlowTable, placer: &Placer<'_>) -> Vec<Conversation> {
    let mut parts: Vec<(Pair, Part)> = table
        .flows
        .iter()
        .enumerate()
        .map(|(position, flow)| {
            let Placed { src, dst, vantage } = placer.place(flow);
            let sender = Socket {
                end: src,
                port: flow.key.src_port,
            };
            let receiver = Socket {
                end: dst,
                port: flow.key.dst_port,
            };
            let (a, b, side) = if sender <= receiver {
                (sender, receiver, Side::A)
            } else {
                (receiver, sender, Side::B)
            };
            let pair = Pair {
                a,
                b,
                protocol: flow.key.protocol,
            };
            (
                pair,
                Part {
                    flow: position,
                    sender: side,
                    vantage,
                },
            )
        })
        .collect();
    parts.sort_unstable_by_key(|(pair, part)| (*pair, part.flow));
    parts
        .chunk_by(|(a, _), (b, _)| a == b)
        .map(|chunk| Conversation {
            pair: chunk[0].0,
            parts: chunk.iter().map(|&(_, part)| part).collect(),
        })
        .collect()
}
