//! What a function is told by its environment, beside what Lambda and the SDK read themselves.

/// The level of logs where nothing is said.
const LOG_DEFAULT: &str = "info";

/// The variables of both functions, as `template.yaml` sets them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Settings {
    /// The table's name.
    pub(crate) table: String,
    /// The URL of the planners' queue.
    pub(crate) planner_queue: String,
    /// The URL of the copiers' queue.
    pub(crate) copier_queue: String,
    /// What is logged.
    pub(crate) log: String,
    /// As the function is deployed.
    pub(crate) function: String,
    /// Set by Lambda; decides the share of a processor.
    pub(crate) memory_mib: u32,
}

/// A variable that must be set and is not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the environment variable {0} is not set, or is no number where it must be one")]
pub(crate) struct VariableMissing(&'static str);

impl Settings {
    /// Reads through `var`: only a binary touches the environment.
    pub(crate) fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, VariableMissing> {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let needed = |name| set(name).ok_or(VariableMissing(name));
        let memory = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
        Ok(Self {
            table: needed("OSSFERRY_TABLE")?,
            planner_queue: needed("OSSFERRY_PLANNER_QUEUE")?,
            copier_queue: needed("OSSFERRY_COPIER_QUEUE")?,
            log: set("OSSFERRY_LOG").unwrap_or_else(|| LOG_DEFAULT.to_owned()),
            function: needed("AWS_LAMBDA_FUNCTION_NAME")?,
            memory_mib: needed(memory)?.parse().map_err(|_| VariableMissing(memory))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_that_is_missing_is_named() {
        let names = [
            "OSSFERRY_TABLE",
            "OSSFERRY_PLANNER_QUEUE",
            "OSSFERRY_COPIER_QUEUE",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        ];
        let all = |name: &str| names.contains(&name).then(|| "512".to_owned());
        let settings = Settings::from_vars(all).unwrap();
        assert_eq!((settings.memory_mib, settings.log.as_str()), (512, "info"));
        for missing in names {
            for value in [None, Some(String::new())] {
                let var = |name: &str| if name == missing { value.clone() } else { all(name) };
                let error = Settings::from_vars(var).unwrap_err();
                assert!(error.to_string().contains(missing), "{error}");
            }
        }
    }
}
