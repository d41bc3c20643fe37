//! Where a secret is found, and how the job file says it.

use serde::{Deserialize, Serialize};

use super::mistakes::Mistakes;
use super::section::{Found, Section};
use super::state::Host;
use super::{StoreKind, secrets};

/// Where a secret is found. Never the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum Credentials {
    /// In environment variables of these names.
    Env {
        /// Holds the access key id.
        access_key: String,
        /// Holds the secret.
        secret_key: String,
        /// Holds the session token, where there is one.
        token: Option<String>,
    },
    /// In a profile of the AWS files.
    AwsProfile {
        /// Its name.
        profile: String,
    },
    /// Where AWS's own tools look: environment, files, container, instance.
    AwsDefault,
    /// In a secret of AWS Secrets Manager, as the JSON object
    /// `{"access_key": …, "secret_key": …, "token": …}`, the last of which may be absent.
    AwsSecret {
        /// Its name, or its ARN.
        id: String,
    },
    /// In a parameter of AWS Systems Manager, as the same JSON object.
    AwsParameter {
        /// Its name, or its ARN.
        name: String,
    },
    /// Nowhere: a role of Alibaba Cloud that trusts tokens which AWS signs for our own role.
    AlibabaOidc {
        /// `acs:ram::ACCOUNT:role/NAME`.
        role: String,
        /// `acs:ram::ACCOUNT:oidc-provider/NAME`.
        provider: String,
        /// For whom the token is, as the provider lists it.
        audience: String,
    },
    /// The role of the function that asks, where Function Compute runs it.
    Fc,
    /// In a secret of Alibaba Cloud's Key Management Service, read by the role of the function that asks.
    AliyunSecret {
        /// Its name.
        name: String,
    },
    /// In an environment variable of this name: the key of a storage account of Azure.
    AzureKey {
        /// Holds the key, in base64 as Azure shows it.
        key: String,
    },
    /// In an environment variable of this name: a shared access signature of Azure.
    AzureSas {
        /// Holds the token, with or without the question mark before it.
        token: String,
    },
    /// In an environment variable of this name: the key of a service account of Google, the whole file.
    GcsKey {
        /// Holds the text of the file.
        key: String,
    },
    /// In a file of this machine: the key of a service account of Google.
    GcsKeyFile {
        /// A relative one begins where the command was started.
        path: String,
    },
    /// Nowhere: requests are not signed.
    Anonymous,
}

/// A form of credentials.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Env,
    AwsProfile,
    AwsDefault,
    AwsSecret,
    AwsParameter,
    AlibabaOidc,
    Fc,
    AliyunSecret,
    AzureKey,
    AzureSas,
    GcsKey,
    GcsKeyFile,
    Anonymous,
}

/// Whose every key is, beside `from`.
const HOMES: [(&str, &str); 11] = [
    ("access_key", "from = \"env\""),
    ("secret_key", "from = \"env\""),
    ("token", "from = \"env\" or \"azure-sas\""),
    ("key", "from = \"azure-key\" or \"gcs-key\""),
    ("path", "from = \"gcs-key-file\""),
    ("profile", "from = \"aws-profile\""),
    ("id", "from = \"aws-secret\""),
    ("name", "from = \"aws-parameter\" or \"aliyun-secret\""),
    ("role", "from = \"alibaba-oidc\""),
    ("provider", "from = \"alibaba-oidc\""),
    ("audience", "from = \"alibaba-oidc\""),
];

impl Form {
    /// The forms for a source of this kind, or for the target (`None`).
    fn of(kind: Option<StoreKind>) -> Vec<(&'static str, Self)> {
        let mut forms = vec![("env", Self::Env)];
        // UPYUN's interface answers nobody without a signature.
        if kind.is_some_and(|kind| kind != StoreKind::Upyun) {
            forms.push(("anonymous", Self::Anonymous));
        }
        if matches!(kind, Some(StoreKind::S3 | StoreKind::S3Compatible)) {
            forms.extend([("aws-profile", Self::AwsProfile), ("aws-default", Self::AwsDefault)]);
        }
        forms.extend([("aws-secret", Self::AwsSecret), ("aws-parameter", Self::AwsParameter)]);
        if matches!(kind, None | Some(StoreKind::Oss)) {
            forms.extend([("alibaba-oidc", Self::AlibabaOidc), ("fc", Self::Fc)]);
        }
        forms.push(("aliyun-secret", Self::AliyunSecret));
        forms
    }

    /// The forms for a container of Azure. In a secret the key stands as `secret_key`, a shared access
    /// signature as `token`.
    fn of_azure() -> Vec<(&'static str, Self)> {
        vec![
            ("azure-key", Self::AzureKey),
            ("azure-sas", Self::AzureSas),
            ("anonymous", Self::Anonymous),
            ("aws-secret", Self::AwsSecret),
            ("aws-parameter", Self::AwsParameter),
            ("aliyun-secret", Self::AliyunSecret),
        ]
    }

    /// The forms for a bucket of Google by its JSON interface. A secret holds the key's file as it is.
    fn of_gcs() -> Vec<(&'static str, Self)> {
        vec![
            ("gcs-key-file", Self::GcsKeyFile),
            ("gcs-key", Self::GcsKey),
            ("anonymous", Self::Anonymous),
            ("aws-secret", Self::AwsSecret),
            ("aws-parameter", Self::AwsParameter),
            ("aliyun-secret", Self::AliyunSecret),
        ]
    }
}

/// `kind` is the source's; `None` for the target.
pub(super) fn read(
    section: Section<'_, '_>,
    kind: Option<StoreKind>,
    host: Host,
    mistakes: &mut Mistakes<'_>,
) -> Option<Credentials> {
    const EXAMPLE: &str = "write credentials = { from = \"env\", access_key = \"NAME\", \
                           secret_key = \"NAME\" } with names of environment variables";
    let (on_lambda, on_fc) = match kind {
        Some(StoreKind::S3) => {
            ("; for a bucket that the function's role may read, \"aws-default\"", "")
        }
        None | Some(StoreKind::Oss) => (
            "; without any key, \"alibaba-oidc\"",
            "; for a bucket that the function's role may use, \"fc\"",
        ),
        Some(_) => ("", ""),
    };
    let (forms, kept_as) = (Form::of(kind), KEY_PAIR);
    let offered = Offered { forms, example: EXAMPLE, kept_as, on_lambda, on_fc };
    read_offered(section, &offered, host, mistakes)
}

/// Of a container of Azure.
pub(super) fn read_azure(
    section: Section<'_, '_>,
    host: Host,
    mistakes: &mut Mistakes<'_>,
) -> Option<Credentials> {
    const EXAMPLE: &str = "write credentials = { from = \"azure-key\", key = \"NAME\" } with the name \
                           of an environment variable";
    let (forms, kept_as) = (Form::of_azure(), KEY_PAIR);
    let offered = Offered { forms, example: EXAMPLE, kept_as, on_lambda: "", on_fc: "" };
    read_offered(section, &offered, host, mistakes)
}

/// Of a bucket of Google by its JSON interface.
pub(super) fn read_gcs(
    section: Section<'_, '_>,
    host: Host,
    mistakes: &mut Mistakes<'_>,
) -> Option<Credentials> {
    const EXAMPLE: &str = "write credentials = { from = \"gcs-key-file\", path = \"key.json\" } with the \
                           path of a service account's key";
    let (forms, kept_as) = (Form::of_gcs(), "the text of the service account's key file");
    let offered = Offered { forms, example: EXAMPLE, kept_as, on_lambda: "", on_fc: "" };
    read_offered(section, &offered, host, mistakes)
}

/// How a secret keeps the keys of most stores.
const KEY_PAIR: &str = "the keys as {\"access_key\": \"…\", \"secret_key\": \"…\"}";

/// What an end may have.
struct Offered {
    forms: Vec<(&'static str, Form)>,
    example: &'static str,
    /// What stands in a secret.
    kept_as: &'static str,
    /// How a function of Lambda does without a key, where it can.
    on_lambda: &'static str,
    /// The same on Function Compute.
    on_fc: &'static str,
}

fn read_offered(
    mut section: Section<'_, '_>,
    offered: &Offered,
    host: Host,
    mistakes: &mut Mistakes<'_>,
) -> Option<Credentials> {
    const LAMBDA_EXAMPLE: &str = "write credentials = { from = \"aws-secret\", id = \"NAME\" }";
    const FC_EXAMPLE: &str = "write credentials = { from = \"aliyun-secret\", name = \"NAME\" }";
    if section.is_absent() {
        let key = section.full("from");
        let example = match host {
            Host::Machine => offered.example,
            Host::Lambda => LAMBDA_EXAMPLE,
            Host::FunctionCompute => FC_EXAMPLE,
        };
        mistakes.add(section.at(), key.trim_end_matches(".from"), "is required", example);
        return None;
    }
    section.required("from", "env", mistakes)?;
    let Found { value: form, at } = section.word("from", &offered.forms, mistakes)?;
    if let Some((problem, remedy)) = out_of_reach(form, offered, host) {
        mistakes.add(at, section.full("from"), problem, remedy);
    }
    let credentials = match form {
        Form::Env => env(&mut section, mistakes),
        Form::AwsProfile => section
            .required("profile", "default", mistakes)
            .map(|profile| Credentials::AwsProfile { profile: profile.value }),
        Form::AwsDefault => Some(Credentials::AwsDefault),
        Form::AwsSecret => reference(&mut section, "id", "ossferry/oss", mistakes)
            .map(|id| Credentials::AwsSecret { id }),
        Form::AwsParameter => reference(&mut section, "name", "/ossferry/oss", mistakes)
            .map(|name| Credentials::AwsParameter { name }),
        Form::AlibabaOidc => alibaba_oidc(&mut section, mistakes),
        Form::Fc => Some(Credentials::Fc),
        Form::AliyunSecret => reference(&mut section, "name", "ossferry/source", mistakes)
            .map(|name| Credentials::AliyunSecret { name }),
        Form::AzureKey => {
            variable(&mut section, "key", true, mistakes).map(|key| Credentials::AzureKey { key })
        }
        Form::AzureSas => variable(&mut section, "token", true, mistakes)
            .map(|token| Credentials::AzureSas { token }),
        Form::GcsKey => {
            variable(&mut section, "key", true, mistakes).map(|key| Credentials::GcsKey { key })
        }
        Form::GcsKeyFile => section
            .required("path", "key.json", mistakes)
            .map(|path| Credentials::GcsKeyFile { path: path.value }),
        Form::Anonymous => Some(Credentials::Anonymous),
    };
    section.finish(&HOMES, mistakes);
    credentials
}

/// Why a host does not find what the form names, and what it would find.
fn out_of_reach(form: Form, offered: &Offered, host: Host) -> Option<(&'static str, String)> {
    let problem = match (form, host) {
        (Form::AzureKey | Form::AzureSas | Form::GcsKey, Host::Lambda | Host::FunctionCompute) => {
            "names a variable of this machine, and a function has no such variables"
        }
        (Form::GcsKeyFile, Host::Lambda | Host::FunctionCompute) => {
            "names a file of this machine, which a function lacks"
        }
        (Form::Env, Host::Lambda | Host::FunctionCompute) => {
            "\"env\" is this machine's, and a function has no such variables"
        }
        (Form::AwsProfile, Host::Lambda | Host::FunctionCompute) => {
            "\"aws-profile\" is a file of this machine, which a function lacks"
        }
        (Form::Fc | Form::AliyunSecret, Host::Machine | Host::Lambda) => {
            "is for functions of Function Compute, where [state] says kind = \"aliyun\""
        }
        (
            Form::AwsDefault | Form::AwsSecret | Form::AwsParameter | Form::AlibabaOidc,
            Host::FunctionCompute,
        ) => "is AWS's, which a function of Alibaba Cloud does not ask",
        _ => return None,
    };
    let remedy = match host {
        Host::Machine => offered.example.to_owned(),
        Host::Lambda => format!(
            "put {} into Secrets Manager and write {{ from = \"aws-secret\", id = \"NAME\" }}{}",
            offered.kept_as, offered.on_lambda
        ),
        Host::FunctionCompute => format!(
            "put {} into a secret of KMS and write {{ from = \"aliyun-secret\", name = \"NAME\" }}{}",
            offered.kept_as, offered.on_fc
        ),
    };
    Some((problem, remedy))
}

fn env(section: &mut Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<Credentials> {
    let access_key = variable(section, "access_key", true, mistakes);
    let secret_key = variable(section, "secret_key", true, mistakes);
    let token = variable(section, "token", false, mistakes);
    let (access_key, secret_key) = access_key.zip(secret_key)?;
    Some(Credentials::Env { access_key, secret_key, token })
}

/// Names of secrets and parameters, and ARNs: no blanks, no quotes, no braces.
fn reference(
    section: &mut Section<'_, '_>,
    key: &'static str,
    example: &str,
    mistakes: &mut Mistakes<'_>,
) -> Option<String> {
    let Found { value, at } = section.required(key, example, mistakes)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-:!".contains(&byte);
    if value.len() > 2_048 || !value.bytes().all(allowed) {
        let problem = "is neither a name nor an ARN";
        let remedy = format!("write where the secret is, as in {key} = \"{example}\"");
        mistakes.add(at, section.full(key), problem, remedy);
        return None;
    }
    Some(value)
}

fn alibaba_oidc(section: &mut Section<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<Credentials> {
    let mut named = |key, kind: &str, example, mistakes: &mut Mistakes<'_>| {
        let Found { value, at } = section.required(key, example, mistakes)?;
        let is_named = value
            .strip_prefix("acs:ram::")
            .and_then(|rest| rest.split_once(&format!(":{kind}/")))
            .is_some_and(|(account, name)| !account.is_empty() && !name.is_empty());
        if !is_named {
            let remedy = format!("write {key} = \"{example}\", as the RAM console shows it");
            mistakes.add(at, section.full(key), "is no ARN of this kind", remedy);
        }
        is_named.then_some(value)
    };
    let role = named("role", "role", "acs:ram::ACCOUNT:role/NAME", mistakes);
    let provider =
        named("provider", "oidc-provider", "acs:ram::ACCOUNT:oidc-provider/NAME", mistakes);
    let audience = section.required("audience", "NAME", mistakes);
    Some(Credentials::AlibabaOidc { role: role?, provider: provider?, audience: audience?.value })
}

fn variable(
    section: &mut Section<'_, '_>,
    name: &'static str,
    required: bool,
    mistakes: &mut Mistakes<'_>,
) -> Option<String> {
    let found = if required {
        section.required(name, "NAME_OF_A_VARIABLE", mistakes)?
    } else {
        section.text(name, mistakes)?
    };
    if !secrets::is_variable_name(&found.value) && !mistakes.know(&section.full(name)) {
        let problem = "want the name of an environment variable";
        let remedy = "write it in capitals, digits and _, and the value into the environment";
        mistakes.add(found.at, section.full(name), problem, remedy);
    }
    Some(found.value)
}
