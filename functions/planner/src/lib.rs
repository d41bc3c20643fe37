//! The planner function: walks the source, joins it with the target, commits tasks.
