//! Reading scenario files, with single keys set anew: a sweep is the same file many times.

use toml::{Table, Value};

use super::Scenario;

/// A scenario that cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The file is no TOML, or has a key that does not exist, or lacks one.
    #[error("the scenario cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A key that is to be set leads nowhere.
    #[error("there is no place for the key {0}")]
    Key(String),
}

/// Reads a scenario.
///
/// # Errors
/// [`SweepError::Toml`] if it is none.
pub fn parse(text: &str) -> Result<Scenario, SweepError> {
    parse_with(text, &[])
}

/// Reads a scenario in which keys such as `players.0.up_kib` have other values.
///
/// # Errors
/// [`SweepError`] if it is none, or a key leads nowhere.
pub fn parse_with(text: &str, set: &[(String, String)]) -> Result<Scenario, SweepError> {
    let mut table: Table = text.parse()?;
    for (key, value) in set {
        let place = place(&mut table, key).ok_or_else(|| SweepError::Key(key.clone()))?;
        *place = value_of(value);
    }
    Ok(Value::Table(table).try_into()?)
}

fn place<'a>(table: &'a mut Table, key: &str) -> Option<&'a mut Value> {
    let (path, last) = key.rsplit_once('.').unwrap_or(("", key));
    let mut at = table;
    let mut parts = path.split('.').filter(|part| !part.is_empty()).peekable();
    while let Some(part) = parts.next() {
        let next = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
        at = match next {
            Value::Array(list) => list.get_mut(parts.next()?.parse::<usize>().ok()?)?.as_table_mut()?,
            other => other.as_table_mut()?,
        };
    }
    Some(at.entry(last).or_insert(Value::Boolean(false)))
}

/// A TOML value, or else a word.
fn value_of(text: &str) -> Value {
    let read: Result<Table, _> = format!("value = {text}").parse();
    let value = read.ok().and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Tier;

    const FILE: &str = "name = 'x'\n[content]\nkib = 1024\npiece_kib = 16\n[[players]]\ncount = 3\n";

    #[test]
    fn keys_are_set_in_tables_and_lists_and_where_nothing_was() {
        let set = [("players.0.up_kib", "7"), ("tier", "policy"), ("swarm.upload_slots_min", "2")];
        let set = set.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let scenario = parse_with(FILE, &set).unwrap();
        assert_eq!((scenario.players[0].count, scenario.players[0].up_kib), (3, 7));
        assert_eq!((scenario.tier, scenario.swarm.upload_slots_min), (Tier::Policy, Some(2)));
    }

    #[test]
    fn a_key_that_does_not_exist_is_an_error() {
        assert!(matches!(parse(&format!("{FILE}sped = 3\n")), Err(SweepError::Toml(_))));
        let nowhere = [("players.9.up_kib".to_owned(), "7".to_owned())];
        assert!(matches!(parse_with(FILE, &nowhere), Err(SweepError::Key(_))));
    }
}
