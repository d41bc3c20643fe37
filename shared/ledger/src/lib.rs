//! The completion table: rows, messages and every transition over the table port.
