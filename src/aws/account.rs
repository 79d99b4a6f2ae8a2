//! Who asks: credentials, region and endpoint, from where the AWS CLI takes them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::service_config::ServiceConfigKey;
use tokio::runtime::Runtime;

/// Why AWS did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct CallError {
    /// The operation.
    pub operation: String,
    /// AWS's error code; nothing where AWS was not reached.
    pub code: Option<String>,
    /// What AWS said, or what went wrong on the way; hostile.
    pub message: String,
}

/// Codes by which AWS says that an identity may not make a call (EC2 and common error codes).
const REFUSED: &[&str] = &[
    "UnauthorizedOperation",
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedAccess",
    "AuthFailure",
    "Forbidden",
    // A region that lacks the call, or the resource.
    "InvalidAction",
    "UnsupportedOperation",
    "OptInRequired",
    "UnknownOperationException",
];

/// An error and what caused it, once each.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut said: Vec<String> = causes.map(ToString::to_string).collect();
    said.dedup();
    said.join(": ")
}

impl CallError {
    /// From what the SDK returns.
    pub(super) fn new<E, R>(operation: &str, error: &SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let code = error
            .as_service_error()
            .and_then(|e| e.code())
            .map(str::to_owned);
        let said = error
            .as_service_error()
            .and_then(|e| e.message())
            .map(str::to_owned);
        Self {
            operation: operation.to_owned(),
            message: match (&code, said) {
                (Some(code), Some(said)) => format!("{code}: {said}"),
                (Some(code), None) => code.clone(),
                (None, _) => chain(error),
            },
            code,
        }
    }

    pub(super) fn other(operation: &str, message: impl Into<String>) -> Self {
        Self {
            operation: operation.to_owned(),
            code: None,
            message: message.into(),
        }
    }

    /// Whether it was an answer, and the answer was no: asking again is of no use.
    pub(super) fn is_refusal(&self) -> bool {
        self.code
            .as_deref()
            .is_some_and(|code| REFUSED.contains(&code))
    }
}

/// How to sign in, as far as the environment does not say it.
#[derive(Clone, Debug, Default)]
pub struct SignIn {
    /// A profile of the shared configuration.
    pub profile: Option<String>,
    /// A role to assume from there.
    pub role: Option<String>,
    /// The external id that the role asks for.
    pub external_id: Option<String>,
    /// The region.
    pub region: Option<String>,
}

/// The runtime of an identity and of all that were made from it. The last holder may be one of its own tasks, which
/// must not wait for the others.
#[derive(Debug)]
struct SharedRuntime(Option<Runtime>);

impl SharedRuntime {
    const fn get(&self) -> &Runtime {
        self.0.as_ref().expect("only dropping takes it")
    }
}

impl Drop for SharedRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// An identity that can make calls.
#[derive(Clone, Debug)]
pub struct Account {
    runtime: Arc<SharedRuntime>,
    pub(super) config: SdkConfig,
}

impl Account {
    /// Finds credentials; none are used yet.
    pub fn new(sign_in: &SignIn) -> Result<Self, CallError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("aws")
            .enable_all()
            .build()
            .map_err(|error| CallError::other("starting", error.to_string()))?;
        let config = runtime.block_on(config(sign_in));
        Ok(Self {
            runtime: Arc::new(SharedRuntime(Some(runtime))),
            config,
        })
    }

    /// Runs something to its end.
    pub(super) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.get().block_on(future)
    }

    pub(super) fn handle(&self) -> &tokio::runtime::Handle {
        self.runtime.get().handle()
    }

    /// The configured region.
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(Region::as_ref)
    }

    /// Whether a service is reached at an address of the user's.
    pub(super) fn has_endpoint(&self, service: &str) -> bool {
        let key = ServiceConfigKey::builder()
            .service_id(service)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let own = self.config.service_config().zip(key.ok());
        self.config.endpoint_url().is_some()
            || own.is_some_and(|(config, key)| config.load_config(key).is_some())
    }

    /// A role of any account, with this identity's permission to assume it.
    pub(super) async fn assume(
        &self,
        role: &str,
        external_id: Option<&str>,
    ) -> Result<Self, CallError> {
        // The SDK asks again when it needs credentials, but reports a refusal as missing credentials, without AWS's code.
        aws_sdk_sts::Client::new(&self.config)
            .assume_role()
            .role_arn(role)
            .role_session_name(SESSION)
            .set_external_id(external_id.map(str::to_owned))
            .send()
            .await
            .map_err(|error| CallError::new("AssumeRole", &error))?;
        Ok(Self {
            runtime: Arc::clone(&self.runtime),
            config: with_role(&self.config, role, external_id).await,
        })
    }

    /// The same identity elsewhere.
    pub(super) fn in_region(&self, region: &str) -> SdkConfig {
        self.config
            .to_builder()
            .region(Region::new(region.to_owned()))
            .build()
    }
}

/// Attempts at a call: throttling and faults of a moment are no reason to stop after minutes.
const ATTEMPTS: u32 = 8;

async fn config(sign_in: &SignIn) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::adaptive().with_max_attempts(ATTEMPTS))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .read_timeout(Duration::from_secs(30))
                .build(),
        );
    if let Some(profile) = &sign_in.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &sign_in.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let config = loader.load().await;
    let Some(role) = &sign_in.role else {
        return config;
    };
    with_role(&config, role, sign_in.external_id.as_deref()).await
}

/// What CloudTrail calls the session of an assumed role.
const SESSION: &str = "closegate";

/// The configuration with the credentials of a role, which the SDK asks for when they are needed and before they expire.
async fn with_role(config: &SdkConfig, role: &str, external_id: Option<&str>) -> SdkConfig {
    let mut assume = AssumeRoleProvider::builder(role)
        .configure(config)
        .session_name(SESSION);
    if let Some(external_id) = external_id {
        assume = assume.external_id(external_id);
    }
    let provider = assume.build().await;
    config
        .to_builder()
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .build()
}
