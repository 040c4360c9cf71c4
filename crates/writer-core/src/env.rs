//! Settings from the environment, for operators.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use crate::config::Config;
use crate::error::BuildError;

/// Lets the variables that start with `prefix` change `config`, and notes which of `names`, those of
/// all variables, start with it as well and mean nothing.
pub(crate) fn apply(
    prefix: &str,
    config: &mut Config,
    names: impl Iterator<Item = String>,
    read: impl Fn(&str) -> Option<String>,
) -> Result<(), BuildError> {
    let mut variables = Variables { prefix, read, unknown: unknown(prefix, names) };
    variables.set("ASYNC", &mut config.synchronous, |text| match text {
        "0" => Ok(true),
        "1" => Ok(false),
        _ => Err(String::from("expected 0 or 1")),
    })?;
    variables.set("TYPE", &mut config.strategy, parse)?;
    variables.set("MODE", &mut config.mode, parse)?;
    variables.set("POLICY", &mut config.queue_policy, parse)?;
    variables.set("QUEUE_SIZE", &mut config.max_queue_size, lines)?;
    variables.set("BATCH_SIZE", &mut config.batch_size, lines)?;
    variables.set("FLUSH_INTERVAL", &mut config.flush_interval, |text| duration(text).map(Some))?;
    variables.set("TICK", &mut config.tick, |text| match duration(text)? {
        // `build` refuses it as well, but cannot tell where it comes from.
        Duration::ZERO => Err(String::from("expected a duration of at least a nanosecond")),
        tick => Ok(tick),
    })?;
    config.unknown_variables = variables.unknown.into_iter().collect();
    Ok(())
}

/// No error, and nothing for stderr: the prefix may be that of the program, which has variables of
/// its own.
fn unknown(prefix: &str, names: impl Iterator<Item = String>) -> BTreeSet<String> {
    let start = folded(format!("{prefix}_"));
    names.map(folded).filter(|name| name.starts_with(&start)).collect()
}

/// A name as the system compares it.
fn folded(name: String) -> String {
    if cfg!(windows) { name.to_ascii_uppercase() } else { name }
}

struct Variables<'a, R> {
    prefix: &'a str,
    read: R,
    /// Those that nobody has asked for.
    unknown: BTreeSet<String>,
}

impl<R: Fn(&str) -> Option<String>> Variables<'_, R> {
    fn set<T>(
        &mut self,
        name: &str,
        field: &mut T,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<(), BuildError> {
        let variable = format!("{}_{name}", self.prefix);
        let Some(value) = (self.read)(&variable) else { return Ok(()) };
        self.unknown.remove(&folded(variable.clone()));
        *field = parse(value.trim()).map_err(|reason| BuildError::InvalidEnv {
            variable,
            value,
            reason,
        })?;
        Ok(())
    }
}

fn parse<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn lines(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| String::from("expected a number of lines"))
}

/// Reads `10us`, `1ms`, `0.5s`, `5m`; a plain number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || String::from("expected a duration such as 10us, 1ms, 0.5s, 5m or 2 (seconds)");
    let unit_at = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit.trim() {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" => 60.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, QueuePolicy, Strategy};

    fn applied(pairs: &[(&str, &str)]) -> Result<Config, BuildError> {
        let mut config = Config::default();
        let names = pairs.iter().map(|(key, _)| (*key).to_owned());
        apply("APP", &mut config, names, |name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })?;
        Ok(config)
    }

    #[test]
    fn every_variable_takes_effect() {
        let config = applied(&[
            ("APP_ASYNC", "0"),
            ("APP_TYPE", "line"),
            ("APP_MODE", " manual "),
            ("APP_POLICY", "skip"),
            ("APP_QUEUE_SIZE", "7"),
            ("APP_BATCH_SIZE", "3"),
            ("APP_FLUSH_INTERVAL", "0.5s"),
            ("APP_TICK", "10us"),
        ]);
        let config = config.unwrap();
        assert!(config.synchronous);
        assert_eq!(config.strategy, Strategy::LineBuffered);
        assert_eq!(config.mode, Mode::Manual);
        assert_eq!(config.queue_policy, QueuePolicy::DropNewest);
        assert_eq!((config.max_queue_size, config.batch_size), (7, 3));
        assert_eq!(config.flush_interval, Some(Duration::from_millis(500)));
        assert_eq!(config.tick, Duration::from_micros(10));
        assert!(config.unknown_variables.is_empty());
    }

    /// An operator had set a name with a typing error, and nothing in the process knew of it.
    #[test]
    fn variables_that_mean_nothing_are_named() {
        let config = applied(&[
            ("APP_QUEUESIZE", "7"),
            ("APP_BLOK_SIZE", "soon"),
            ("APP_TICK", "1ms"),
            ("APPLE_TICK", "2ms"),
            ("APP", "3"),
            ("HOME_APP_TICK", "4"),
        ]);
        let config = config.unwrap();
        assert_eq!(config.unknown_variables, ["APP_BLOK_SIZE", "APP_QUEUESIZE"]);
        let known = Config { unknown_variables: Vec::new(), ..config };
        assert_eq!(known, Config { tick: Duration::from_millis(1), ..Config::default() });
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        for (name, value) in [
            ("APP_ASYNC", "yes"),
            ("APP_TYPE", "tape"),
            ("APP_MODE", ""),
            ("APP_POLICY", "hope"),
            ("APP_QUEUE_SIZE", "-1"),
            ("APP_BATCH_SIZE", "1e3"),
            ("APP_FLUSH_INTERVAL", "soon"),
            ("APP_TICK", "10 parsecs"),
            ("APP_TICK", ""),
            ("APP_TICK", "1e999s"),
            ("APP_TICK", "NaN"),
            ("APP_TICK", "0"),
            ("APP_TICK", "0.0001us"),
        ] {
            let error = applied(&[(name, value)]).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(name) && text.contains("expected"), "{text}");
        }
    }

    #[test]
    fn durations_have_units() {
        for (text, expected) in [
            ("10us", Duration::from_micros(10)),
            ("1ms", Duration::from_millis(1)),
            ("0.5s", Duration::from_millis(500)),
            ("5m", Duration::from_secs(300)),
            ("2", Duration::from_secs(2)),
            ("0", Duration::ZERO),
        ] {
            assert_eq!(duration(text), Ok(expected));
        }
    }
}
