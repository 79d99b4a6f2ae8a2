//! Flows of one conversation: both directions, at every interface that saw it.

use rayon::prelude::*;

use super::ends::{End, Placed, Placer, Vantage};
use crate::flow::{Dropped, FlowKey, FlowTable, Ports};
use crate::net::{Protocol, Service};

/// An end and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Socket {
    pub(super) end: End,
    /// The port; where it stands for several, the smallest of them.
    pub(super) port: u16,
    /// Whether it stands for several (see [`crate::flow::Dropped`]).
    pub(super) several: bool,
}

impl Socket {
    const fn new(end: End, port: u16, several: bool) -> Self {
        Self { end, port, several }
    }

    /// The same end with one port.
    pub(super) const fn at(self, port: u16) -> Self {
        Self::new(self.end, port, false)
    }
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

/// A conversation with its parts, or several between the same ends of which one port
/// differs.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) pair: Pair,
    pub(super) parts: Vec<Part>,
    /// The ports of the side whose port stands for several.
    pub(super) ports: Ports,
}

impl Conversation {
    /// The sockets of a side: one, or as many as are known of several.
    pub(super) fn sockets(&self, side: Side) -> impl Iterator<Item = Socket> + '_ {
        let socket = self.pair.socket(side);
        let several = if socket.several {
            self.ports.known()
        } else {
            &[]
        };
        let single = (!socket.several).then_some(socket);
        single
            .into_iter()
            .chain(several.iter().map(move |&port| socket.at(port)))
    }

    /// How many conversations these are, at least.
    pub(super) fn count(&self) -> u32 {
        self.ports.at_least().max(1)
    }
}

/// Every conversation, in the order of their pairs.
pub(super) fn conversations(table: &FlowTable, placer: &Placer<'_>) -> Vec<Conversation> {
    let mut parts: Vec<(Pair, Part)> = table
        .flows
        .par_iter()
        .enumerate()
        .map(|(position, flow)| {
            let Placed { src, dst, vantage } = placer.place(flow);
            let FlowKey {
                src_port,
                dst_port,
                dropped,
                ..
            } = flow.key;
            let sender = Socket::new(src, src_port, dropped == Dropped::Src);
            let receiver = Socket::new(dst, dst_port, dropped == Dropped::Dst);
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
    parts.par_sort_unstable_by_key(|(pair, part)| (*pair, part.flow));
    parts
        .par_chunk_by(|(a, _), (b, _)| a == b)
        .map(|chunk| {
            let mut pair = chunk[0].0;
            let mut ports = Ports::default();
            for (_, part) in chunk {
                ports.join(&table.flows[part.flow].counters.dropped);
            }
            for socket in [&mut pair.a, &mut pair.b] {
                if socket.several {
                    socket.port = ports.known().first().copied().unwrap_or_default();
                }
            }
            Conversation {
                pair,
                parts: chunk.iter().map(|&(_, part)| part).collect(),
                ports,
            }
        })
        .collect()
}
