//! Parquet pages that are compressed with gzip, as AWS's are. The parquet crate cannot use libdeflate, which is 1.75 times as
//! fast as zlib-rs (`benches/README.md`). So gzip columns are marked uncompressed, and their pages are inflated here.

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::SerializedPageReader;

use super::container::{WHOLE_UP_TO, gunzip_whole};
use super::thrift::Walked;

/// The columns of a row group.
pub(super) struct Chunks {
    pub(super) file: Arc<Walked>,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) group: usize,
}

impl Chunks {
    pub(super) fn of_group(&self) -> &RowGroupMetaData {
        self.metadata.row_group(self.group)
    }

    /// The pages of a column.
    pub(super) fn pages(&self, column: usize) -> Result<Box<dyn PageReader>, ParquetError> {
        let column = self.of_group().column(column);
        let rows = usize::try_from(self.of_group().num_rows())?;
        let read = |column| SerializedPageReader::new(Arc::clone(&self.file), column, rows, None);
        if !matches!(column.compression(), Compression::GZIP(_)) {
            return Ok(Box::new(read(column)?));
        }
        let as_it_is = column.clone().into_builder();
        let as_it_is = as_it_is
            .set_compression(Compression::UNCOMPRESSED)
            .build()?;
        Ok(Box::new(Gzip {
            pages: read(&as_it_is)?,
            text: Vec::new(),
        }))
    }
}

impl RowGroups for Chunks {
    fn num_rows(&self) -> usize {
        usize::try_from(self.of_group().num_rows()).unwrap_or_default()
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>, ParquetError> {
        Ok(Box::new(Only(Some(self.pages(column)?))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.of_group()))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// A column of one row group.
struct Only(Option<Box<dyn PageReader>>);

impl Iterator for Only {
    type Item = Result<Box<dyn PageReader>, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for Only {}

/// Pages whose bytes are still compressed.
struct Gzip {
    pages: SerializedPageReader<Walked>,
    /// Where they are decompressed to, one after the other.
    text: Vec<u8>,
}

impl Gzip {
    fn decompressed(&mut self, mut page: Page) -> Result<Page, ParquetError> {
        match &mut page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = Bytes::copy_from_slice(gunzip(buf, &mut self.text)?);
            }
            Page::DataPageV2 {
                buf,
                def_levels_byte_len,
                rep_levels_byte_len,
                is_compressed,
                ..
            } if *is_compressed => {
                // Levels come first, and never compressed.
                let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                let levels = usize::try_from(levels).ok();
                let halves = levels.and_then(|levels| buf.split_at_checked(levels));
                let (levels, values) = halves.ok_or_else(damaged)?;
                *buf = [levels, gunzip(values, &mut self.text)?].concat().into();
                *is_compressed = false;
            }
            Page::DataPageV2 { .. } => {}
        }
        Ok(page)
    }
}

/// What was compressed; `text` is where it goes, and may be used again.
fn gunzip<'t>(compressed: &[u8], text: &'t mut Vec<u8>) -> Result<&'t [u8], ParquetError> {
    // A page without values has none to compress.
    if compressed.is_empty() {
        return Ok(&[]);
    }
    let whole = gunzip_whole(compressed, text).map(<[u8]>::len);
    if let Some(length) = whole {
        return Ok(&text[..length]);
    }
    text.clear();
    let read = MultiGzDecoder::new(compressed)
        .take(WHOLE_UP_TO)
        .read_to_end(text);
    read.map(|_| text.as_slice())
        .map_err(|error| ParquetError::General(error.to_string()))
}

fn damaged() -> ParquetError {
    ParquetError::General("a page is damaged".to_owned())
}

impl Iterator for Gzip {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Gzip {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        let page = self.pages.get_next_page()?;
        page.map(|page| self.decompressed(page)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.pages.skip_next_page()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::gunzip;

    proptest! {
        /// Whatever was there before, and however many members it has; what is damaged is refused.
        #[test]
        fn pages_are_what_was_compressed(
            members in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4),
            cut in 1usize..9,
            before in 0usize..900,
        ) {
            let mut compressed = Vec::new();
            for member in &members {
                let mut encoder = GzEncoder::new(&mut compressed, Compression::default());
                encoder.write_all(member).unwrap();
                encoder.finish().unwrap();
            }
            let mut text = vec![7; before];
            prop_assert_eq!(gunzip(&compressed, &mut text).unwrap(), members.concat());
            compressed.truncate(compressed.len() - cut);
            prop_assert!(gunzip(&compressed, &mut text).is_err());
        }
    }
}
