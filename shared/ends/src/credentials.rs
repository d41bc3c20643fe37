//! From where a job file says a secret is found to the secret itself.

use std::sync::Arc;

use ossferry_aliyun::openapi::KmsCredentials;
use ossferry_aliyun::sts::{OidcCredentials, OidcRole, OidcTokens, STS_ENDPOINT};
use ossferry_aws::api::{AwsApi, SecretCredentials, SecretPlace};
use ossferry_core::error::{ErrorKind, PortError};
use ossferry_core::job::Credentials as Place;
use ossferry_http::{
    Credentials, CredentialsProvider, Endpoint, RefreshedCredentials, StaticCredentials,
};

use crate::{EndError, Surroundings};

/// Names another address of Alibaba Cloud's STS.
const STS_VARIABLE: &str = "ALIBABA_CLOUD_STS_ENDPOINT";

/// Who signs. `None`: nobody.
pub(crate) type Signer = Option<Arc<dyn CredentialsProvider>>;

/// Where an end's requests go, as far as its credentials care.
#[derive(Clone, Copy)]
pub(crate) struct Regions<'a> {
    /// Of the bucket: where a role of a profile is assumed.
    pub(crate) bucket: &'a str,
    /// Of AWS, where the job file names one for its ledger: there are secrets that a name alone
    /// tells.
    pub(crate) state: Option<&'a str>,
}

/// Finds the credentials of an end (`source`, `target`). Variables are read now; profiles, what AWS's
/// own tools look at, secrets and roles when the first request needs them.
pub(crate) async fn resolve(
    end: &'static str,
    place: &Place,
    regions: Regions<'_>,
    around: &Surroundings,
) -> Result<Signer, EndError> {
    let refused = |error| EndError::End { end, error };
    let clock = Arc::clone(&around.clock);
    let value = |variable: &String| {
        (around.variables)(variable)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| EndError::VariableMissing { end, variable: variable.clone() })
    };
    let function = || around.function.as_ref().ok_or(EndError::NoFunction { end });
    let provider: Arc<dyn CredentialsProvider> = match place {
        Place::Anonymous => return Ok(None),
        Place::Env { access_key, secret_key, token } => {
            Arc::new(StaticCredentials::new(Credentials {
                access_key: value(access_key)?,
                secret_key: value(secret_key)?,
                token: token.as_ref().map(value).transpose()?,
            }))
        }
        Place::AzureKey { key } => Arc::new(StaticCredentials::new(Credentials {
            access_key: String::new(),
            secret_key: value(key)?,
            token: None,
        })),
        Place::AzureSas { token } => Arc::new(StaticCredentials::new(Credentials {
            access_key: String::new(),
            secret_key: String::new(),
            token: Some(value(token)?),
        })),
        Place::GcsKey { key } => Arc::new(StaticCredentials::new(key_file(value(key)?))),
        Place::GcsKeyFile { path } => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                let message = format!("read the key file {path}: {error}");
                refused(PortError::new(ErrorKind::Storage, message))
            })?;
            Arc::new(StaticCredentials::new(key_file(text)))
        }
        Place::AwsProfile { profile } => {
            around.aws.profile_credentials(profile, regions.bucket).map_err(refused)?
        }
        Place::AwsDefault => around.aws.default_credentials(regions.bucket).await,
        Place::AwsSecret { id } => {
            let place = SecretPlace::Secret(id.clone());
            in_secret(place, regions, around).await.map_err(refused)?
        }
        Place::AwsParameter { name } => {
            let place = SecretPlace::Parameter(name.clone());
            in_secret(place, regions, around).await.map_err(refused)?
        }
        Place::AlibabaOidc { role, provider, audience } => {
            let role = OidcRole { role: role.clone(), provider: provider.clone() };
            by_role(role, audience.clone(), regions, around).await.map_err(refused)?
        }
        Place::Fc => Arc::clone(&function()?.credentials),
        Place::AliyunSecret { name } => {
            let fetcher = KmsCredentials::new(Arc::clone(&function()?.secrets), name.clone());
            Arc::new(RefreshedCredentials::new(fetcher, clock))
        }
    };
    Ok(Some(provider))
}

/// The key of a service account is its file as a whole.
fn key_file(text: String) -> Credentials {
    Credentials { access_key: String::new(), secret_key: text, token: None }
}

async fn in_secret(
    place: SecretPlace,
    regions: Regions<'_>,
    around: &Surroundings,
) -> Result<Arc<dyn CredentialsProvider>, PortError> {
    let api = aws_api(place.region().or(regions.state), around).await?;
    let fetcher = SecretCredentials::new(Arc::new(api), place);
    Ok(Arc::new(RefreshedCredentials::new(fetcher, Arc::clone(&around.clock))))
}

async fn by_role(
    role: OidcRole,
    audience: String,
    regions: Regions<'_>,
    around: &Surroundings,
) -> Result<Arc<dyn CredentialsProvider>, PortError> {
    let named = (around.variables)(STS_VARIABLE).filter(|url| !url.is_empty());
    let url = named.unwrap_or_else(|| STS_ENDPOINT.to_owned());
    let endpoint = Endpoint::parse(&url).ok_or_else(|| {
        let message = format!("{STS_VARIABLE} is no address: write https://host");
        PortError::new(ErrorKind::Unsupported, message)
    })?;
    let tokens = VouchedByAws { api: aws_api(regions.state, around).await?, audience };
    let clock = Arc::clone(&around.clock);
    let fetcher = OidcCredentials::new(role, Arc::new(tokens), endpoint, Arc::clone(&clock));
    Ok(Arc::new(RefreshedCredentials::new(fetcher, clock)))
}

/// A region of AWS as everything here speaks to it.
async fn aws_api(region: Option<&str>, around: &Surroundings) -> Result<AwsApi, PortError> {
    AwsApi::connect(region, &*around.aws, &*around.variables, Arc::clone(&around.clock)).await
}

/// Tokens by which AWS vouches for the role that the process has.
struct VouchedByAws {
    api: AwsApi,
    audience: String,
}

#[async_trait::async_trait]
impl OidcTokens for VouchedByAws {
    async fn token(&self) -> Result<String, PortError> {
        let token = self.api.web_identity_token(&self.audience).await?;
        Ok(token.reveal().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use ossferry_core::time::Timestamp;

    use super::*;

    const REGIONS: Regions<'_> = Regions { bucket: "r", state: None };

    fn around(variables: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Surroundings {
        let clock = Arc::new(|| Timestamp(0));
        Surroundings::of_function(clock, Arc::new(variables))
    }

    fn env(token: Option<&str>) -> Place {
        Place::Env {
            access_key: "AK".to_owned(),
            secret_key: "SK".to_owned(),
            token: token.map(str::to_owned),
        }
    }

    #[tokio::test]
    async fn secrets_come_from_the_variables_that_the_job_file_names() {
        let around = around(|name: &str| Some(format!("value of {name}")));
        let signer = resolve("target", &env(Some("TK")), REGIONS, &around).await.unwrap();
        let found = signer.unwrap().credentials().await.unwrap();
        assert_eq!(
            (found.access_key.as_str(), found.secret_key.as_str(), found.token.as_deref()),
            ("value of AK", "value of SK", Some("value of TK"))
        );
    }

    #[tokio::test]
    async fn an_unset_or_empty_variable_is_named_with_its_end() {
        for missing in ["AK", "SK", "TK"] {
            let around = around(move |name: &str| {
                Some(if name == missing { String::new() } else { "x".to_owned() })
            });
            let error = resolve("source", &env(Some("TK")), REGIONS, &around).await.err();
            let text = error.unwrap().to_string();
            assert!(text.contains(missing) && text.contains("source"), "{text}");
        }
    }

    #[tokio::test]
    async fn the_key_of_a_service_account_is_a_variable_or_a_file_as_a_whole() {
        let around = around(|name: &str| (name == "KEY").then(|| "{text}".to_owned()));
        let key = Place::GcsKey { key: "KEY".to_owned() };
        let path = "Cargo.toml".to_owned();
        for (place, text) in [(key, "{text}"), (Place::GcsKeyFile { path }, "[package]")] {
            let signer = resolve("source", &place, REGIONS, &around).await.unwrap();
            let found = signer.unwrap().credentials().await.unwrap();
            assert!(found.secret_key.starts_with(text), "{place:?}");
        }
        let missing = Place::GcsKeyFile { path: "no/such/key.json".to_owned() };
        let error = resolve("source", &missing, REGIONS, &around).await.err().unwrap().to_string();
        assert!(error.contains("no/such/key.json") && error.contains("source"), "{error}");
    }

    #[tokio::test]
    async fn an_anonymous_end_is_signed_by_nobody() {
        let around = around(|_: &str| None);
        let signer = resolve("source", &Place::Anonymous, REGIONS, &around).await.unwrap();
        assert!(signer.is_none());
    }

    #[tokio::test]
    async fn a_reference_needs_a_region_of_aws_and_an_arn_names_its_own() {
        let set = |name: &str| (name == "AWS_REGION").then(|| "eu-west-1".to_owned());
        let named = Place::AwsSecret { id: "oss".to_owned() };
        assert!(resolve("target", &named, REGIONS, &around(set)).await.unwrap().is_some());
        let arn = "arn:aws:ssm:eu-west-1:1:parameter/oss".to_owned();
        let arn = Place::AwsParameter { name: arn };
        let none = around(|_: &str| None);
        assert!(resolve("target", &arn, REGIONS, &none).await.unwrap().is_some());
        let state = Regions { state: Some("eu-west-1"), ..REGIONS };
        assert!(resolve("target", &named, state, &none).await.unwrap().is_some());
        let wrong = around(move |name: &str| match name {
            STS_VARIABLE => Some("no address".to_owned()),
            name => set(name),
        });
        let (role, provider) = ("r".to_owned(), "p".to_owned());
        let oidc = Place::AlibabaOidc { role, provider, audience: "a".to_owned() };
        let error = resolve("target", &oidc, REGIONS, &wrong).await.err().unwrap();
        assert!(error.to_string().contains(STS_VARIABLE), "{error}");
    }

    #[tokio::test]
    async fn what_only_a_function_finds_is_refused_elsewhere_by_name() {
        for place in [Place::Fc, Place::AliyunSecret { name: "oss".to_owned() }] {
            let error = resolve("target", &place, REGIONS, &around(|_| None)).await.err();
            let text = error.unwrap().to_string();
            assert!(text.contains("target.credentials"), "{text}");
        }
    }
}
