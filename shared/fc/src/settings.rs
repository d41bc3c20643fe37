//! What a function is told by its environment.

use std::time::Duration;

use ossferry_http::Endpoint;

use crate::bill::Size;

/// The level of logs where nothing is said.
const LOG_DEFAULT: &str = "info";

/// Where Function Compute expects the server.
const PORT_DEFAULT: u16 = 9_000;

/// As the queues are deployed: what is received is then hidden without a request of its own.
const VISIBILITY_DEFAULT: Duration = Duration::from_mins(30);

/// The variables of every function, as the templates set them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The table's name.
    pub table: String,
    /// The planners' queue: its name, or its URL on AWS.
    pub planner_queue: String,
    /// The copiers' queue.
    pub copier_queue: String,
    /// What is logged.
    pub log: String,
    /// As the function is deployed.
    pub function: String,
    /// The function's region; it may be known from elsewhere.
    pub region: Option<String>,
    /// As it is configured: no request tells the deadline.
    pub timeout: Duration,
    /// How long what is received stays hidden.
    pub visibility: Duration,
    /// Where the server listens.
    pub port: u16,
    /// What is billed for its time, where the environment tells both halves of it.
    pub(crate) size: Option<Size>,
}

/// A variable that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// It must be set.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// It must be a number.
    #[error("the environment variable {0} is no number, or too large or small")]
    Number(&'static str),
    /// It must be an endpoint.
    #[error("the environment variable {0} is no endpoint: write https://host")]
    Endpoint(&'static str),
    /// What it names cannot be.
    #[error("the environment variable {0}: {1}")]
    Unusable(&'static str, String),
}

/// Reads variables: only a binary touches the environment.
pub(crate) struct Reader<'a>(pub(crate) &'a (dyn Fn(&str) -> Option<String> + Send + Sync));

impl Reader<'_> {
    /// A variable that holds something.
    pub(crate) fn set(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// One that must.
    pub(crate) fn needed(&self, name: &'static str) -> Result<String, SettingsError> {
        self.set(name).ok_or(SettingsError::Missing(name))
    }

    /// An endpoint that must be named.
    pub(crate) fn endpoint(&self, name: &'static str) -> Result<Endpoint, SettingsError> {
        Endpoint::parse(&self.needed(name)?).ok_or(SettingsError::Endpoint(name))
    }

    /// Processors by the templates, memory by the service.
    fn size(&self) -> Result<Option<Size>, SettingsError> {
        let (vcpu, memory) = ("OSSFERRY_VCPU", "FC_FUNCTION_MEMORY_SIZE");
        let Some((processors, mebibytes)) = self.set(vcpu).zip(self.set(memory)) else {
            return Ok(None);
        };
        let millivcpu = Self::thousandths(&processors).ok_or(SettingsError::Number(vcpu))?;
        let memory_mib = mebibytes.parse().map_err(|_| SettingsError::Number(memory))?;
        Ok(Some(Size { millivcpu, memory_mib }))
    }

    /// Of a number between 0.05 and 16, in steps of 0.05.
    fn thousandths(text: &str) -> Option<u32> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_odd = decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit());
        let decimals: u32 = format!("{decimals:0<3}").parse().ok().filter(|_| !is_odd)?;
        let found = whole.parse::<u32>().ok()?.checked_mul(1_000)?.checked_add(decimals)?;
        (50..=16_000).contains(&found).then_some(found)
    }

    fn seconds(&self, name: &'static str) -> Result<Option<Duration>, SettingsError> {
        let Some(text) = self.set(name) else { return Ok(None) };
        let seconds = text.parse::<u32>().ok().filter(|seconds| (1..=86_400).contains(seconds));
        let seconds = seconds.ok_or(SettingsError::Number(name))?;
        Ok(Some(Duration::from_secs(seconds.into())))
    }
}

impl Settings {
    /// Reads the variables of a function that is deployed under `name` where nothing says otherwise.
    pub(crate) fn read(reader: &Reader<'_>, name: &str) -> Result<Self, SettingsError> {
        let (timeout, port) = ("OSSFERRY_TIMEOUT_SECONDS", "FC_SERVER_PORT");
        let port = match reader.set(port) {
            Some(text) => text.parse().map_err(|_| SettingsError::Number(port))?,
            None => PORT_DEFAULT,
        };
        Ok(Self {
            table: reader.needed("OSSFERRY_TABLE")?,
            planner_queue: reader.needed("OSSFERRY_PLANNER_QUEUE")?,
            copier_queue: reader.needed("OSSFERRY_COPIER_QUEUE")?,
            log: reader.set("OSSFERRY_LOG").unwrap_or_else(|| LOG_DEFAULT.to_owned()),
            function: reader.set("FC_FUNCTION_NAME").unwrap_or_else(|| name.to_owned()),
            region: reader.set("FC_REGION"),
            timeout: reader.seconds(timeout)?.ok_or(SettingsError::Missing(timeout))?,
            visibility: reader
                .seconds("OSSFERRY_VISIBILITY_SECONDS")?
                .unwrap_or(VISIBILITY_DEFAULT),
            port,
            size: reader.size()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_that_is_missing_or_no_number_is_named() {
        let names = [
            "OSSFERRY_TABLE",
            "OSSFERRY_PLANNER_QUEUE",
            "OSSFERRY_COPIER_QUEUE",
            "OSSFERRY_TIMEOUT_SECONDS",
        ];
        let all = move |name: &str| names.contains(&name).then(|| "3600".to_owned());
        let settings = Settings::read(&Reader(&all), "planner").unwrap();
        assert_eq!((settings.port, settings.function.as_str()), (9_000, "planner"));
        assert_eq!(settings.timeout, Duration::from_hours(1));
        for missing in names {
            let var = move |name: &str| if name == missing { None } else { all(name) };
            let error = Settings::read(&Reader(&var), "planner").unwrap_err();
            assert_eq!(error, SettingsError::Missing(missing));
        }
        assert_eq!(settings.size, None);
        for (text, millivcpu) in [("0.5", 500), ("0.05", 50), ("2", 2_000), ("16", 16_000)] {
            let sized = move |name: &str| match name {
                "OSSFERRY_VCPU" => Some(text.to_owned()),
                "FC_FUNCTION_MEMORY_SIZE" => Some("512".to_owned()),
                _ => all(name),
            };
            let settings = Settings::read(&Reader(&sized), "planner").unwrap();
            assert_eq!(settings.size, Some(Size { millivcpu, memory_mib: 512 }), "{text}");
        }
        for text in ["0", "17", ".5", "0.5e1", "half", "0.0001"] {
            let sized = move |name: &str| match name {
                "OSSFERRY_VCPU" => Some(text.to_owned()),
                "FC_FUNCTION_MEMORY_SIZE" => Some("512".to_owned()),
                _ => all(name),
            };
            let error = Settings::read(&Reader(&sized), "planner").unwrap_err();
            assert_eq!(error, SettingsError::Number("OSSFERRY_VCPU"), "{text}");
        }
        for (name, value) in [
            ("FC_SERVER_PORT", "90000"),
            ("OSSFERRY_TIMEOUT_SECONDS", "0"),
            ("OSSFERRY_TIMEOUT_SECONDS", "1h"),
        ] {
            let var =
                move |asked: &str| if asked == name { Some(value.to_owned()) } else { all(asked) };
            assert_eq!(
                Settings::read(&Reader(&var), "p").unwrap_err(),
                SettingsError::Number(name)
            );
        }
    }
}
