//! A connection to the cluster: bounded, retried and counted.

use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use kube::config::KubeConfigOptions;
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder};

use crate::ApiCalls;
use crate::retry::Retries;

/// How long one try of a request may take, its answer included: longer than an admission webhook may
/// take, which is 30 s at most.
const TRY: Duration = Duration::from_secs(35);

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// Longest answer that is read, in bytes; an object in etcd has 1.5 MiB at most.
const LONGEST_ANSWER: usize = 32 * 1024 * 1024;

/// A cluster, seen from a namespace in it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    namespace: String,
    calls: ApiCalls,
}

/// Why there is no connection to a cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// `KUBECONFIG` names a file that cannot be used.
    #[error("the kubeconfig {} cannot be used: {source}", path.display())]
    Kubeconfig {
        /// What `KUBECONFIG` says.
        path: PathBuf,
        /// What is wrong with it.
        source: kube::config::KubeconfigError,
    },
    /// Not in a pod, or in one without a token.
    #[error(
        "this is not a pod with a service account's token ({0}); outside of a cluster set KUBECONFIG"
    )]
    NotInCluster(#[source] kube::config::InClusterError),
    /// Certificates or credentials that cannot be used.
    #[error("no client for the cluster can be made: {0}")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// The cluster of the file that `KUBECONFIG` names, else the one that this pod runs in. Without a
    /// `namespace` it is seen from the service account's, or from the kubeconfig's. Nothing is sent
    /// yet.
    ///
    /// # Errors
    /// [`ConnectError`] if it cannot be told where the cluster is, or who asks.
    pub async fn connect(namespace: Option<&str>) -> Result<Self, ConnectError> {
        let config = match std::env::var_os("KUBECONFIG").filter(|path| !path.is_empty()) {
            Some(path) => Config::from_kubeconfig(&KubeConfigOptions::default())
                .await
                .map_err(|source| ConnectError::Kubeconfig {
                    path: PathBuf::from(path),
                    source,
                })?,
            None => Config::incluster().map_err(ConnectError::NotInCluster)?,
        };
        Self::with_config(config, namespace)
    }

    /// A cluster by a configuration of one's own; its timeouts and retries are replaced.
    ///
    /// # Errors
    /// [`ConnectError::Client`].
    pub fn with_config(mut config: Config, namespace: Option<&str>) -> Result<Self, ConnectError> {
        static PROVIDER: Once = Once::new();
        // An error means that there is one already, which is as good.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        config.connect_timeout = Some(CONNECT);
        config.default_retry = false;
        let namespace = namespace.unwrap_or(&config.default_namespace).to_owned();
        let calls = ApiCalls::default();
        let plain = Client::try_from(config).map_err(|error| ConnectError::Client(error.into()))?;
        let counted = calls.clone();
        let retries = Retries::new().map_err(|error| ConnectError::Client(error.into()))?;
        let service = ServiceBuilder::new()
            .retry(retries)
            .service_fn(move |request| exchange(plain.clone(), counted.clone(), request));
        Ok(Self {
            client: Client::new(service, &namespace),
            namespace,
            calls,
        })
    }

    /// The client, for [`kube::Api`].
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The namespace that the cluster is seen from: the app's.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What was asked for so far.
    pub fn calls(&self) -> &ApiCalls {
        &self.calls
    }
}

/// A try that took too long.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", TRY.as_secs())]
struct NoAnswer;

/// One try of a request. What is watched or followed is handed on as it comes; any other answer is
/// read to its end within the try's time, so that an answer that breaks off is tried again, too.
async fn exchange(
    client: Client,
    calls: ApiCalls,
    request: Request<Body>,
) -> Result<Response<Body>, BoxError> {
    calls.count(request.method(), request.uri());
    let is_stream = request.uri().query().is_some_and(|query| {
        query
            .split('&')
            .any(|pair| matches!(pair, "watch=true" | "follow=true"))
    });
    let work = async {
        let response = client.send(request).await?;
        if is_stream {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let bytes = Limited::new(body, LONGEST_ANSWER)
            .collect()
            .await?
            .to_bytes();
        Ok(Response::from_parts(head, Body::from(bytes)))
    };
    match tokio::time::timeout(TRY, work).await {
        Ok(result) => result,
        Err(_) => Err(NoAnswer.into()),
    }
}
