//! The elements of JSON, told apart before they are parsed, so that one that can't be read costs no other.
//!
//! What is looked for: objects that hold no list of others, and texts, in lists or one after the other. Where they end
//! is told by brackets and quotes alone, without recursion. After a fault the next element is looked for: an
//! object or a list behind a comma, behind a bracket or at the beginning of a line. It can't be found inside a text:
//! the quotes of an object there are escaped, which no object is. Held are a chunk of the input and one element.

use std::io::{self, Read};

use memchr::{memchr_iter, memchr3};

use super::damage::goes_on;
use super::row::{BadLine, LONGEST_LINE};
use crate::net::{plural, thousands};

/// Keys whose lists hold the items, wherever they stand.
const LISTS: &[&str] = &["events", "logEvents", "Records", "records", "results"];

const CHUNK: usize = 64 << 10;

/// How deep lists of elements may lie in one another.
const DEEPEST: usize = 128;

/// What is found.
pub(super) enum JsonEvent<'e> {
    /// A list begins.
    List,
    /// The list that began last ends.
    ListEnd,
    /// An object or a text.
    Element(&'e [u8]),
    /// Neither, and why.
    Bad(String),
    /// The same, and which lists it was in is not known any more.
    Lost(String),
    /// Reading failed.
    Failed(io::Error),
}

/// Where an element begins: the line, from 1, and the byte, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextPosition {
    pub(super) line: u64,
    pub(super) byte: u64,
}

/// Hands out what is found, one after the other.
pub(super) fn each(reader: impl Read, mut take: impl FnMut(TextPosition, JsonEvent<'_>)) {
    let mut scan = Scan {
        input: Input {
            reader,
            chunk: Vec::new(),
            at: 0,
            passed: 0,
            line: 1,
            before: b'\n',
            name: Vec::new(),
            held: Vec::new(),
            is_held: false,
            is_too_long: false,
        },
        open: Vec::new(),
        begin: TextPosition { line: 1, byte: 1 },
        is_lost: false,
    };
    loop {
        let fault = match scan.element(&mut take) {
            Ok(true) => continue,
            Ok(false) => return,
            Err(fault) => fault,
        };
        scan.input.is_held = false;
        scan.open.clear();
        scan.is_lost = true;
        let (place, here) = (scan.begin, scan.input.place().byte);
        match fault {
            Fault::Found(what, byte) => {
                let byte = byte.unwrap_or(here);
                let (at, begin) = (thousands(byte), thousands(place.byte));
                let reason = if byte == place.byte {
                    format!("{what} at byte {at}")
                } else {
                    format!("{what} at byte {at}, in what begins at byte {begin}")
                };
                take(place, JsonEvent::Lost(reason));
            }
            Fault::End => {
                let end = plural(here - 1, "byte");
                let reason = if place.byte < here {
                    let begin = thousands(place.byte);
                    format!("the JSON ends after {end}, inside what begins at byte {begin}")
                } else {
                    format!("the JSON ends after {end}, before its last bracket")
                };
                take(place, JsonEvent::Lost(reason));
                return;
            }
            Fault::Read(error) => {
                let goes_on = goes_on(&error);
                take(place, JsonEvent::Failed(error));
                if !goes_on {
                    return;
                }
                // What lies behind a hole may begin with an element.
                scan.input.before = b'\n';
            }
        }
        if !scan.find(&mut take) {
            return;
        }
    }
}

/// Why an element does not end.
enum Fault {
    /// What, and at which byte, if it is not the next.
    Found(&'static str, Option<u64>),
    End,
    Read(io::Error),
}

/// What an element is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    List,
    /// A list that was found after a fault: perhaps only part of an element.
    DoubtfulList,
    /// An object that holds lists.
    Object,
}

struct Scan<R> {
    input: Input<R>,
    open: Vec<Open>,
    /// Where the element begins that is being read.
    begin: TextPosition,
    /// Brackets of what began before a fault may follow.
    is_lost: bool,
}

impl<R: Read> Scan<R> {
    /// Reads on to the end of an element, or of what holds some; says whether anything was left.
    fn element(
        &mut self,
        take: &mut impl FnMut(TextPosition, JsonEvent<'_>),
    ) -> Result<bool, Fault> {
        self.input.pass_space()?;
        let place = self.input.place();
        self.begin = place;
        let Some(byte) = self.input.peek()? else {
            return match self.open[..] {
                [] => Ok(false),
                _ => Err(Fault::End),
            };
        };
        if self.open.last() == Some(&Open::Object) {
            return self.object(true, place, take).map(|()| true);
        }
        match byte {
            b',' => self.input.pass(1),
            b'{' => self.object(false, place, take)?,
            b'[' => self.list(Open::List, place, take)?,
            b']' if self.open.pop().is_some() => {
                self.input.pass(1);
                take(place, JsonEvent::ListEnd);
            }
            b']' | b'}' if self.is_lost => self.input.pass(1),
            b'"' => {
                self.input.hold();
                self.input.text()?;
                if self.open.last() != Some(&Open::DoubtfulList) {
                    self.input.hand_out(place, take);
                }
                self.input.is_held = false;
            }
            _ => {
                self.input.hold();
                if self.input.word()? == 0 {
                    return Err(Fault::Found("not JSON", None));
                }
                self.input.is_held = false;
                let word = &self.input.held;
                if word == b"null" {
                    return Ok(true);
                }
                let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(word).is_ok();
                if !is_json && self.open.is_empty() {
                    return Err(Fault::Found("not JSON", Some(place.byte)));
                }
                let what = "a number or a word where a record should be".to_owned();
                take(place, JsonEvent::Bad(what));
            }
        }
        Ok(true)
    }

    fn list(
        &mut self,
        open: Open,
        place: TextPosition,
        take: &mut impl FnMut(TextPosition, JsonEvent<'_>),
    ) -> Result<(), Fault> {
        if self.open.len() >= DEEPEST {
            // All that are deeper are one fault.
            while self.input.peek()? == Some(b'[') {
                self.input.pass(1);
            }
            return Err(Fault::Found("lists in lists, too deep", None));
        }
        self.input.pass(1);
        self.open.push(open);
        take(place, JsonEvent::List);
        Ok(())
    }

    /// Reads an object to its end, or to the value that is a list of elements; `goes_on` behind such a value.
    fn object(
        &mut self,
        goes_on: bool,
        place: TextPosition,
        take: &mut impl FnMut(TextPosition, JsonEvent<'_>),
    ) -> Result<(), Fault> {
        let input = &mut self.input;
        if !goes_on {
            input.hold();
            input.pass(1);
        }
        let (mut depth, mut has_list) = (1_u64, goes_on);
        // What may come next: behind a value no other begins.
        let (mut is_behind, mut is_key, mut holds_elements) = (goes_on, true, false);
        loop {
            input.pass_space()?;
            let byte = input.peek()?.ok_or(Fault::End)?;
            match byte {
                b',' | b':' if !is_behind => return Err(Fault::Found("a value is missing", None)),
                b',' => {
                    is_behind = false;
                    is_key = true;
                    input.pass(1);
                }
                b':' => {
                    is_behind = false;
                    is_key = false;
                    input.pass(1);
                }
                b'}' | b']' => {
                    depth -= 1;
                    is_behind = true;
                    input.pass(1);
                    if depth == 0 {
                        break;
                    }
                }
                _ if is_behind => return Err(Fault::Found("no comma behind a value", None)),
                b'{' | b'[' if depth == 1 && holds_elements && !is_key => {
                    input.is_held = false;
                    if !goes_on {
                        if self.open.len() >= DEEPEST {
                            return Err(Fault::Found("objects in objects, too deep", None));
                        }
                        self.open.push(Open::Object);
                    }
                    return self.elements(byte, take);
                }
                b'{' | b'[' => {
                    depth += 1;
                    input.pass(1);
                }
                b'"' => {
                    input.text()?;
                    is_behind = true;
                    if depth == 1 && is_key {
                        holds_elements = LISTS.iter().any(|list| list.as_bytes() == input.name);
                    }
                }
                _ => {
                    let is_null = byte == b'n';
                    if input.word()? == 0 {
                        return Err(Fault::Found("not JSON", None));
                    }
                    is_behind = true;
                    has_list |= is_null && depth == 1 && holds_elements;
                }
            }
        }
        if goes_on {
            self.open.pop();
        } else if !has_list {
            input.hand_out(place, take);
        }
        input.is_held = false;
        Ok(())
    }

    /// Begins the value of an object that holds elements.
    fn elements(
        &mut self,
        first: u8,
        take: &mut impl FnMut(TextPosition, JsonEvent<'_>),
    ) -> Result<(), Fault> {
        let place = self.input.place();
        match first {
            b'[' => self.list(Open::List, place, take),
            _ => self.object(false, place, take),
        }
    }

    /// Goes on to where an element may begin, and opens the list that it may be; says whether there is such a place.
    fn find(&mut self, take: &mut impl FnMut(TextPosition, JsonEvent<'_>)) -> bool {
        loop {
            let byte = match self.input.peek() {
                Ok(Some(byte)) => byte,
                Err(Fault::Read(error)) => {
                    let goes_on = goes_on(&error);
                    take(self.input.place(), JsonEvent::Failed(error));
                    if !goes_on {
                        return false;
                    }
                    self.input.before = b'\n';
                    continue;
                }
                Ok(None) | Err(_) => return false,
            };
            let before = self.input.before;
            let may_begin = matches!(before, b',' | b'}' | b']' | b'[' | b'\n');
            match byte {
                b'{' if may_begin => return true,
                b'[' if may_begin => {
                    let place = self.input.place();
                    return self.list(Open::DoubtfulList, place, take).is_ok();
                }
                b'"' if before == b'\n' => return true,
                _ => self.input.pass(1),
            }
        }
    }
}

/// The bytes, as they come.
struct Input<R> {
    reader: R,
    chunk: Vec<u8>,
    /// The next byte in the chunk.
    at: usize,
    /// Bytes before the chunk.
    passed: u64,
    line: u64,
    /// The last byte that was passed and is no blank.
    before: u8,
    /// What the last text began with.
    name: Vec<u8>,
    /// The element, as far as it was read.
    held: Vec<u8>,
    is_held: bool,
    is_too_long: bool,
}

impl<R: Read> Input<R> {
    const fn place(&self) -> TextPosition {
        TextPosition {
            line: self.line,
            byte: self.passed + self.at as u64 + 1,
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, Fault> {
        if let Some(&byte) = self.chunk.get(self.at) {
            return Ok(Some(byte));
        }
        self.passed += self.chunk.len() as u64;
        self.chunk.clear();
        self.at = 0;
        self.chunk.resize(CHUNK, 0);
        let count = loop {
            match self.reader.read(&mut self.chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.chunk.truncate(*count.as_ref().unwrap_or(&0));
        count.map_err(Fault::Read)?;
        Ok(self.chunk.first().copied())
    }

    /// Begins to hold an element.
    fn hold(&mut self) {
        self.held.clear();
        self.is_held = true;
        self.is_too_long = false;
    }

    /// Passes so many bytes of the chunk.
    fn pass(&mut self, count: usize) {
        let bytes = &self.chunk[self.at..self.at + count];
        if let [byte] = bytes {
            self.line += u64::from(*byte == b'\n');
        } else {
            self.line += memchr_iter(b'\n', bytes).count() as u64;
        }
        if let Some(last) = bytes.last().filter(|last| !b" \t\r".contains(last)) {
            self.before = *last;
        }
        if self.is_held {
            if self.held.len() + count <= LONGEST_LINE {
                self.held.extend_from_slice(bytes);
            } else {
                self.is_too_long = true;
            }
        }
        self.at += count;
    }

    fn pass_space(&mut self) -> Result<(), Fault> {
        self.pass_while(|byte| matches!(byte, b' ' | b'\n' | b'\t' | b'\r'))?;
        Ok(())
    }

    /// Passes bytes of a kind, and says how many.
    fn pass_while(&mut self, is_one: impl Fn(u8) -> bool) -> Result<usize, Fault> {
        let mut length = 0;
        while self.peek()?.is_some_and(&is_one) {
            let rest = &self.chunk[self.at..];
            let run = rest.iter().position(|&byte| !is_one(byte));
            let run = run.unwrap_or(rest.len());
            self.pass(run);
            length += run;
        }
        Ok(length)
    }

    /// Passes a text in quotes, and remembers how it begins.
    fn text(&mut self) -> Result<(), Fault> {
        const NAME: usize = 32;
        self.pass(1);
        self.name.clear();
        loop {
            self.peek()?.ok_or(Fault::End)?;
            let rest = &self.chunk[self.at..];
            let stop = memchr3(b'"', b'\\', b'\n', rest);
            let run = stop.unwrap_or(rest.len());
            let more = run.min(NAME - self.name.len());
            self.name.extend_from_slice(&rest[..more]);
            self.pass(run);
            if stop.is_none() {
                continue;
            }
            match self.peek()? {
                Some(b'\n') => return Err(Fault::Found("a text does not end in its line", None)),
                Some(b'"') => break,
                _ => self.pass(1),
            }
            // What is escaped ends no text.
            match self.peek()?.ok_or(Fault::End)? {
                b'\n' => return Err(Fault::Found("a text does not end in its line", None)),
                _ => self.pass(1),
            }
        }
        self.pass(1);
        Ok(())
    }

    /// Passes a number or a word, and says how long it is.
    fn word(&mut self) -> Result<usize, Fault> {
        self.pass_while(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_')
        })
    }

    /// Hands out the element that is held.
    fn hand_out(&self, place: TextPosition, take: &mut impl FnMut(TextPosition, JsonEvent<'_>)) {
        if self.is_too_long {
            take(place, JsonEvent::Bad(BadLine::TooLong.to_string()));
        } else {
            take(place, JsonEvent::Element(&self.held));
        }
    }
}
