//! From where a job file says a secret is found to the secret itself.

use std::sync::Arc;

use ossferry_aliyun::openapi::SecretCredentials;
use ossferry_aws::AwsCredentials;
use ossferry_core::job::Credentials as Place;
use ossferry_http::{Credentials, CredentialsProvider, StaticCredentials};

use crate::{EndError, Surroundings};

/// Who signs. `None`: nobody.
pub(crate) type Signer = Option<Arc<dyn CredentialsProvider>>;

/// Finds the credentials of an end (`source`, `target`). Variables are read now; profiles, what AWS's
/// own tools look at, and secrets when the first request needs them.
pub(crate) async fn resolve(
    end: &'static str,
    place: &Place,
    region: &str,
    around: &Surroundings,
) -> Result<Signer, EndError> {
    let (var, clock) = (&*around.variables, &around.clock);
    let function = || around.function.as_ref().ok_or(EndError::NoFunction { end });
    let provider: Arc<dyn CredentialsProvider> = match place {
        Place::Anonymous => return Ok(None),
        Place::Env { access_key, secret_key, token } => {
            let value = |variable: &String| {
                var(variable)
                    .filter(|value| !value.is_empty())
                    .ok_or_else(|| EndError::VariableMissing { end, variable: variable.clone() })
            };
            Arc::new(StaticCredentials::new(Credentials {
                access_key: value(access_key)?,
                secret_key: value(secret_key)?,
                token: token.as_ref().map(value).transpose()?,
            }))
        }
        Place::AwsProfile { profile } => {
            Arc::new(AwsCredentials::profile(profile, region, Arc::clone(clock)))
        }
        Place::AwsDefault => {
            Arc::new(AwsCredentials::default_chain(region, Arc::clone(clock)).await)
        }
        Place::Fc => Arc::clone(&function()?.credentials),
        Place::AliyunSecret { name } => {
            Arc::new(SecretCredentials::new(Arc::clone(&function()?.secrets), name.clone()))
        }
    };
    Ok(Some(provider))
}

#[cfg(test)]
mod tests {
    use ossferry_core::time::Timestamp;

    use super::*;

    fn around(variables: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Surroundings {
        let clock = Arc::new(|| Timestamp(0));
        Surroundings { clock, variables: Arc::new(variables), function: None }
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
        let signer = resolve("target", &env(Some("TK")), "r", &around).await.unwrap();
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
            let error = resolve("source", &env(Some("TK")), "r", &around).await.err();
            let text = error.unwrap().to_string();
            assert!(text.contains(missing) && text.contains("source"), "{text}");
        }
    }

    #[tokio::test]
    async fn an_anonymous_end_is_signed_by_nobody() {
        let signer = resolve("source", &Place::Anonymous, "r", &around(|_| None)).await.unwrap();
        assert!(signer.is_none());
    }

    #[tokio::test]
    async fn what_only_a_function_finds_is_refused_elsewhere_by_name() {
        for place in [Place::Fc, Place::AliyunSecret { name: "oss".to_owned() }] {
            let error = resolve("target", &place, "r", &around(|_| None)).await.err();
            let text = error.unwrap().to_string();
            assert!(text.contains("target.credentials"), "{text}");
        }
    }
}
