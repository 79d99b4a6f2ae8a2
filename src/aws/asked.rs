//! What a question to an engine costs.

use crate::net::thousands;

/// How far an engine has come with a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked {
    /// Nothing was asked yet.
    Before {
        /// How many queries there will be.
        queries: usize,
        /// Bytes that they will scan at most, if that can be told.
        bytes: Option<u64>,
        /// US dollars for a terabyte.
        price: f64,
    },
    /// So much was scanned so far.
    Scanned {
        /// Bytes.
        bytes: u64,
        /// US dollars for a terabyte.
        price: f64,
    },
}

impl Asked {
    /// In words.
    pub fn describe(&self) -> String {
        match *self {
            Self::Before {
                queries,
                bytes: Some(bytes),
                price,
            } => {
                format!("{} over at most {}", count(queries), scan(bytes, price))
            }
            Self::Before {
                queries,
                bytes: None,
                price,
            } => {
                format!(
                    "{} over logs that can't be listed from here, at ${price} per terabyte",
                    count(queries)
                )
            }
            Self::Scanned { bytes, price } => format!("scanned {}", scan(bytes, price)),
        }
    }
}

fn count(queries: usize) -> String {
    match queries {
        1 => "1 query".to_owned(),
        several => format!("{} queries", thousands(several as u64)),
    }
}

fn scan(bytes: u64, price: f64) -> String {
    const TERABYTE: f64 = 1e12;
    #[expect(clippy::cast_precision_loss, reason = "for reading")]
    let bytes = bytes as f64;
    let dollars = bytes / TERABYTE * price;
    format!(
        "{:.3} GB, about ${dollars:.4} at ${price} per terabyte",
        bytes / 1e9
    )
}
