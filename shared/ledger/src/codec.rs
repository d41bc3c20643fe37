//! Typed rows as plain attributes, and back.
//!
//! A field is one attribute: text and whole numbers as they are, anything nested as JSON text (see
//! [`json_text`]), an absent option as no attribute at all.

use ossferry_core::ports::{Row, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number};

use crate::ids::RowId;

/// A row that could not be read: written by a newer version, or damaged.
#[derive(Clone, Debug, thiserror::Error)]
#[error("row {row}: {cause}")]
pub struct Unreadable {
    /// Where it stands.
    pub row: RowId,
    /// Why.
    pub cause: String,
}

/// A kind of row with a version of its own. `version` is an attribute of every row.
pub trait TypedRow: Serialize + DeserializeOwned + Clone + Send + Sync {
    /// The version that this code writes and reads.
    const VERSION: i64 = 1;
}

/// Spells a typed row for the table.
pub fn encode<T: TypedRow>(id: &RowId, typed: &T) -> Row {
    let value = serde_json::to_value(typed).expect("a row is a struct of texts and numbers");
    let serde_json::Value::Object(fields) = value else { unreachable!("a row is a struct") };
    let mut row = Row { partition: id.partition.clone(), sort: id.sort.clone(), ..Row::default() };
    row.attributes.insert("version".to_owned(), Value::Integer(T::VERSION));
    for (name, field) in fields {
        let value = match field {
            serde_json::Value::Null => continue,
            serde_json::Value::String(text) => Value::Text(text),
            serde_json::Value::Number(number) => {
                Value::Integer(number.as_i64().expect("numbers of a row's own fields fit 63 bits"))
            }
            nested => unreachable!("field {name} holds {nested}, not text or a number"),
        };
        row.attributes.insert(name, value);
    }
    row
}

/// Reads a typed row.
pub fn decode<T: TypedRow>(row: &Row) -> Result<T, Unreadable> {
    let unreadable = |cause: String| Unreadable {
        row: RowId { partition: row.partition.clone(), sort: row.sort.clone() },
        cause,
    };
    let mut fields = Map::new();
    for (name, value) in &row.attributes {
        if name == "version" {
            if *value != Value::Integer(T::VERSION) {
                return Err(unreadable(format!("version {value:?}, this reads {}", T::VERSION)));
            }
            continue;
        }
        let field = match value {
            Value::Text(text) => serde_json::Value::String(text.clone()),
            Value::Integer(number) => serde_json::Value::Number(Number::from(*number)),
        };
        fields.insert(name.clone(), field);
    }
    serde_json::from_value(serde_json::Value::Object(fields))
        .map_err(|cause| unreadable(cause.to_string()))
}

/// `#[serde(with = "json_text")]`: a nested value as JSON text.
pub mod json_text {
    use serde::de::{DeserializeOwned, Error as _};
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes the value as JSON in a text.
    pub fn serialize<T: Serialize, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&serde_json::to_string(value).map_err(S::Error::custom)?)
    }

    /// Reads the JSON in a text.
    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        from: D,
    ) -> Result<T, D::Error> {
        serde_json::from_str(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}
