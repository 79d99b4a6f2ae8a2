//! Flow logs and trail files where they were delivered: objects in S3, read without touching the disk.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Object, RequestPayer};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::account::{Account, CallError};
use super::layout::{Day, KeyFilter, Selection};
use super::read_ahead::{self, Fetch, Label, Pieces};
use crate::ingest::Source;

/// Bytes of an object that are asked for at a time.
const PART: u64 = 8 << 20;

/// Parts of one object under way at a time.
const PARTS_AT_ONCE: usize = 3;

/// Listings under way at a time.
const LISTINGS_AT_ONCE: usize = 16;

/// Attempts at a body that breaks off; the SDK repeats only what fails before it begins.
const ATTEMPTS: u32 = 6;

/// The objects behind `s3://bucket/prefix`, as sources in the order of their names.
pub fn objects(
    account: &Account,
    url: &str,
    selection: &Selection,
) -> Result<Vec<Source>, CallError> {
    let (bucket, prefix) = parts(url)?;
    account.wait(async {
        let bucket = Bucket {
            client: client(account, bucket).await?,
            name: bucket.to_owned(),
            payer: selection.requester_pays.then_some(RequestPayer::Requester),
        };
        let mut found = bucket.list(prefix, selection).await?;
        // In the order in which they will be read: by time, then by name.
        found.sort_by_cached_key(|object| {
            let key = object.key().unwrap_or_default();
            (crate::ingest::slot(key).map(str::to_owned), key.to_owned())
        });
        let labels = found.iter().map(|object| Label {
            name: format!("s3://{}/{}", bucket.name, object.key().unwrap_or_default()),
            size: size(object),
            identity: object.e_tag().unwrap_or_default().to_owned(),
        });
        Ok(read_ahead::sources(
            account,
            labels.collect(),
            Objects {
                bucket,
                objects: found,
            },
        ))
    })
}

/// The content of everything below `s3://bucket/prefix`.
pub(super) async fn contents(account: &Account, url: &str) -> Result<Vec<Vec<u8>>, CallError> {
    let (bucket, prefix) = parts(url)?;
    let bucket = Bucket {
        client: client(account, bucket).await?,
        name: bucket.to_owned(),
        payer: None,
    };
    let mut contents = Vec::new();
    for object in bucket.list(prefix, &Selection::default()).await? {
        let mut content = Vec::new();
        let size = size(&object);
        for part in 0..size.div_ceil(PART) {
            let from = part * PART;
            content.extend(bucket.part(&object, from, PART.min(size - from)).await?);
        }
        contents.push(content);
    }
    Ok(contents)
}

/// Bucket and prefix.
fn parts(url: &str) -> Result<(&str, &str), CallError> {
    url.strip_prefix("s3://")
        .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
        .filter(|(bucket, _)| !bucket.is_empty())
        .ok_or_else(|| {
            CallError::other(
                "ListObjectsV2",
                format!("`{url}` is not s3://bucket/prefix"),
            )
        })
}

fn size(object: &Object) -> u64 {
    object
        .size()
        .and_then(|size| u64::try_from(size).ok())
        .unwrap_or(0)
}

/// A client for the bucket's own region.
async fn client(account: &Account, bucket: &str) -> Result<Client, CallError> {
    // Buckets of other servers than AWS's have no host of their own.
    let by_path = account.has_endpoint("S3");
    let make = |config: &aws_config::SdkConfig| {
        let config = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(by_path)
            .build();
        Client::from_conf(config)
    };
    let client = make(&account.config);
    if by_path {
        return Ok(client);
    }
    // The answer to a request in the wrong region names the right one, whether or not the caller
    // may make it.
    let region = match client.head_bucket().bucket(bucket).send().await {
        Ok(said) => said.bucket_region,
        Err(error) => error
            .raw_response()
            .and_then(|answer| answer.headers().get("x-amz-bucket-region"))
            .map(str::to_owned),
    };
    Ok(match region {
        Some(region) if Some(region.as_str()) != account.region() => {
            make(&account.in_region(&region))
        }
        _ => client,
    })
}

/// A bucket and who pays.
#[derive(Clone, Debug)]
struct Bucket {
    client: Client,
    name: String,
    payer: Option<RequestPayer>,
}

impl Bucket {
    /// Goes down the prefixes, and never into one that holds nothing that is wanted.
    async fn list(&self, prefix: &str, selection: &Selection) -> Result<Vec<Object>, CallError> {
        let wanted = Arc::new(KeyFilter::new(selection));
        let at_once = Arc::new(Semaphore::new(LISTINGS_AT_ONCE));
        let mut found = Vec::new();
        let mut tasks = JoinSet::new();
        let start = |tasks: &mut JoinSet<_>, prefix: String| {
            let (bucket, at_once) = (self.clone(), Arc::clone(&at_once));
            tasks.spawn(async move {
                let _permit = at_once.acquire_owned().await;
                bucket.level(&prefix).await
            });
        };
        start(&mut tasks, prefix.to_owned());
        while let Some(done) = tasks.join_next().await {
            let (objects, prefixes) =
                done.map_err(|error| CallError::other("ListObjectsV2", error.to_string()))??;
            found.extend(objects.into_iter().filter(|object| {
                size(object) > 0 && object.key().is_some_and(|key| wanted.object(key))
            }));
            for prefix in prefixes {
                if wanted.prefix(&prefix) {
                    start(&mut tasks, prefix);
                }
            }
        }
        Ok(found)
    }

    /// The objects and prefixes right below a prefix; below a day everything at once.
    async fn level(&self, prefix: &str) -> Result<(Vec<Object>, Vec<String>), CallError> {
        let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
        let mut token = None;
        loop {
            let ask = self
                .client
                .list_objects_v2()
                .bucket(&self.name)
                .prefix(prefix);
            let said = ask
                .set_request_payer(self.payer.clone())
                .set_delimiter(Day::of(prefix).is_none().then(|| "/".to_owned()))
                .set_continuation_token(token)
                .send()
                .await
                .map_err(|error| CallError::new("ListObjectsV2", &error))?;
            objects.extend(said.contents.unwrap_or_default());
            prefixes.extend(
                said.common_prefixes
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|p| p.prefix),
            );
            token = said.next_continuation_token;
            if token.is_none() {
                return Ok((objects, prefixes));
            }
        }
    }

    /// A part of an object as it was when it was listed.
    async fn part(&self, object: &Object, from: u64, length: u64) -> Result<Bytes, CallError> {
        const OPERATION: &str = "GetObject";
        let mut attempt = 0;
        loop {
            attempt += 1;
            let said = self
                .client
                .get_object()
                .bucket(&self.name)
                .key(object.key().unwrap_or_default())
                .set_if_match(object.e_tag().map(str::to_owned))
                .set_request_payer(self.payer.clone())
                .range(format!("bytes={from}-{}", from + length - 1))
                .send()
                .await
                .map_err(|error| CallError::new(OPERATION, &error))?;
            let reason = match said.body.collect().await {
                Ok(body) => {
                    let body = body.into_bytes();
                    if body.len() as u64 == length {
                        return Ok(body);
                    }
                    format!("{} of {length} bytes came", body.len())
                }
                Err(error) => error.to_string(),
            };
            if attempt == ATTEMPTS {
                let key = object.key().unwrap_or_default();
                return Err(CallError::other(
                    OPERATION,
                    format!("s3://{}/{key}: {reason}", self.name),
                ));
            }
            tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
        }
    }
}

/// Objects in the order in which they will be read.
#[derive(Debug)]
struct Objects {
    bucket: Bucket,
    objects: Vec<Object>,
}

impl Fetch for Objects {
    async fn fetch(self: &Arc<Self>, position: usize, to: &Pieces) -> Result<(), CallError> {
        let size = size(&self.objects[position]);
        let parts = (0..size.div_ceil(PART)).map(|part| {
            let this = Arc::clone(self);
            async move {
                let from = part * PART;
                this.bucket
                    .part(&this.objects[position], from, PART.min(size - from))
                    .await
            }
        });
        let mut parts = stream::iter(parts).buffered(PARTS_AT_ONCE);
        while let Some(part) = parts.next().await {
            if !to.send(part?).await {
                break;
            }
        }
        Ok(())
    }
}

/// Makes each call for as little as it can give: one key, the bucket, one byte of an object. What each says, by operation.
pub(super) async fn ask_little(
    account: &Account,
    url: &str,
) -> Vec<(&'static str, Result<(), CallError>)> {
    const OPERATIONS: [&str; 3] = ["ListObjectsV2", "HeadBucket", "GetObject"];
    let whole = async {
        let (bucket, prefix) = parts(url)?;
        Ok::<_, CallError>((client(account, bucket).await?, bucket, prefix))
    };
    let (client, bucket, prefix) = match whole.await {
        Ok(parts) => parts,
        Err(error) => return OPERATIONS.map(|name| (name, Err(error.clone()))).to_vec(),
    };
    let list = client.list_objects_v2().bucket(bucket).prefix(prefix);
    let listed = list.max_keys(1).send().await;
    let listed = listed.map_err(|error| CallError::new(OPERATIONS[0], &error));
    let found = listed.as_ref().ok();
    let object = match found.and_then(|said| said.contents().first()?.key()) {
        Some(key) => {
            let byte = client.get_object().bucket(bucket).key(key);
            let said = byte.range("bytes=0-0").send().await.map(drop);
            said.map_err(|error| CallError::new(OPERATIONS[2], &error))
        }
        None => Err(CallError::other(
            OPERATIONS[2],
            "not asked: there is no object to ask about",
        )),
    };
    let head = client.head_bucket().bucket(bucket).send().await;
    let head = head.map(drop).map_err(|error| {
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let mut said = CallError::new(OPERATIONS[1], &error);
        // An answer to HEAD has no body, and so no code.
        if status == Some(403) {
            said.code = Some("Forbidden".to_owned());
        }
        said
    });
    let said = [listed.map(drop), head, object];
    OPERATIONS.into_iter().zip(said).collect()
}
