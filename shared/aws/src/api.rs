//! The few calls to AWS that are rare: a stack's outputs, a function's answer, a secret, a token.
//!
//! They are signed here and go over the common HTTP lane. An SDK crate for each of these services would
//! take minutes to build and megabytes in a function's zip.

mod answer;
mod invoke;
mod secret;
mod stack;
mod web_identity;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ossferry_core::error::{Conclusion, ErrorKind, PortError};
use ossferry_core::meter::Meter;
use ossferry_core::time::Clock;
use ossferry_http::percent::push_query;
use ossferry_http::{
    CredentialsProvider, Endpoint, Lane, LaneBody, LaneOptions, LaneRequest, RetryPolicy, retry,
};

use self::answer::{Answer, refusal};
use crate::settings::AwsSettings;
use crate::signer::{Signed, Signer};
use crate::sigv4::payload_digest;

pub use invoke::FunctionFailed;
pub use secret::{SecretCredentials, SecretPlace};
pub use stack::Stack;
pub use web_identity::WebIdentityToken;

/// More than any answer here takes: a function may answer with 6 MB.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// A function may take 300 s to answer, and a service some seconds more.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(330);

/// A service that is called here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Service {
    CloudFormation,
    Lambda,
    SecretsManager,
    Ssm,
    Sts,
}

impl Service {
    const ALL: [Self; 5] =
        [Self::CloudFormation, Self::Lambda, Self::SecretsManager, Self::Ssm, Self::Sts];

    /// As hosts and signatures name it.
    fn name(self) -> &'static str {
        match self {
            Self::CloudFormation => "cloudformation",
            Self::Lambda => "lambda",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
        }
    }

    /// The variable that names another address, as AWS's own tools read it.
    fn variable(self) -> &'static str {
        match self {
            Self::CloudFormation => "AWS_ENDPOINT_URL_CLOUDFORMATION",
            Self::Lambda => "AWS_ENDPOINT_URL_LAMBDA",
            Self::SecretsManager => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            Self::Ssm => "AWS_ENDPOINT_URL_SSM",
            Self::Sts => "AWS_ENDPOINT_URL_STS",
        }
    }

    fn endpoint(
        self,
        region: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Endpoint, PortError> {
        let set = |name: &'static str| variable(name).filter(|url| !url.is_empty());
        let named = [self.variable(), "AWS_ENDPOINT_URL"]
            .into_iter()
            .find_map(|name| set(name).map(|url| (name, url)));
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let (name, url) = named
            .unwrap_or_else(|| ("region", format!("https://{}.{region}.{domain}", self.name())));
        Endpoint::parse(&url).ok_or_else(|| {
            let message = format!("{name} gives {url:?}, which is no address of a service");
            PortError::new(ErrorKind::Unsupported, message)
        })
    }
}

/// A service's address, and who signs for it.
struct Place {
    endpoint: Endpoint,
    signer: Signer,
}

/// A region of AWS, with the credentials that AWS's own tools would use.
pub struct AwsApi {
    region: String,
    lane: Lane,
    places: Vec<Place>,
    credentials: Arc<dyn CredentialsProvider>,
    clock: Clock,
    retry: RetryPolicy,
}

/// What is asked: one POST.
struct Ask<'a> {
    operation: &'static str,
    service: Service,
    path: &'a str,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl AwsApi {
    /// A region by name, or the one that variables or the profile of AWS's own tools name. Asks
    /// nothing yet.
    pub async fn connect(
        region: Option<&str>,
        settings: &dyn AwsSettings,
        variable: &(dyn Fn(&str) -> Option<String> + Sync),
        clock: Clock,
    ) -> Result<Self, PortError> {
        let region = chosen_region(region, settings, variable).await?;
        let credentials = settings.default_credentials(&region).await;
        Self::new(region, credentials, variable, clock)
    }

    /// A region with these credentials.
    pub fn new(
        region: String,
        credentials: Arc<dyn CredentialsProvider>,
        variable: &dyn Fn(&str) -> Option<String>,
        clock: Clock,
    ) -> Result<Self, PortError> {
        let place = |service: Service| {
            let endpoint = service.endpoint(&region, variable)?;
            Ok(Place { endpoint, signer: Signer::new(region.clone(), service.name()) })
        };
        let places = Service::ALL.into_iter().map(place).collect::<Result<_, PortError>>()?;
        let lane =
            Lane::new(&LaneOptions { answer_timeout: ANSWER_TIMEOUT, ..LaneOptions::default() });
        let retry = RetryPolicy { total: Duration::from_secs(30), ..RetryPolicy::default() };
        Ok(Self { region, lane, places, credentials, clock, retry })
    }

    /// Which.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// A call of the Query protocol: a form, answered in XML.
    async fn query(
        &self,
        operation: &'static str,
        service: Service,
        version: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Answer, PortError> {
        let mut body = String::new();
        let named = [("Action", operation), ("Version", version)];
        for (name, value) in named.iter().chain(parameters) {
            push_query(&mut body, name, Some(value.as_bytes()));
        }
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = vec![(CONTENT_TYPE, form)];
        self.call(&Ask { operation, service, path: "/", headers, body: Bytes::from(body) }).await
    }

    /// A call of the JSON protocol.
    async fn json(
        &self,
        operation: &'static str,
        service: Service,
        target: &'static str,
        request: &serde_json::Value,
    ) -> Result<Answer, PortError> {
        let headers = vec![
            (CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1")),
            (HeaderName::from_static("x-amz-target"), HeaderValue::from_static(target)),
        ];
        let body = Bytes::from(request.to_string());
        self.call(&Ask { operation, service, path: "/", headers, body }).await
    }

    /// Every call here may be repeated. Answers a success.
    async fn call(&self, ask: &Ask<'_>) -> Result<Answer, PortError> {
        retry(&self.retry, || self.attempt(ask)).await
    }

    async fn attempt(&self, ask: &Ask<'_>) -> Result<Answer, PortError> {
        let credentials = self.credentials.credentials().await?;
        let place = &self.places[ask.service as usize];
        let mut headers = HeaderMap::with_capacity(8);
        let unfit = |what: &str| {
            let message = format!("{}: {what} fits no header", ask.operation);
            PortError::new(ErrorKind::AccountRefused, message)
        };
        let host = HeaderValue::from_str(place.endpoint.authority());
        headers.insert(HOST, host.map_err(|_| unfit("the address"))?);
        headers.extend(ask.headers.iter().cloned());
        let payload = payload_digest(&ask.body);
        let method = Method::POST;
        let signed = Signed { method: &method, path: ask.path, query: "", payload: &payload };
        place
            .signer
            .sign(&signed, &mut headers, &credentials, (self.clock)())
            .map_err(|_| unfit("the key"))?;
        let request = LaneRequest {
            operation: ask.operation,
            method,
            endpoint: &place.endpoint,
            path_and_query: ask.path.to_owned(),
            headers,
            body: LaneBody::Bytes(ask.body.clone()),
        };
        let response = self.lane.send(request, &Meter::default()).await?;
        let (status, headers) = (response.status, response.headers.clone());
        let body = response.collect(ANSWER_BYTES_MAX).await?;
        if status.is_success() {
            return Ok(Answer { operation: ask.operation, headers, body });
        }
        let refused = refusal(ask.operation, status, &headers, &body);
        if refused.has_expired {
            self.credentials.expired(&credentials);
            return Err(refused.error.concluding(Conclusion::NotDone));
        }
        Err(refused.error)
    }
}

async fn chosen_region(
    region: Option<&str>,
    settings: &dyn AwsSettings,
    variable: &(dyn Fn(&str) -> Option<String> + Sync),
) -> Result<String, PortError> {
    let set = |name| variable(name).filter(|region: &String| !region.is_empty());
    let named = region.map(str::to_owned);
    if let Some(region) = named.or_else(|| set("AWS_REGION")).or_else(|| set("AWS_DEFAULT_REGION"))
    {
        return Ok(region);
    }
    settings.region().await.ok_or_else(|| {
        let message = "no region of AWS is named: write region = \"…\" below [state], or set \
                       AWS_REGION";
        PortError::new(ErrorKind::Unsupported, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::FunctionSettings;

    #[test]
    fn a_service_is_where_the_most_particular_variable_says() {
        let all =
            |name: &str| (name == "AWS_ENDPOINT_URL").then(|| "http://127.0.0.1:1".to_owned());
        let one = |name: &str| match name {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER" => Some("http://127.0.0.1:2".to_owned()),
            "AWS_ENDPOINT_URL_SSM" => Some(String::new()),
            name => all(name),
        };
        let none = |_: &str| None;
        let of = |service: Service, region: &str, variable: &dyn Fn(&str) -> Option<String>| {
            service.endpoint(region, variable).unwrap().authority().to_owned()
        };
        assert_eq!(of(Service::SecretsManager, "r", &one), "127.0.0.1:2");
        assert_eq!(of(Service::Ssm, "r", &one), "127.0.0.1:1");
        assert_eq!(of(Service::Sts, "eu-west-1", &none), "sts.eu-west-1.amazonaws.com");
        assert_eq!(of(Service::Lambda, "cn-north-1", &none), "lambda.cn-north-1.amazonaws.com.cn");
        let wrong = |_: &str| Some("ftp://x".to_owned());
        let error = Service::Sts.endpoint("r", &wrong).unwrap_err().to_string();
        assert!(error.contains("AWS_ENDPOINT_URL_STS"), "{error}");
    }

    #[tokio::test]
    async fn a_region_comes_from_the_job_file_before_the_variables() {
        let variable = |name: &str| (name == "AWS_DEFAULT_REGION").then(|| "eu-west-1".to_owned());
        let settings = FunctionSettings::new(Arc::new(|_: &str| None));
        assert_eq!(chosen_region(Some("r"), &settings, &variable).await.unwrap(), "r");
        assert_eq!(chosen_region(None, &settings, &variable).await.unwrap(), "eu-west-1");
        let error = chosen_region(None, &settings, &|_| None).await.unwrap_err().to_string();
        assert!(error.contains("AWS_REGION"), "{error}");
    }

    #[test]
    fn every_service_has_its_place_in_order() {
        for (index, service) in Service::ALL.into_iter().enumerate() {
            assert_eq!(service as usize, index);
        }
    }
}
