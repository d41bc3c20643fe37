//! Planner and copier as functions of AWS Lambda: events in, answers out, within the time that is left.
